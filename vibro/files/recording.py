"""`read_recording`: one recording from any known format, in m/s2 and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.files import binary
from vibro.files.mat import read_mat
from vibro.files.raw import Raw
from vibro.files.text import read_text
from vibro.text import printable

STANDARD_GRAVITY = 9.80665
"""m/s2 (CGPM 1901)."""

UNITS = {"g": STANDARD_GRAVITY, "m/s2": 1.0, "mm/s2": 1e-3}
LEAST_SAMPLES = 64

_READERS: dict[str, Callable[[Path], Raw]] = {
    ".wav": binary.read_wav,
    ".npy": binary.read_npy,
    ".tdms": binary.read_tdms,
    ".parquet": binary.read_parquet,
    ".uff": binary.read_uff,
    ".unv": binary.read_uff,
    ".uff58": binary.read_uff,
    ".mat": read_mat,
}
_TEXT = (".csv", ".txt", ".asc", ".tsv", ".dat")
FORMATS = (*_READERS, *_TEXT)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording.

    Attributes
    ----------
    samples : ndarray, float32, shape (channels, n)
        Acceleration, m/s2 (see ``units_known``).
    rate_hz : float
    rpm : float
        NaN when not known.
    units_known : bool
        Whether the units were stated; else g were taken, and what depends on absolute levels
        (ISO zones) must not be judged.
    lines_hz : dict
        Fault frequencies that the file itself carries, Hz.
    """

    samples: NDArray[np.float32]
    names: tuple[str, ...]
    rate_hz: float
    rpm: float
    units_known: bool
    source: str
    lines_hz: dict[str, float] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1] / self.rate_hz)


def read_recording(
    path: Path,
    *,
    rate_hz: float | None = None,
    channel: str | None = None,
    units: str | None = None,
    rpm: float | None = None,
    delimiter: str | None = None,
    otherwise_rate_hz: float | None = None,
) -> Recording:
    """Read one recording.

    Parameters
    ----------
    path : Path
        wav, csv/txt/asc (or no ending), mat (v5), npy, parquet, tdms or uff58.
    rate_hz, rpm : float, optional
        Override what the file says.
    otherwise_rate_hz : float, optional
        Rate of a file that does not say its own.
    channel : str, optional
        Name or number (from 1) of the one channel wanted; default all.
    units : {'g', 'm/s2', 'mm/s2'}, optional
        Units of the samples where the file does not say them; default g.
    delimiter : str, optional
        Of a text file; found by itself otherwise.

    Raises
    ------
    BadInputError
        With one line: what is wrong with which file, and the remedy.
    """
    raw = _read(Path(path), delimiter)
    raw = replace(raw, names=_names(raw.names))
    rate = rate_hz or raw.rate_hz
    if rate != rate and otherwise_rate_hz:
        rate = otherwise_rate_hz
    if not rate > 0.0 or not np.isfinite(rate):
        raise BadInputError(f"{path}: does not say its sampling rate; give it with --rate HZ")
    samples, names = _choose(path, raw, channel)
    if samples.shape[1] < LEAST_SAMPLES:
        raise BadInputError(
            f"{path}: has {samples.shape[1]} samples, at least {LEAST_SAMPLES} are needed"
        )
    bad = ~np.isfinite(samples)
    if bad.any():
        c, i = (int(k[0]) for k in np.nonzero(bad))
        raise BadInputError(
            f"{path}: {int(bad.sum())} samples are not finite numbers, the first is sample "
            f"{i + 1} of channel {names[c]}; cut or repair the recording"
        )
    speed = raw.rpm if rpm is None else rpm
    if speed < 0.0 or np.isinf(speed):
        raise BadInputError(f"{path}: says a speed of {speed:g} rpm; give the right one with --rpm")
    factor, known = _units(path, units or raw.units)
    if float(np.abs(samples).max(initial=0.0)) * factor > 1e9:
        raise BadInputError(f"{path}: holds values beyond 1e9 m/s2; these are not accelerations")
    return Recording(
        (samples * factor).astype(np.float32),
        names,
        float(rate),
        float(speed),
        known,
        str(path),
        raw.lines_hz,
    )


def _read(path: Path, delimiter: str | None) -> Raw:
    try:
        if not path.is_file():
            raise BadInputError(f"{path}: {_what_it_is(path)}")
        if path.stat().st_size == 0:
            raise BadInputError(f"{path}: is empty")
        suffix = path.suffix.lower()
        if suffix in _READERS:
            return _READERS[suffix](path)
        # IMS names its files by a date: an ending that is only digits is none.
        if suffix in _TEXT or not suffix or suffix[1:].isdigit():
            return read_text(path, delimiter)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror})") from None
    raise BadInputError(f"{path}: format '{suffix}' is not known; known are {', '.join(FORMATS)}")


def _what_it_is(path: Path) -> str:
    if path.is_dir():
        return "there is no such file, but a folder of that name; name a file in it"
    if path.exists():
        return "there is no such file: that is a device or a pipe"
    return "there is no such file"


def _names(found: tuple[str, ...]) -> tuple[str, ...]:
    """Names that print on one line and differ, whatever the file says."""
    names: dict[str, None] = {}
    for i, name in enumerate(found):
        shown = printable(name).strip() or f"ch{i + 1}"
        unique, n = shown, i + 1
        while unique in names:
            unique, n = f"{shown}-{n}", n + 1
        names[unique] = None
    return tuple(names)


def _choose(
    path: Path, raw: Raw, channel: str | None
) -> tuple[NDArray[np.floating], tuple[str, ...]]:
    if channel is None:
        return raw.samples, raw.names
    lower = [n.lower() for n in raw.names]
    if channel.lower() in lower:
        i = lower.index(channel.lower())
    elif channel.isdigit() and 1 <= int(channel) <= len(raw.names):
        i = int(channel) - 1
    else:
        raise BadInputError(
            f"{path}: has no channel '{channel}'; it has {', '.join(raw.names)} "
            f"(or 1 to {len(raw.names)})"
        )
    return raw.samples[i : i + 1], (raw.names[i],)


def _units(path: Path, units: str) -> tuple[float, bool]:
    if not units:
        return STANDARD_GRAVITY, False
    key = units.replace("²", "2").replace("^", "").replace("s-2", "s2").strip()
    if key not in UNITS:
        raise BadInputError(f"{path}: units '{units}' are not one of {', '.join(UNITS)}")
    return UNITS[key], True
