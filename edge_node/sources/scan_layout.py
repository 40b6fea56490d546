"""How a scan of a Linux IIO buffer is laid out in memory, and what its integers mean.

Each element has a type such as ``le:s16/32>>4``: byte order, sign, valid bits, storage bits, shift
(Linux, Documentation/ABI/testing/sysfs-bus-iio, ``scan_elements/<name>_type``). Elements follow
each other by index, each aligned to its own size, and the whole is padded to the largest
(``iio_compute_scan_bytes`` in drivers/iio/industrialio-buffer.c).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError

_TYPE = re.compile(r"(be|le):([su])([0-9]{1,3})/([0-9]{1,3})(?:X([0-9]{1,3}))?>>([0-9]{1,3})")
STORAGE_BITS = (8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class ElementType:
    """Type of one element of a scan."""

    big_endian: bool
    signed: bool
    bits: int
    storage_bits: int
    shift: int

    @classmethod
    def parse(cls, text: str, what: str = "type") -> ElementType:
        """Read a type as the kernel writes it.

        Parameters
        ----------
        text : str
            Such as ``be:s12/16>>4``.
        what : str
            The file it comes from, for errors.

        Raises
        ------
        BadInputError
            If it is no type, or one of a repeated element.
        """
        told = f"{what} = {text.strip()[:40]!r}"
        found = _TYPE.fullmatch(text.strip())
        if found is None:
            raise BadInputError(f"{told} is no IIO type: one is like 'le:s16/16>>0'")
        order, sign, *numbers = found.groups()
        bits, storage, repeat, shift = (int(x or 1) for x in numbers)
        if storage not in STORAGE_BITS or not 0 < bits <= storage - shift:
            raise BadInputError(
                f"{told}: {bits} bits shifted by {shift} do not lie in "
                "storage of 8, 16, 32 or 64 bits"
            )
        if repeat != 1:
            raise BadInputError(f"{told}: repeated elements are not read")
        return cls(order == "be", sign == "s", bits, storage, shift)

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest value."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1

    @property
    def stored(self) -> np.dtype[np.unsignedinteger]:
        """The unsigned integer in memory."""
        return np.dtype(f"{'>' if self.big_endian else '<'}u{self.storage_bits // 8}")

    def values(self, stored: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
        """Return what stored integers mean; unsigned ones of 64 bits wrap around."""
        valid = (stored.astype(np.uint64) >> np.uint64(self.shift)) & np.uint64(
            (1 << self.bits) - 1
        )
        unused = np.uint64(64 - self.bits)
        moved = (valid << unused).view(np.int64)
        if self.signed:
            # An arithmetic shift to the right copies the sign.
            return moved >> np.int64(64 - self.bits)
        return valid.view(np.int64)


@dataclass(frozen=True, slots=True)
class Element:
    """One enabled element of a scan."""

    name: str
    index: int
    type: ElementType


class ScanLayout:
    """The record of one scan.

    Parameters
    ----------
    elements : sequence of Element
        All enabled ones, in any order.
    """

    def __init__(self, elements: Sequence[Element]) -> None:
        self.elements = {e.name: e for e in elements}
        offsets, end, largest = {}, 0, 1
        for element in sorted(elements, key=lambda e: e.index):
            size = element.type.storage_bits // 8
            end = -(-end // size) * size
            offsets[element.name] = end
            end, largest = end + size, max(largest, size)
        self.record = np.dtype(
            {
                "names": list(offsets),
                "formats": [self.elements[n].type.stored for n in offsets],
                "offsets": list(offsets.values()),
                "itemsize": -(-end // largest) * largest,
            }
        )

    @property
    def scan_bytes(self) -> int:
        """Bytes of one scan."""
        return self.record.itemsize

    def values(self, scans: bytes, name: str) -> NDArray[np.int64]:
        """Return one element of whole scans, int64, shape (scans,)."""
        return self.elements[name].type.values(np.frombuffer(scans, self.record)[name])
