"""The feature table: name, unit, path, formula and source of every feature, in column order.

It is the schema that versions everything downstream: `SCHEMA_HASH` changes with any name, unit,
formula or order. Symbols: x the samples of a window, d = x - mean(x), n its length; P[k] the
Hann-windowed one-sided power spectrum of d scaled so that its sum is the mean square of d; A(f)
the amplitude of the line at f, sqrt(2 sum P) over the five bins of its main lobe, the peak being
searched within 1 % and 1.5 bins; e the squared envelope of the channel's band; f_s the speed of the
point's shaft.

Every feature is finite. One that is not defined (bearing or speed unknown, a line outside the
band, a constant window) is 0.0: constant, so it carries no information. A window is constant where
no |d| is above 1e-6 |mean(x)| + 1e-12 m/s2: its d then counts as 0. Levels end at -120 dB (1e-12
is added to a power), logarithms of single bins at 1e-20. Samples that are not
finite count as 0. Sources by number: [1] Randall & Antoni, "Rolling element bearing diagnostics -
a tutorial", Mech. Syst. Signal Process. 25 (2011) 485-520; [2] ISO 13373-2:2016; [3] Antoni &
Randall, "The spectral kurtosis", MSSP 20 (2006) 308-331; [4] ISO 10816-3:2009; [5] Lei et al.,
MSSP 24 (2010) 1108-1117; [6] Peeters et al., "The timbre toolbox", JASA 130 (2011) 2902-2916.

The ISO band is 10 Hz, or 2 Hz below 600 rpm, to 1000 Hz; a stream too slow for that (one that is
not decimated) ends at 0.49 of its rate, and so do its lines.

The band of e is an ideal band-pass on the bins of a fast window, smoothed to an impulse response
of L = n/8 samples (n/4 where n < 1024) under a Kaiser window of 60 dB. Its gain falls within 2 n/L
bins either side of an edge; farther out it is cut to 0. Features of e leave out L/2 samples at
each end of the window. The long path joins the middle halves of successive windows' e.

The lines of e: P of the decimated e is taken up to 1000 Hz (0.49 of the rate where it is not
decimated) but no farther than the band's width and its two slopes, 4 n/L bins of the fast window:
what is in the band beats no faster. Beyond it a line is not defined. The floor is the mean of 10
log10 P over blocks of 64 bins (a quarter of the bins where there are fewer than four blocks, at
least 4 bins), linear between the blocks' centres. The ridge is the level over this floor, of each
bin the highest of itself and its two neighbours: heights of lines are read from it, at the nearest
bin. A line is searched from three bins up to where 1.2 times its frequency, with slip, is still in
the band. Decoys stand at 0.781, 0.837, 0.893, 0.931, 1.073, 1.127 and 1.193 times its frequency.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass

BANDS = 16
"""Logarithmic bands of the fast path."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a feature vector.

    Attributes
    ----------
    path : str
        ``fast`` or ``long``.
    scale : str
        ``linear``, or ``log`` for a non-negative value that spans decades: a scorer standardises
        its logarithm.
    """

    name: str
    unit: str
    path: str
    formula: str
    source: str
    scale: str = "linear"


def _fast(name: str, unit: str, formula: str, source: str, scale: str = "linear") -> Feature:
    return Feature(name, unit, "fast", formula, source, scale)


def _long(name: str, unit: str, formula: str, source: str, scale: str = "linear") -> Feature:
    return Feature(name, unit, "long", formula, source, scale)


FAST: tuple[Feature, ...] = (
    _fast("mean", "m/s2", "mean(x)", "[2]"),
    _fast("rms", "m/s2", "sqrt(mean(d^2))", "[2]", "log"),
    _fast("peak", "m/s2", "max |d|", "[2]", "log"),
    _fast("crest_factor", "", "peak / rms", "[2]", "log"),
    _fast("kurtosis", "", "mean(d^4) / mean(d^2)^2; 3 for Gaussian noise", "[5]", "log"),
    _fast("skewness", "", "mean(d^3) / mean(d^2)^1.5", "[5]"),
    _fast("shape_factor", "", "rms / mean|d|", "[5]", "log"),
    _fast("impulse_factor", "", "peak / mean|d|", "[5]", "log"),
    _fast("margin_factor", "", "peak / mean(sqrt|d|)^2", "[5]", "log"),
    _fast("repeat_share", "", "share of samples equal to their predecessor", "sensor health"),
    *(
        _fast(
            f"band_{b:02d}",
            "dB re 1 (m/s2)^2",
            f"10 log10(sum of P over band {b} of {BANDS}, logarithmic from 10 Hz to rate/2)",
            "[2]",
        )
        for b in range(BANDS)
    ),
    _fast("spectral_centroid", "Hz", "c = sum(f P) / sum(P)", "[6]"),
    _fast("spectral_spread", "Hz", "s = sqrt(sum((f - c)^2 P) / sum(P))", "[6]"),
    _fast("spectral_kurtosis", "", "sum((f - c)^4 P) / sum(P) / s^4", "[6]", "log"),
    _fast("spectral_flatness", "dB", "10 (mean(log10 P) - log10 mean(P))", "[6]"),
    _fast("spectral_entropy", "", "-sum(p ln p) / ln(n / 2), p = P / sum(P)", "[6]"),
    _fast("spectral_crest", "dB", "10 log10(max(P) / mean(P))", "[6]"),
    _fast("envelope_level", "dB re 1 (m/s2)^2", "10 log10(mean(e) / 2): power of the band", "[1]"),
    _fast("envelope_share", "dB", "10 log10(mean(e) / 2 / mean(d^2))", "[1]"),
    _fast(
        "envelope_kurtosis",
        "",
        "mean(e^2) / mean(e)^2: 2 for Gaussian noise (spectral kurtosis + 2)",
        "[3] eq. 15",
        "log",
    ),
    _fast("envelope_crest", "dB", "10 log10(max(e) / mean(e))", "[1]"),
)

ORDERS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
"""Multiples of the shaft's speed whose amplitudes are features of the long path."""

_SNR = (
    "mean over harmonics 1-3 of the line's height over the local floor (dB, 0..25 each), best "
    "within 2 % slip, minus the median of the same search at seven decoy frequencies"
)

LONG: tuple[Feature, ...] = (
    _long("velocity_rms_mm_s", "mm/s", "1000 sqrt(sum P / (2 pi f)^2), ISO band", "[4]", "log"),
    _long("displacement_rms_um", "um", "1e6 sqrt(sum P / (2 pi f)^4), ISO band", "[4]", "log"),
    _long("acceleration_rms", "m/s2", "sqrt(sum P), ISO band", "[2]", "log"),
    _long("low_kurtosis", "", "kurtosis of the decimated signal", "[5]", "log"),
    _long("low_crest_factor", "", "peak / rms of the decimated signal", "[2]", "log"),
    *(
        _long("order_" + f"{order:g}".replace(".", "_"), "m/s2", f"A({order:g} f_s)", "[2]", "log")
        for order in ORDERS
    ),
    _long("order_share", "dB", "10 log10(power of orders 1..10 / sum of P)", "[2]"),
    _long("floor_level", "dB re 1 (m/s2)^2", "mean over bins of 10 log10 P, ISO band", "[2]"),
    _long("gear_mesh_1", "m/s2", "A(mesh)", "[2]", "log"),
    _long("gear_mesh_2", "m/s2", "A(2 mesh)", "[2]", "log"),
    _long(
        "gear_sidebands",
        "dB",
        "10 log10(power of the mesh's sidebands 1-2 of each gear's shaft / power of the mesh)",
        "[2]",
    ),
    _long("blade_pass_1", "m/s2", "A(blade pass)", "[2]", "log"),
    _long("blade_pass_2", "m/s2", "A(2 blade pass)", "[2]", "log"),
    _long("ses_bpfo", "dB", f"outer race line of the squared envelope spectrum: {_SNR}", "[1]"),
    _long("ses_bpfi", "dB", f"inner race line of the squared envelope spectrum: {_SNR}", "[1]"),
    _long(
        "ses_2bsf", "dB", f"rolling element line of the squared envelope spectrum: {_SNR}", "[1]"
    ),
    _long("ses_ftf", "dB", f"cage line of the squared envelope spectrum: {_SNR}", "[1]"),
    _long(
        "ses_shaft", "dB", f"largest of the shafts' lines in the squared envelope: {_SNR}", "[1]"
    ),
    _long("ses_peak", "dB", "highest line of the squared envelope spectrum over its floor", "[1]"),
    _long("envelope_mean", "dB re 1 (m/s2)^2", "10 log10 mean(e), decimated", "[1]"),
    _long("envelope_depth", "", "std(e) / mean(e), decimated", "[1]", "log"),
)

FAST_NAMES: tuple[str, ...] = tuple(f.name for f in FAST)
LONG_NAMES: tuple[str, ...] = tuple(f.name for f in LONG)
LOG_NAMES: frozenset[str] = frozenset(f.name for f in (*FAST, *LONG) if f.scale == "log")
"""Features whose logarithm is standardised."""
REFLEX_NAMES: tuple[str, ...] = ("peak", "rms", "slope")
"""Columns of the reflex path: max |x| (m/s2), sqrt(mean x^2) (m/s2), change of rms (m/s2 a s)."""

SCHEMA_HASH: str = hashlib.sha256(repr([astuple(f) for f in (*FAST, *LONG)]).encode()).hexdigest()[
    :16
]
"""Version of the table: 16 hexadecimal digits over every field of every feature, in order."""
