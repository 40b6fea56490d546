"""Figures of one recording: a PNG a channel."""

from __future__ import annotations

import re
from pathlib import Path

from vibro.cli.analyze.judging import Judged
from vibro.errors import BadInputError
from vibro.figures import Story, draw


def draw_all(folder: Path, judged: Judged) -> list[str]:
    """Draw each channel into a folder, which is made where it is not there; return the paths.

    Raises
    ------
    BadInputError
        If the folder or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"--figures {folder}: cannot be made ({error.strerror})") from None
    file, paths = Path(judged.recording.source), []
    for story in _stories(judged, file.name):
        path = folder / f"{file.stem}-{_slug(story.point.channel)}.png"
        try:
            paths.append(str(draw(story, path)))
        except OSError as error:
            raise BadInputError(
                f"--figures {path}: cannot be written ({error.strerror}); name another folder"
            ) from None
    return paths


def _stories(judged: Judged, file: str) -> list[Story]:
    recording, stories = judged.recording, []
    for row, point in zip(recording.samples, judged.points, strict=True):
        own = next((d for d in judged.assessment.diagnoses if d.channel == point.channel), None)
        verdict = f"{own.fault.value.replace('_', ' ')} ({own.probability:.2f})" if own else "ok"
        title = f"{file}, channel {point.channel}: {verdict}"
        stories.append(Story(title, row, recording.rate_hz, recording.rpm, point, own))
    return stories


def _slug(channel: str) -> str:
    """Channel's name as part of a file name: what names a path must not lead out of the folder."""
    return re.sub(r"[^a-z0-9]+", "-", channel.lower()).strip("-") or "channel"
