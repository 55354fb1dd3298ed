"""Kept SQLite connections to many database files ("shards"), for any number of threads and processes.

Belongs here: opening, keeping and dropping connections. Does not belong here: what is written over them;
that is `event_log.py`, next in the flow.

A connection is kept because opening, committing and closing one per event is most of what an event costs.
Keeping one has four duties, all met here: it is never used on both sides of a fork, it is dropped when its
file was replaced (a wiped home), few files stay open however many runs there are, and it lets go on `close`.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

BUSY_TIMEOUT_S = 60
"""How long a writer waits for another one before it gives up. A batch holds the lock for milliseconds."""

MAX_OPEN_SHARDS = 16
"""Files that stay open: the index, the runs in progress and those a person looks at."""

KEPT_PER_SHARD = 4
"""Idle connections kept per file; threads beyond that open one of their own."""


@dataclass(frozen=True)
class _Shard:
    engine: Engine
    inode: tuple[int, int]


@dataclass
class _ProcessState:
    """What one process has open. A forked child starts a new one and leaves its parent's alone."""

    pid: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    write_lock: threading.RLock = field(default_factory=threading.RLock)
    shards: OrderedDict[str, _Shard] = field(default_factory=OrderedDict)


_inherited: list[_ProcessState] = []
"""Connections of a parent process, referenced so that a child never closes them: SQLite forbids both."""


class SqliteShards:
    """Connections to the database files of a directory, kept open between uses.

    Args:
        path_of: Where a shard's file lies.
        prepare: Creates the file and its tables, or brings them up to date. Called before the first use in
            a process, and again after the file was replaced.
    """

    def __init__(self, path_of: Callable[[str], Path], prepare: Callable[[str], None]) -> None:
        self._path_of = path_of
        self._prepare = prepare
        self._state = _ProcessState()

    @contextmanager
    def connect(self, shard: str) -> Iterator[Connection]:
        """Lend a connection that no other thread uses; it goes back to be kept."""
        with self._engine(shard).connect() as connection:
            yield connection

    def open(self, shards: Iterable[str]) -> None:
        """Prepare shards now, before a lock is held on another one: a new file takes tens of milliseconds."""
        for shard in shards:
            self._engine(shard)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let one thread of this process write at a time: waiting here is fair, waiting for SQLite is not."""
        with self._own_state().write_lock:
            yield

    def close(self) -> None:
        """Close every kept connection. A later `connect` opens a new one."""
        state = self._own_state()
        with state.lock:
            while state.shards:
                state.shards.popitem()[1].engine.dispose()

    def _engine(self, shard: str) -> Engine:
        state = self._own_state()
        path = self._path_of(shard)
        with state.lock:
            kept = state.shards.get(shard)
            if kept is None or kept.inode != _inode(path):
                kept = self._open(state, shard, path)
            state.shards.move_to_end(shard)
        return kept.engine

    def _open(self, state: _ProcessState, shard: str, path: Path) -> _Shard:
        stale = state.shards.pop(shard, None)
        if stale is not None:
            stale.engine.dispose()
        self._prepare(shard)
        inode = _inode(path)
        if inode is None:
            raise FileNotFoundError(f"{path}: removed while it was opened")
        opened = state.shards[shard] = _Shard(open_engine(path), inode)
        while len(state.shards) > MAX_OPEN_SHARDS:
            state.shards.popitem(last=False)[1].engine.dispose()
        return opened

    def _own_state(self) -> _ProcessState:
        state = self._state
        if state.pid != os.getpid():
            _inherited.append(state)
            state = self._state = _ProcessState()
        return state


def open_engine(path: Path) -> Engine:
    """Return an engine whose connections are kept, wait for other writers and write ahead (WAL)."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=KEPT_PER_SHARD,
        max_overflow=-1,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )
    event.listen(engine, "connect", _write_ahead)
    return engine


def begin_write(connection: Connection) -> None:
    """Take the file's write lock now, waiting for whoever holds it.

    A transaction that begins with a read cannot wait for the lock later: SQLite refuses it at once.
    """
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _write_ahead(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino
