"""Dagster's event log in SQLite, with one transaction per batch of events instead of several per event.

Same files, same tables, same rows as `SqliteEventLogStorage`: a home can be switched to this class and back.
Belongs here: how events reach the tables. Does not belong here: which events are written (`reporting.py`)
and how connections are kept (`sqlite_shards.py`).

`dagster.yaml` names this class, so every process that uses the instance imports this module: command line,
webserver, daemon and run worker. Planned events are written by whichever of them creates a run, and Dagster
batches only where `DAGSTER_EVENT_BATCH_SIZE` is set; so the import sets it, unless the user has.

What a crash leaves: a batch goes to the run's own file and to the index file (what the asset pages and the
automation read). SQLite cannot commit two files as one. Everything is written into both before either is
committed, the run's file first: a process that dies in between leaves a run log that knows more than the
index, as it would with the stock class, and the next report of the partition mends it.
"""

import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import dagster as dg
import sqlalchemy as db
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetKeyTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._serdes import ConfigurableClassData
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool

from bgb_assets.orchestration.sqlite_shards import BUSY_TIMEOUT_S, SqliteShards, begin_write
from bgb_assets.runtime.errors import ConfigError

BATCH_SIZE = 400
"""Events per transaction where the user has not set `DAGSTER_EVENT_BATCH_SIZE`."""

os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))

MIRRORED_EVENTS = ASSET_EVENTS | ASSET_CHECK_EVENTS | set(EVENT_TYPE_TO_PIPELINE_RUN_STATUS)
"""Event types that are also written to the index, as the stock class does."""

_Row = dict[str, Any]


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """`SqliteEventLogStorage` that writes each batch of events in one transaction per file.

    Args:
        base_dir: Directory of the database files.
        inst_data: How `dagster.yaml` named this class.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._shards = SqliteShards(lambda shard: Path(self.path_for_shard(shard)), self._prepare_shard)
        self._held = threading.local()
        self._known_tables: set[str] = set()
        self._known_asset_columns: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Return the keys that `dagster.yaml` may give."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Build the storage that `dagster.yaml` names."""
        return cls(config_value.get("base_dir") or default_base_dir(), inst_data)

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store one event."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events of any type and of any number of runs; all of them or, on an error, none.

        Raises:
            sqlalchemy.exc.OperationalError: The disk is full, or another process holds the lock for
                longer than `BUSY_TIMEOUT_S`.
        """
        rows = [self._event_to_row(event) for event in events]
        mirrored = [(event, row) for event, row in zip(events, rows, strict=True) if _is_mirrored(event)]
        rows_by_run = _rows_by_run(rows)
        self._shards.open(rows_by_run)
        with self._shards.writing(), ExitStack() as transactions:
            # Left in reverse order: the index is locked first and committed last.
            index = transactions.enter_context(self._write_transaction(INDEX_SHARD_NAME)) if mirrored else None
            for run_id, run_rows in rows_by_run.items():
                run = transactions.enter_context(self._write_transaction(run_id))
                run.execute(SqlEventLogStorageTable.insert(), run_rows)
            if index is not None:
                self._mirror(index, mirrored)
        for run_id in rows_by_run:
            self._wake_watchers(run_id)

    def has_table(self, table_name: str) -> bool:
        """Say whether the index has a table; a table that was seen once is not looked for again."""
        if table_name not in self._known_tables:
            with self.index_connection() as connection:
                if not db.inspect(connection).has_table(table_name):
                    return False
            self._known_tables.add(table_name)
        return True

    def wipe(self) -> None:
        """Remove all runs' files and empty the index."""
        self._shards.close()
        super().wipe()

    def dispose(self) -> None:
        """Close the connections and stop watching."""
        super().dispose()
        self._shards.close()

    def _mirror(self, index: Connection, mirrored: Sequence[tuple[dg.EventLogEntry, _Row]]) -> None:
        next_id = _next_id(index)
        numbered = [(next_id + i, event, row) for i, (event, row) in enumerate(mirrored)]
        index.execute(SqlEventLogStorageTable.insert(), [{**row, "id": event_id} for event_id, _, row in numbered])
        assets = [(event_id, event) for event_id, event, _ in numbered if event.dagster_event_type in ASSET_EVENTS]
        self._store_asset_event_tags(index, [event for _, event in assets], [event_id for event_id, _ in assets])
        self._store_asset_rows(index, assets)
        for event_id, event, _ in numbered:
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)

    def _store_asset_rows(self, index: Connection, assets: Sequence[tuple[int, dg.EventLogEntry]]) -> None:
        """Bring each asset's row to where the stock class's update per event would bring it, in one statement."""
        by_asset: dict[str, list[tuple[int, dg.EventLogEntry]]] = defaultdict(list)
        for event_id, event in assets:
            by_asset[_asset_key(event)].append((event_id, event))
        has_columns = self._has_asset_key_index_cols_on_connection(index)
        for asset_key, numbered in by_asset.items():
            values: _Row = {}
            for event_id, event in _from_last_materialization(numbered):
                values.update(self._get_asset_entry_values(event, event_id, has_columns))
            if values:
                upsert = sqlite_insert(AssetKeyTable).values(asset_key=asset_key, **values)
                index.execute(upsert.on_conflict_do_update(index_elements=["asset_key"], set_=values))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        if column_name not in self._known_asset_columns:
            if not super()._has_asset_key_col_on_connection(conn, column_name):
                return False
            self._known_asset_columns.add(column_name)
        return True

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """Lend a connection in a transaction: inside a batch, the one that the batch writes over."""
        held: dict[str, Connection] = self._held.__dict__
        if shard in held:
            yield held[shard]
            return
        with self._shards.connect(shard) as connection, connection.begin():
            yield connection

    @contextmanager
    def _write_transaction(self, shard: str) -> Iterator[Connection]:
        held: dict[str, Connection] = self._held.__dict__
        with self._shards.connect(shard) as connection, connection.begin():
            begin_write(connection)
            held[shard] = connection
            try:
                yield connection
            finally:
                del held[shard]

    def _wake_watchers(self, run_id: str) -> None:
        """Make the run's file look modified, which is what a live log in the web UI waits for.

        The stock class modifies it whenever it closes a connection. A kept one writes to the `-wal` file, and
        a watcher of that file could read before the commit can be seen.
        """
        with contextlib.suppress(FileNotFoundError):  # wiped meanwhile
            os.utime(self.path_for_shard(run_id))

    def _prepare_shard(self, shard: str) -> None:
        engine = db.create_engine(
            self.conn_string_for_shard(shard), poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_S}
        )
        self._initdb(engine)
        engine.dispose()


def default_base_dir() -> str:
    """Return the directory that the stock storage uses, so that a switched home keeps its history.

    Raises:
        ConfigError: `DAGSTER_HOME` is not set.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        raise ConfigError(
            "event_log_storage in dagster.yaml: no base_dir, and DAGSTER_HOME is not set; "
            "set DAGSTER_HOME to the directory of dagster.yaml, or give base_dir"
        )
    return str(Path(home, "history", "runs"))


def _is_mirrored(event: dg.EventLogEntry) -> bool:
    return event.is_dagster_event and event.dagster_event_type in MIRRORED_EVENTS


def _rows_by_run(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    """Group rows by run, in one order for all processes, so that two batches never wait for each other."""
    by_run: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_run[row["run_id"]].append(row)
    return dict(sorted(by_run.items()))


def _next_id(index: Connection) -> int:
    """Return the id SQLite would give next; it stays true while the write lock is held."""
    return (index.scalar(db.select(db.func.max(SqlEventLogStorageTable.c.id))) or 0) + 1


def _asset_key(event: dg.EventLogEntry) -> str:
    key = event.get_dagster_event().asset_key
    if key is None:
        raise dg.DagsterInvariantViolationError(f"{event.dagster_event_type} event of run {event.run_id} has no asset")
    return key.to_string()


def _from_last_materialization(numbered: list[tuple[int, dg.EventLogEntry]]) -> list[tuple[int, dg.EventLogEntry]]:
    """Drop what a later materialization overwrites anyway: it sets every column that any event sets."""
    for i in range(len(numbered) - 1, -1, -1):
        if numbered[i][1].get_dagster_event().is_step_materialization:
            return numbered[i:]
    return numbered
