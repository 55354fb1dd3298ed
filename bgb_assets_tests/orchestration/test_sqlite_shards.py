"""Kept connections: reused, bounded, dropped when their file was replaced, never shared across a fork."""

import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from bgb_assets.orchestration import sqlite_shards
from bgb_assets.orchestration.sqlite_shards import MAX_OPEN_SHARDS, SqliteShards, begin_write


@pytest.fixture
def prepared():
    return []


@pytest.fixture
def shards(tmp_path, prepared):
    def prepare(shard):
        prepared.append(shard)
        with sqlite3.connect(tmp_path / f"{shard}.db") as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS rows (value INTEGER)")
        connection.close()

    shards = SqliteShards(lambda shard: tmp_path / f"{shard}.db", prepare)
    yield shards
    shards.close()


def add(shards, shard, value):
    with shards.connect(shard) as connection, connection.begin():
        begin_write(connection)
        connection.exec_driver_sql("INSERT INTO rows VALUES (?)", (value,))


def values(shards, shard):
    with shards.connect(shard) as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT value FROM rows ORDER BY value")]


def test_a_connection_is_kept_and_writes_ahead(shards, prepared):
    with shards.connect("a") as first:
        driver = first.connection.dbapi_connection
        assert first.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert first.exec_driver_sql("PRAGMA busy_timeout").scalar() == sqlite_shards.BUSY_TIMEOUT_S * 1_000
    with shards.connect("a") as second:
        assert second.connection.dbapi_connection is driver
    assert prepared == ["a"]


def test_many_shards_keep_few_files_open(shards, prepared):
    for i in range(3 * MAX_OPEN_SHARDS):
        add(shards, f"run-{i}", i)
    assert len(shards._state.shards) == MAX_OPEN_SHARDS
    assert values(shards, "run-0") == [0]
    assert prepared.count("run-0") == 2


def test_a_replaced_file_is_opened_anew(shards, tmp_path, prepared):
    add(shards, "a", 1)
    for path in tmp_path.glob("a.db*"):
        path.unlink()
    assert values(shards, "a") == []
    add(shards, "a", 2)
    assert values(shards, "a") == [2]
    assert prepared == ["a", "a"]


def test_close_leaves_one_whole_file_and_may_be_followed_by_use(shards, tmp_path):
    add(shards, "a", 1)
    assert (tmp_path / "a.db-wal").exists()
    shards.close()
    assert sorted(path.name for path in tmp_path.glob("a.db*")) == ["a.db"]
    add(shards, "a", 2)
    assert values(shards, "a") == [1, 2]


def test_a_writer_waits_for_another_one(shards, tmp_path):
    add(shards, "a", 1)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=add, args=(shards, "a", 2))
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive()
    other.execute("COMMIT")
    waiting.join(10)
    assert values(shards, "a") == [1, 2]
    other.close()


FORK = """
import os, sqlite3, sys
from pathlib import Path
from bgb_assets.orchestration.sqlite_shards import SqliteShards, begin_write

def prepare(shard):
    connection = sqlite3.connect(sys.argv[1])
    connection.execute("CREATE TABLE IF NOT EXISTS rows (value INTEGER)")
    connection.close()

def driver_and_add(value):
    with shards.connect("a") as connection, connection.begin():
        begin_write(connection)
        connection.exec_driver_sql("INSERT INTO rows VALUES (?)", (value,))
        return connection.connection.dbapi_connection

shards = SqliteShards(lambda shard: Path(sys.argv[1]), prepare)
kept = driver_and_add(1)
child = os.fork()
if child == 0:
    own = driver_and_add(2)
    shards.close()
    os._exit(0 if own is not kept else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert driver_and_add(3) is kept
shards.close()
connection = sqlite3.connect(sys.argv[1])
assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
assert [row[0] for row in connection.execute("SELECT value FROM rows ORDER BY value")] == [1, 2, 3]
"""


def test_a_forked_child_opens_its_own_connection(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(tmp_path / "a.db")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
