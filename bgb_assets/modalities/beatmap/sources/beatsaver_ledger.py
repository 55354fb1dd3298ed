"""Remembers what BeatSaver was asked and what was offered, so that a kill neither skips a map nor repeats a crawl.

A cursor says up to where pages were read; whatever was offered from them is listed in the same transaction. What is
listed but not held was lost on the way (a kill, a server that failed) and is offered again.
Belongs here: one SQLite file in the source's work folder. Does not belong here: what is read next (`beatsaver_crawl`).
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from bgb_assets.modalities.beatmap.sources.beatsaver_api import instant_text
from bgb_assets.runtime.errors import ResourceError

LEDGER_FILE = "ledger.sqlite"

_TABLES = """
CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, instant TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS offered (scope TEXT, number TEXT, version TEXT NOT NULL, PRIMARY KEY (scope, number));
CREATE TABLE IF NOT EXISTS gone (number TEXT PRIMARY KEY);
"""


class Ledger:
    """The ledger in a folder; a context manager, used by one thread at a time. Raises `ResourceError` throughout."""

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._path = work / LEDGER_FILE
        with self._failures_named():
            self._database = sqlite3.connect(self._path, check_same_thread=False)
            self._database.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def cursor(self, name: str) -> datetime | None:
        """Return where a crawl stands, or None where it never began."""
        rows = self._rows("SELECT instant FROM cursors WHERE name = ?", name)
        return datetime.fromisoformat(rows[0][0]) if rows else None

    def note(self, scope: str, offered: Mapping[str, str], cursors: Mapping[str, datetime]) -> None:
        """List what is about to be offered (number -> version) and move cursors, at once or not at all."""
        with self._transaction() as transaction:
            transaction.executemany(
                "INSERT OR REPLACE INTO offered VALUES (?, ?, ?)",
                [(scope, number, version) for number, version in offered.items()],
            )
            transaction.executemany("DELETE FROM gone WHERE number = ?", [(number,) for number in offered])
            _move(transaction, cursors)

    def note_gone(self, numbers: Iterable[str], cursors: Mapping[str, datetime]) -> None:
        """List maps as deleted: they are no longer waited for."""
        rows = [(number,) for number in numbers]
        with self._transaction() as transaction:
            transaction.executemany("INSERT OR IGNORE INTO gone VALUES (?)", rows)
            transaction.executemany("DELETE FROM offered WHERE number = ?", rows)
            _move(transaction, cursors)

    def forget(self, *names: str) -> None:
        """Drop cursors: their crawls begin again."""
        with self._transaction() as transaction:
            transaction.executemany("DELETE FROM cursors WHERE name = ?", [(name,) for name in names])

    def offered(self, scope: str) -> dict[str, str]:
        """Return number -> version of what was offered, by number."""
        rows = self._rows("SELECT number, version FROM offered WHERE scope = ? ORDER BY number", scope)
        return {row[0]: row[1] for row in rows}

    def gone(self) -> set[str]:
        """Return the numbers of maps that were deleted."""
        return {row[0] for row in self._rows("SELECT number FROM gone")}

    def _rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        with self._failures_named():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._failures_named(), self._database as transaction:
            yield transaction

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ResourceError(f"{self._path}: {error}; see to the disk, or remove the file to begin again") from error


def _move(transaction: sqlite3.Connection, cursors: Mapping[str, datetime]) -> None:
    rows = [(name, instant_text(instant)) for name, instant in cursors.items()]
    transaction.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?)", rows)
