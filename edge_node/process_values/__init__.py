"""Process values: speed, load, running and temperature from the plant's control system."""

from __future__ import annotations

import random
import time
from pathlib import Path

from edge_node.process_values.options import ProcessValuesSection, mistakes_in
from edge_node.process_values.poller import Poller
from edge_node.process_values.port import ProcessValues, Reader, Values
from vibro.errors import BadInputError, VibroError

__all__ = ["ProcessValues", "ProcessValuesSection", "Values", "mistakes", "open_process_values"]


def open_process_values(
    section: ProcessValuesSection, folder: Path, node: str
) -> ProcessValues | None:
    """Return the process values of a configuration, not yet started; None if it names none.

    Parameters
    ----------
    folder : Path
        The configuration's folder, for the paths in it.
    node : str
        Name of the node: each has a pace of its own in connecting again.

    Raises
    ------
    MissingExtraError
        Without the library of the protocol.
    BadInputError
        With everything that is wrong with the options.
    """
    if section.kind == "none":
        return None
    if found := mistakes_in(section):
        raise BadInputError("; ".join(found))
    return Poller(
        _reader(section, folder),
        section,
        time.monotonic,
        random.Random(node),  # noqa: S311 (jitter, not a secret)
    )


def mistakes(section: ProcessValuesSection, folder: Path) -> list[str]:
    """Return what is wrong with checked options, a sentence each; no server is asked."""
    found = mistakes_in(section)
    if section.kind != "none" and not found:
        try:
            _reader(section, folder)
        except VibroError as error:
            found.append(str(error))
    return found


def _reader(section: ProcessValuesSection, folder: Path) -> Reader:
    if section.kind == "modbus":
        from edge_node.process_values.modbus import ModbusReader  # noqa: PLC0415 (its extra)

        return ModbusReader(section)
    from edge_node.process_values.opcua import OpcUaReader  # noqa: PLC0415 (its extra)

    return OpcUaReader(section, folder)
