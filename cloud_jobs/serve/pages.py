"""What each page needs, gathered for its template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from cloud_jobs.lake import Lake
from cloud_jobs.query import find_cases
from cloud_jobs.serve.daily import daily_plots, spectra_of
from cloud_jobs.serve.facts import fleet, rows_of
from cloud_jobs.serve.plot import Plot, svg
from cloud_jobs.serve.spectra import clip_plots
from cloud_jobs.serve.trends import trend_plots
from cloud_jobs.store import Store
from cloud_jobs.store.tables import ClipRow, DiagnosisRow
from vibro.assets import Machine, Point
from vibro.errors import BadInputError
from vibro.query import parse
from vibro.records import Clip

Context = dict[str, Any]
Ranges = Mapping[str, tuple[float, float]]
"""Parts of the x axes to show, by the axes' names."""


class NotHereError(BadInputError):
    """The page asks for something that neither store nor lake holds."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages over one store and lake.

    Every method returns what its template is filled with.

    Raises
    ------
    NotHereError
        From every method that is asked for something unknown.
    """

    store: Store
    lake: Lake

    def fleet(self, question: str, now_ns: int) -> Context:
        """Gather the front page; a question that cannot be read is answered by its error."""
        found: Context = {"question": question, "answer": None, "error": ""}
        if question:
            try:
                found["answer"] = self.answer(question, now_ns)
            except BadInputError as error:
                found["error"] = str(error)
        return {"fleet": fleet(self.store, self.lake, now_ns), "now_ns": now_ns, **found}

    def answer(self, question: str, now_ns: int) -> list[dict[str, Any]]:
        """Cases that match a query, as `vibro query --json` prints them."""
        return find_cases(self.store, parse(question, now_ns))

    def machine(self, path: str, ranges: Ranges) -> Context:
        """Gather a machine's cases, trends, daily spectra, events and clips."""
        machine = self._machine(path)
        events, cases = rows_of(self.store, path)
        done = self.store.maintenance([path])
        said = {a.clip: a for a in self.store.assessments([path])}
        verdicts = {d.clip: d for d in self.store.diagnoses([path]) if d.rank == 0}
        return {
            "machine": machine,
            "cases": cases,
            "events": events,
            "maintenance": done[::-1],
            "clips": [(c, said.get(c.thing), verdicts.get(c.thing)) for c in self._newest(path)],
            "plots": [_drawn(p, ranges) for p in trend_plots(self.lake, machine, events, done)],
            "spectra": [_drawn(p, ranges) for p in daily_plots(spectra_of(self.lake, path))],
            "model": self.store.champion(machine.site, machine.machine_class),
        }

    def event(self, thing: str, channel: str, ranges: Ranges) -> Context:
        """Gather an event, and the clip that shows it best."""
        row = self.store.event(thing)
        if row is None:
            raise NotHereError(f"there is no event '{thing}'")
        machine = self._machine(row.path)
        clips = self.store.clips(row.path, event=thing)
        best = self._most_telling(row.path, clips)
        view = self._clip_view(best, machine, channel, row.channel, ranges) if best else {}
        return {"machine": machine, "event": row, "clips": clips, **view}

    def clip(self, thing: str, channel: str, ranges: Ranges) -> Context:
        """Gather a clip of whatever reason."""
        row = self.store.clip(thing)
        if row is None:
            raise NotHereError(f"there is no clip '{thing}'")
        machine = self._machine(row.path)
        event = self.store.event(row.event) if row.event else None
        view = self._clip_view(row, machine, channel, event.channel if event else "", ranges)
        return {"machine": machine, "event": event, "clips": [], **view}

    def _machine(self, path: str) -> Machine:
        machine = self.store.machines().get(path)
        if machine is None:
            raise NotHereError(f"there is no machine '{path}' in the asset register")
        return machine

    def _newest(self, path: str) -> list[ClipRow]:
        return self.store.clips(path)[::-1]

    def _most_telling(self, path: str, clips: list[ClipRow]) -> ClipRow | None:
        """Return the clip with the most probable first diagnosis, else the newest."""
        told = {d.clip: d.probability for d in self.store.diagnoses([path]) if d.rank == 0}
        return max(clips, key=lambda c: (told.get(c.thing, 0.0), c.t0_ns), default=None)

    def _clip_view(
        self, row: ClipRow, machine: Machine, channel: str, usual: str, ranges: Ranges
    ) -> Context:
        clip = self.lake.clip(row.thing)
        points = {p.channel: p for p in machine.points if p.channel in clip.channels}
        verdicts = [d for d in self.store.diagnoses([row.path]) if d.clip == row.thing]
        told = [d.channel for d in verdicts]
        wanted = channel or next((c for c in (*told, usual, *points) if c in points), "")
        point = points.get(wanted)
        if point is None:
            raise NotHereError(f"clip '{row.thing}' has no channel '{wanted}' of the register")
        return {
            "clip": row,
            "channel": wanted,
            "channels": list(points),
            "verdicts": verdicts,
            "facts": next(
                (a for a in self.store.assessments([row.path]) if a.clip == row.thing), None
            ),
            "plots": [_drawn(p, ranges) for p in self._plots(clip, row, point, verdicts)],
        }

    def _plots(
        self, clip: Clip, row: ClipRow, point: Point, verdicts: list[DiagnosisRow]
    ) -> list[Plot]:
        index = clip.channels.index(point.channel)
        return clip_plots(clip, index, point, verdicts, self._commissioning(row))

    def _commissioning(self, row: ClipRow) -> Clip | None:
        held = self.store.commissioning_clip(row.path)
        if held is None or held == row.thing:
            return None
        try:
            return self.lake.clip(held)
        except BadInputError:
            return None


def _drawn(plot: Plot, ranges: Ranges) -> Markup:
    shown = replace(plot, x_range=ranges.get(plot.name, plot.x_range))
    return Markup(svg(shown))  # noqa: S704 (every text in it went through html.escape)
