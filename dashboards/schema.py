"""Names of what the cloud jobs write into InfluxDB, in the one place where dashboards know them.

Tags are ``site``, ``machine``, ``channel`` and ``state``; everything else is a field. A point's
time is the start of its window, the onset of its event, the opening of its case. A test holds this
table against what `cloud_jobs.timeseries` writes.
"""

from __future__ import annotations

from vibro.faults import Severity
from vibro.features.table import BANDS, ORDERS

BUCKET = "vibro"
"""Bucket of full resolution; ``_1h`` and ``_1d`` hold means and maxima of hours and days."""

SITE, MACHINE, CHANNEL, STATE = TAGS = ("site", "machine", "channel", "state")

STATUS = "status"
FAST = "features_fast"
LONG = "features_long"
NODE = "node"
EVENT = "event"
CASE = "case"
MODEL = "model"
LIMIT = "limit"
MAINTENANCE = "maintenance"

BAND_FIELDS = tuple(f"band_{b:02d}" for b in range(BANDS))
"""Levels of the logarithmic bands of the fast path, the lowest first."""
ORDER_FIELDS = {f"order_{o:g}".replace(".", "_"): f"{o:g}x" for o in ORDERS}
"""Amplitudes at multiples of the shaft's speed, and how an engineer calls them."""
BEARING_FIELDS = {
    "ses_bpfo": "BPFO (outer race)",
    "ses_bpfi": "BPFI (inner race)",
    "ses_2bsf": "2xBSF (rolling element)",
    "ses_ftf": "FTF (cage)",
}
GEAR_FIELDS = {"gear_mesh_1": "gear mesh", "gear_mesh_2": "2x gear mesh"}
BLADE_FIELDS = {"blade_pass_1": "blade pass", "blade_pass_2": "2x blade pass"}
ZONE_FIELDS = {
    "zone_ab_mm_s": "ISO zone A/B",
    "zone_bc_mm_s": "ISO zone B/C",
    "zone_cd_mm_s": "ISO zone C/D",
}

FIELDS: dict[str, tuple[str, ...]] = {
    STATUS: (
        "severity",
        "score_fast",
        "score_long",
        "p_fast",
        "p_long",
        "rpm",
        "judged_share",
        "velocity_rms_mm_s",
    ),
    FAST: ("rms", "peak_max", "kurtosis", "envelope_level", *BAND_FIELDS),
    LONG: (
        "displacement_rms_um",
        *ORDER_FIELDS,
        *BEARING_FIELDS,
        "ses_shaft",
        "ses_peak",
        *GEAR_FIELDS,
        "gear_sidebands",
        *BLADE_FIELDS,
    ),
    NODE: (
        "node",
        "seen",
        "lost",
        "spool_bytes",
        "spool_max_bytes",
        "bundle",
        "version",
    ),
    EVENT: ("thing", "severity", "causes", "score", "open", "t_clear_ns"),
    CASE: ("id", "fault", "severity", "state", "probability", "note"),
    MODEL: (
        "version",
        "machine_class",
        "bytes",
        "fast_rows",
        "long_rows",
        "fast_share_p01",
        "long_share_p01",
    ),
    LIMIT: tuple(ZONE_FIELDS),
    MAINTENANCE: ("note",),
}
"""Every field that a query of ours names."""

SEVERITIES = {int(s): s.word for s in Severity}
OPEN = "open"
"""State of a case that still wants somebody."""
