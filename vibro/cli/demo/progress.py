"""What the demo shows while it runs: a bar on stderr, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Something that is told how far the demo has come."""

    def stage(self, name: str) -> None:
        """Say what happens now."""

    def at(self, share: float, cases: int, pids: Sequence[int]) -> None:
        """Say how much of the plant's time has passed, and what is known."""


class _Silent:
    def stage(self, name: str) -> None:
        del name

    def at(self, share: float, cases: int, pids: Sequence[int]) -> None:
        del share, cases, pids


@contextmanager
def silent() -> Iterator[Progress]:
    """Show nothing."""
    yield _Silent()


@contextmanager
def shown() -> Iterator[Progress]:
    """Show a bar on stderr."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %  {task.fields[known]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("healthy start", total=1.0, known="")

        class Shown:
            def stage(self, name: str) -> None:
                bars.update(task, description=name)

            def at(self, share: float, cases: int, pids: Sequence[int]) -> None:
                edge = ", ".join(map(str, pids))
                bars.update(task, completed=share, known=f"{cases} cases  edge pids {edge}")

        yield Shown()
        bars.update(task, completed=1.0, description="done")
