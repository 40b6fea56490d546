"""Recordings on disk: the one corner of the core with file I/O."""

from vibro.files.manifest import MANIFEST, Entry, read_manifest
from vibro.files.recording import FORMATS, Recording, read_recording
from vibro.files.write import WRITERS, write_recording

__all__ = [
    "FORMATS",
    "MANIFEST",
    "WRITERS",
    "Entry",
    "Recording",
    "read_manifest",
    "read_recording",
    "write_recording",
]
