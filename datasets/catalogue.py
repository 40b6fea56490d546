"""Which public sets of recordings Vibro knows: who publishes them, on what terms, and their traps.

A publisher is named by its page's title, because addresses move; those that can be fetched from
stand in `datasets.downloads`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicSet:
    """One public set.

    Attributes
    ----------
    name : str
        The word that manifests use in ``set``.
    title, publisher : str
    citation : str
        What the publisher asks to be cited.
    licence : str
        What is known of the terms; ``""`` = none stated.
    page : str
        Title of the publisher's page, to search for.
    machine : str
        What was measured, in a few words.
    machine_class : str
        Class under which its recordings are replayed.
    power_kw : float or None
    line_hz : float
        Mains frequency of the place of measurement.
    traps : tuple of str
        What goes wrong when the files are taken at their word.
    """

    name: str
    title: str
    publisher: str
    citation: str
    licence: str
    page: str
    machine: str
    machine_class: str
    traps: tuple[str, ...] = ()
    power_kw: float | None = None
    line_hz: float = 60.0


CATALOGUE: tuple[PublicSet, ...] = (
    PublicSet(
        name="cwru",
        title="CWRU bearing data",
        publisher="Case Western Reserve University, Bearing Data Center",
        citation="Case Western Reserve University Bearing Data Center; see also W. A. Smith & "
        "R. B. Randall, Mech. Syst. Signal Process. 64-65 (2015) 100-131",
        licence="",
        page="Bearing Data Center, Case School of Engineering: Download a Data File",
        machine="2 hp motor with seeded faults in its bearings, 12 and 48 kHz",
        machine_class="motor",
        power_kw=1.5,
        traps=(
            "the normal recordings (97 to 100) are sampled at 48 kHz, though often said to be 12",
            "the numbers in the keys are not always the file's: 174 holds X173_*",
            "174 lasts 1.3 s and its inner race lines do not stand out: type uncertain is right",
            "the 0.028 in files have one channel and no speed",
        ),
    ),
    PublicSet(
        name="mfpt",
        title="MFPT fault data sets",
        publisher="Society for Machinery Failure Prevention Technology",
        citation="E. Bechhoefer, Condition Based Maintenance Fault Database for Testing of "
        "Diagnostic and Prognostics Algorithms, MFPT (2013)",
        licence="CC BY-NC-SA 4.0 in one mirror; no commercial use without the owner",
        page="MFPT: Fault Data Sets",
        machine="bearing test rig (NICE bearing), 97,656 and 48,828 Hz, 25 Hz shaft",
        machine_class="test-rig",
        traps=(
            "normal recordings have twice the sampling rate of most fault recordings",
            "rate and sampling rate stand in a struct in the file",
        ),
    ),
    PublicSet(
        name="ims",
        title="IMS bearings, run to failure",
        publisher="NASA Prognostics Center of Excellence; Center for Intelligent Maintenance "
        "Systems, University of Cincinnati",
        citation="J. Lee, H. Qiu, G. Yu, J. Lin & Rexnord Technical Services, Bearing Data Set, "
        "IMS, University of Cincinnati (2007)",
        licence="",
        page="NASA PCoE data set repository: Bearings",
        machine="four bearings on one shaft at 2000 rpm until one fails",
        machine_class="test-rig",
        traps=(
            "documented as 20 kHz; the mains lines of a stopped snapshot prove 20,480 Hz",
            "the last snapshots were taken after shutdown (rms 0.002 g): they show nothing",
            "files have no ending; their names are times",
        ),
    ),
    PublicSet(
        name="femto",
        title="PRONOSTIA (PHM 2012 challenge)",
        publisher="FEMTO-ST Institute",
        citation="P. Nectoux et al., PRONOSTIA: an experimental platform for bearings accelerated "
        "degradation tests, IEEE PHM (2012)",
        licence="",
        page="IEEE PHM 2012 Prognostic Challenge",
        machine="small bearings driven to failure under overload, 0.1 s every 10 s",
        machine_class="test-rig",
        line_hz=50.0,
        traps=(
            "a snapshot is 0.1 s: 3 turns of the shaft, too short for order or defect lines",
            "some files use ';' between columns",
            "which part failed is not stated",
        ),
    ),
    PublicSet(
        name="ceiling_fan",
        title="Ceiling fan with and without a coin on a blade",
        publisher="S. Hymel (tutorial on anomaly detection with small sensors)",
        citation="S. Hymel, tinyml-example-anomaly-detection",
        licence="Beerware for the code; the data are not licensed separately",
        page="tinyml-example-anomaly-detection",
        machine="household ceiling fan, MEMS sensor, three axes, about 200 Hz",
        machine_class="fan",
        traps=(
            "with the weight the rms is lower, not higher",
            "files hold about 200 samples and gravity",
        ),
    ),
    PublicSet(
        name="pump_motor_45kw",
        title="45 kW induction motors of centrifugal pumps",
        publisher="A. Kafeel et al.",
        citation="A. Kafeel et al., An Expert System for Rotating Machine Fault Detection Using "
        "Vibration Signal Analysis, Sensors 21(22), 7587 (2021)",
        licence="as is, for research and education",
        page="Sensors 2021, 21(22), 7587: data availability",
        machine="motors in a plant, three axes, 1 kHz",
        machine_class="motor",
        power_kw=45.0,
        line_hz=50.0,
        traps=(
            "each axis is standardised: the amplitude is lost, and with it ISO zones",
            "bearing and alignment faults are not told apart",
        ),
    ),
    PublicSet(
        name="skab",
        title="SKAB: Skoltech anomaly benchmark",
        publisher="I. D. Katser & V. O. Kozitsin",
        citation="I. D. Katser & V. O. Kozitsin, Skoltech Anomaly Benchmark (2020)",
        licence="GPL-3.0",
        page="SKAB: Skoltech Anomaly Benchmark",
        machine="water pump test bed with valves being closed, one row a second",
        machine_class="pump",
        line_hz=50.0,
        traps=("holds rms values at 1 Hz, not waveforms: vibration analysis does not apply",),
    ),
)

_BY_NAME = {s.name: s for s in CATALOGUE}


def find_set(name: str) -> PublicSet | None:
    """Set of a name, None when it is not in the catalogue."""
    return _BY_NAME.get(name)
