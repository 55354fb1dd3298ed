"""The catalog: an SQLite index over all entries, so that a hit opens no file.

A projection of the records: it can be deleted at any time and rebuilds equal, but for last use and hit
counts. Any number of driving processes share it; workers never open it.
Belongs here: the index. Does not belong here: what a hit is (`bgb_assets.chain`), bytes (`store`).
"""

import itertools
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bgb_assets.runtime.errors import NewerStore, ResourceError, StoreError
from bgb_assets.storage.backend import EntrySignature
from bgb_assets.storage.records import Record, record_from_bytes
from bgb_assets.storage.store import StageStore

CATALOG_FORMAT = 2
BUSY_TIMEOUT_S = 60.0
BATCH = 500
SYNCHRONOUS = "NORMAL"
"""A transaction that a power cut undoes costs a look at the records, not data."""

_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_MACHINE_CODES = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    identity TEXT PRIMARY KEY, modality TEXT NOT NULL, stage TEXT NOT NULL, bytes INTEGER NOT NULL,
    evicted INTEGER NOT NULL, record BLOB NOT NULL,
    record_bytes INTEGER NOT NULL, record_mtime_ns INTEGER NOT NULL, directory_mtime_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uses (identity TEXT PRIMARY KEY, last_used_s REAL NOT NULL, hits INTEGER NOT NULL)
WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_stage ON entries (modality, stage);
"""


@dataclass(frozen=True)
class Indexed:
    """One entry as the catalog knows it."""

    record: Record
    signature: EntrySignature
    last_used_s: float = 0.0
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """What an entry takes: its row without the record.

    Attributes:
        bytes: Size of its outputs on disk; 0 for evicted ones.
    """

    modality: str
    stage: str
    identity: str
    bytes: int
    evicted: bool
    last_used_s: float


class Catalog:
    """The index over a store's entries.

    Args:
        path: The SQLite file, on a local disk.

    Raises:
        NewerStore: A later version wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._prepare()

    def get_many(self, identities: Iterable[str]) -> dict[str, Indexed]:
        """Return the entries that are known, by identity."""
        wanted = list(dict.fromkeys(identities))
        found: dict[str, Indexed] = {}
        with self._connected() as connection:
            for start in range(0, len(wanted), BATCH):
                batch = wanted[start : start + BATCH]
                marks = ",".join("?" * len(batch))
                for row in connection.execute(f"{_SELECT} WHERE identity IN ({marks})", batch):
                    indexed = _indexed(row)
                    found[indexed.record.identity] = indexed
        return found

    def put_many(self, entries: Sequence[tuple[Record, EntrySignature]]) -> None:
        """Add or replace entries in one short transaction; uses and hits are kept."""
        if not entries:
            return
        now = time.time()
        rows = [
            (rec.identity, rec.modality, rec.stage, rec.size_bytes, rec.evicted, rec.to_bytes(), *signature)
            for rec, signature in entries
        ]
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO entries (identity, modality, stage, bytes, evicted, record, record_bytes, record_mtime_ns,"
                " directory_mtime_ns) VALUES (?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (identity) DO UPDATE SET bytes=excluded.bytes, evicted=excluded.evicted,"
                " record=excluded.record, record_bytes=excluded.record_bytes, record_mtime_ns=excluded.record_mtime_ns,"
                " directory_mtime_ns=excluded.directory_mtime_ns",
                rows,
            )
            used = [(record.identity, now) for record, _ in entries]
            connection.executemany("INSERT OR IGNORE INTO uses VALUES (?,?,0)", used)

    def touch_many(self, identities: Iterable[str]) -> None:
        """Note a use of these entries, in one transaction."""
        now = time.time()
        rows = [(now, identity) for identity in identities]
        if rows:
            with self._transaction() as connection:
                connection.executemany("UPDATE uses SET last_used_s=?, hits=hits+1 WHERE identity=?", rows)

    def remove_many(self, identities: Iterable[str]) -> None:
        """Forget entries."""
        rows = [(identity,) for identity in identities]
        with self._transaction() as connection:
            connection.executemany("DELETE FROM entries WHERE identity=?", rows)
            connection.executemany("DELETE FROM uses WHERE identity=?", rows)

    def entries(self, modality: str | None = None, stage: str | None = None) -> Iterator[Indexed]:
        """Yield entries in the order of their identities."""
        clauses = [("modality", modality), ("stage", stage)]
        used = [(name, value) for name, value in clauses if value is not None]
        where = " AND ".join(f"{name}=?" for name, _ in used) or "1"
        with self._connected() as connection:
            yield from map(
                _indexed,
                connection.execute(f"{_SELECT} WHERE {where} ORDER BY identity", [value for _, value in used]),
            )

    def sizes(self, modalities: Iterable[str]) -> list[Held]:
        """Return what the entries of these modalities take, least recently used first; no record is parsed."""
        names = list(modalities)
        marks = ",".join("?" * len(names))
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT modality, stage, identity, CASE evicted WHEN 0 THEN bytes ELSE 0 END, evicted, last_used_s"
                f" FROM entries JOIN uses USING (identity) WHERE modality IN ({marks}) ORDER BY last_used_s, identity",
                names,
            )
            return [
                Held(modality, stage, identity, taken, bool(evicted), used_s)
                for modality, stage, identity, taken, evicted, used_s in rows
            ]

    def totals(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """Return (modality, stage) -> (entries, bytes on disk)."""
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT modality, stage, count(*), sum(CASE evicted WHEN 0 THEN bytes ELSE 0 END)"
                " FROM entries GROUP BY modality, stage"
            )
            return {(modality, stage): (count, total or 0) for modality, stage, count, total in rows}

    def rebuild(self, store: StageStore, modalities: Iterable[str], stages: Iterable[str]) -> int:
        """Read every record of these modalities anew and index just those; return how many."""
        names, stages = tuple(modalities), tuple(stages)
        kept: set[str] = set()
        for modality, stage in itertools.product(names, stages):
            found = _read_all(store, modality, stage)
            while batch := list(itertools.islice(found, BATCH)):
                self.put_many(batch)
                kept |= {record.identity for record, _ in batch}
        self.remove_many([held.identity for held in self.sizes(names) if held.identity not in kept])
        return len(kept)

    def _prepare(self) -> None:
        """Make the tables and switch to a write-ahead log, which stays with the file."""
        with self._connected() as connection:
            _switch_to_wal(connection)
            connection.execute("BEGIN IMMEDIATE")
            held = connection.execute("PRAGMA user_version").fetchone()[0]
            if held > CATALOG_FORMAT:
                raise NewerStore(
                    f"{self._path}: catalog format {held} is newer than {CATALOG_FORMAT}; update bgb_assets"
                )
            if 0 < held < CATALOG_FORMAT:  # an older one: its rows come back with the records
                connection.execute("DROP TABLE entries")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {CATALOG_FORMAT}")
            connection.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
                yield connection
        except sqlite3.DatabaseError as error:
            if _primary_code(error) in _MACHINE_CODES:
                raise ResourceError(f"{self._path}: {error}; mend the disk and run again") from error
            raise StoreError(
                f"{self._path}: {error}; where this stays, delete the file: it is made anew from the records"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                # SQLite has already gone back by itself where the disk is full.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


# Uses are a table of their own: noting one must not write a record again.
_SELECT = (
    "SELECT record, record_bytes, record_mtime_ns, directory_mtime_ns, last_used_s, hits, identity"
    " FROM entries JOIN uses USING (identity)"
)


def _primary_code(error: sqlite3.Error) -> int | None:
    """Return the kind of an error of SQLite; none for those of Python's module."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # Only here does SQLite not wait by itself when several processes open a new file at once.
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if _primary_code(error) not in _BUSY_CODES or time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)
        else:
            return


def _indexed(row: tuple[bytes, int, int, int, float, int, str]) -> Indexed:
    data, record_bytes, record_mtime_ns, directory_mtime_ns, last_used_s, hits, identity = row
    record = record_from_bytes(data, f"catalog row {identity}")
    return Indexed(record, (record_bytes, record_mtime_ns, directory_mtime_ns), last_used_s, hits)


def _read_all(store: StageStore, modality: str, stage: str) -> Iterator[tuple[Record, EntrySignature]]:
    for location in store.backend.locations(f"{stage}/{modality}"):
        record = store.lookup(stage, modality, location.rsplit("/", 1)[1])
        signature = store.backend.signature(location)
        if record is not None and signature is not None and store.is_whole(record):
            yield record, signature
