"""Delta tables that are appended to exactly once, by several processes at a time.

Each append carries ``app_transactions``: the offsets of the places that its rows came from,
committed with the rows and checked on the same table handle before writing. A batch that is written
again after a crash is a no-op; one of which another process wrote a part adds the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from cloud_jobs.columns import SCHEMAS
from vibro.errors import VibroError

TABLES = tuple(SCHEMAS)
SETTINGS = {"delta.logRetentionDuration": "interval 2 days"}
"""Commits are many and nobody asks for a table as it was last week."""
_ATTEMPTS = 20  # commits of others that may come in between before an append gives up


class DeltaTables:
    """The tables of a lake under one folder.

    Parameters
    ----------
    home : Path
        The home folder; tables lie in its folder ``lake``.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "lake"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._tables: dict[str, DeltaTable] = {}

    def positions(self, table: str, app_ids: Iterable[str]) -> dict[str, int]:
        """Versions (offsets) up to which a table holds applications' (places') rows; -1 = none.

        What other processes wrote meanwhile counts.
        """
        with self._clear_errors(table):
            held = self._table(table)
            held.update_incremental()
            found = {a: held.transaction_version(a) for a in app_ids}
        return {a: -1 if v is None else int(v) for a, v in found.items()}

    def append(
        self,
        table: str,
        rows_above: Callable[[Mapping[str, int]], pa.Table],
        versions: Mapping[str, int],
    ) -> bool:
        """Append rows in one Delta commit, exactly once.

        Parameters
        ----------
        table : str
            ``status``, ``features_fast``, ``features_long``, ``spectra`` or ``clips``.
        rows_above : callable
            Gives the rows to write, from the versions that the table holds (-1 = none). It is
            asked again when another process wrote rows of the same applications meanwhile.
        versions : mapping of str to int
            Whose rows they are (places), each with the version (offset) that they reach.

        Returns
        -------
        bool
            False when all of these had reached their versions: nothing was written.

        Raises
        ------
        VibroError
            If others write all the time, or the disk says no.
        """
        for _ in range(_ATTEMPTS):
            held = self.positions(table, versions)
            behind = {a: v for a, v in versions.items() if held[a] < v}
            if not behind:
                return False
            rows = rows_above(held)
            with self._clear_errors(table):
                try:
                    self._write(table, rows, behind)
                except CommitFailedError:
                    continue
                return True
        raise VibroError(f"lake {self.folder / table}: other processes write all the time")

    def forget(self, app_id: str) -> None:
        """Take an application's rows from version 1 on again: its place was made anew."""
        for name in TABLES:
            if self.positions(name, [app_id])[app_id] > 0:
                with self._clear_errors(name):
                    self._write(name, SCHEMAS[name].empty_table(), {app_id: 0})

    def _write(self, table: str, rows: pa.Table, versions: Mapping[str, int]) -> None:
        write_deltalake(
            self._table(table),
            rows,
            mode="append",
            # Another build has other features: what one does not know is null.
            schema_mode=None if set(rows.schema.names) == set(self._columns(table)) else "merge",
            commit_properties=CommitProperties(
                app_transactions=[Transaction(a, v) for a, v in versions.items()]
            ),
        )

    def compact(self) -> None:
        """Merge small files; readers are not disturbed, the old files stay until vacuumed."""
        for name in TABLES:
            # A failed commit means that another process is at it.
            with self._clear_errors(name), suppress(CommitFailedError):
                table = self._table(name)
                table.update_incremental()
                if len(table.file_uris()) > 1:
                    table.optimize.compact()

    def table(self, name: str, expression: pc.Expression | None = None, **options: Any) -> pa.Table:
        """Rows of a table; `expression` and `columns` are pushed down to the files."""
        with self._clear_errors(name):
            table = self._table(name)
            table.update_incremental()
            return table.to_pyarrow_dataset().to_table(filter=expression, **options)

    def _table(self, name: str) -> DeltaTable:
        if name not in self._tables:
            uri = str(self.folder / name)
            if not DeltaTable.is_deltatable(uri):
                DeltaTable.create(uri, SCHEMAS[name], mode="ignore", configuration=SETTINGS)
            self._tables[name] = DeltaTable(uri)
        return self._tables[name]

    def _columns(self, name: str) -> list[str]:
        return [f.name for f in self._table(name).schema().fields]

    @contextmanager
    def _clear_errors(self, name: str) -> Iterator[None]:
        """Say in one line which table the disk, or what lies on it, has failed."""
        try:
            yield
        except (DeltaError, OSError, pa.ArrowInvalid) as error:
            said = str(error).splitlines()[0]
            raise VibroError(f"lake {self.folder / name}: {said}") from None
