"""The attribute files of a Linux IIO device (Documentation/ABI/testing/sysfs-bus-iio)."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from edge_node.sources.scan_layout import Element, ElementType
from vibro.errors import BadInputError, VibroError

TIMESTAMP = "in_timestamp"
_KIND = re.compile(r"(in_[a-z]+)")


class IioFiles:
    """Reads and writes the files of one device's folder.

    Parameters
    ----------
    folder : Path
        Such as ``/sys/bus/iio/devices/iio:device0``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> str:
        """Return an attribute without its line end."""
        path = self.folder / name
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError as error:
            raise VibroError(f"{path}: cannot be read ({error.strerror})") from None

    def number(self, names: Iterable[str]) -> float | None:
        """Return the first attribute that there is, as a number; None if there is none."""
        for name in names:
            if (self.folder / name).exists():
                text = self.read(name)
                value = math.nan
                with suppress(ValueError):
                    value = float(text)
                if not math.isfinite(value):
                    raise BadInputError(f"{self.folder / name} = {text[:40]!r} is not a number")
                return value
        return None

    def write(self, name: str, value: object) -> None:
        """Write an attribute.

        Raises
        ------
        VibroError
            If the file is not there, may not be written, or the driver refuses the value.
        """
        path = self.folder / name
        try:
            # A file that is not there is not to be made.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_TRUNC), "w", encoding="utf-8") as file:
                file.write(f"{value}\n")
        except OSError as error:
            remedy = "give the node's user the right to write it (udev)"
            told = remedy if isinstance(error, PermissionError) else "the driver does not take it"
            raise VibroError(
                f"{path}: {value} cannot be written ({error.strerror}): {told}"
            ) from None

    def elements(self) -> dict[str, Element]:
        """Return all elements that a scan may have, by index, the timestamp among them.

        Raises
        ------
        VibroError
            If the device has no buffer.
        """
        folder = self.folder / "scan_elements"
        names = sorted(p.name.removesuffix("_en") for p in folder.glob("*_en"))
        if not names:
            raise VibroError(f"{folder} names no elements: is there such a device, with a buffer?")
        found = [self._element(name) for name in names]
        return {e.name: e for e in sorted(found, key=lambda e: e.index)}

    def _element(self, name: str) -> Element:
        of = f"scan_elements/{name}"
        index = self.read(f"{of}_index")
        if not index.isdecimal():
            raise BadInputError(f"{self.folder / of}_index = {index[:40]!r} is not a number")
        kind = ElementType.parse(self.read(f"{of}_type"), f"{self.folder / of}_type")
        return Element(name, int(index), kind)

    def enabled(self, name: str) -> bool:
        """Whether an element is part of the scans."""
        return self.read(f"scan_elements/{name}_en") == "1"

    def of_channel(self, name: str, what: str) -> list[str]:
        """Return where an attribute of a channel may stand: its own, then its kind's.

        Examples
        --------
        >>> IioFiles(Path("d")).of_channel("in_accel_x", "scale")
        ['in_accel_x_scale', 'in_accel_scale']
        """
        kind = _KIND.match(name)
        shared = [] if kind is None else [f"{kind[1]}_{what}"]
        if kind is not None and "-" in name:
            # Differential: in_voltage0-voltage1 shares in_voltage-voltage_scale.
            shared.insert(0, f"{kind[1]}-{kind[1].removeprefix('in_')}_{what}")
        return [f"{name}_{what}", *shared]
