import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bgb_assets.modalities.contract import STAGE_NAMES
from bgb_assets.runtime.errors import NewerStore, StoreError
from bgb_assets.storage.catalog import BATCH, Catalog, Held, Indexed
from bgb_assets.storage.records import RECORD_NAME, Output, Record
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything
from bgb_assets_tests.toy import synth


def record(identity: str, stage: str = "raw", size_bytes: int = 5, modality: str = "toy") -> Record:
    return Record(modality, stage, identity, {"stage": stage}, {}, {"a": Output(size_bytes, "d")})


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "new" / "catalog.sqlite")


def test_what_is_put_is_found(catalog: Catalog) -> None:
    many = [record(f"id{i:04d}") for i in range(BATCH + 3)]
    catalog.put_many([(item, (1, 2, i)) for i, item in enumerate(many)])
    catalog.put_many([])
    found = catalog.get_many([*(item.identity for item in many), "unknown", many[0].identity])
    assert len(found) == BATCH + 3
    assert found["id0002"].record == many[2]
    assert found["id0002"].signature == (1, 2, 2)
    catalog.remove_many(["id0002", "unknown"])
    assert catalog.get_many(["id0002"]) == {}


def test_put_again_replaces_the_record_and_keeps_uses(catalog: Catalog) -> None:
    catalog.put_many([(record("a"), (1, 1, 1))])
    catalog.touch_many(["a", "a", "unknown"])
    used = catalog.get_many(["a"])["a"].last_used_s
    catalog.put_many([(record("a", size_bytes=9), (2, 2, 2))])
    assert catalog.get_many(["a"])["a"] == Indexed(record("a", size_bytes=9), (2, 2, 2), used, hits=2)


def test_entries_and_totals_by_modality_and_stage(catalog: Catalog) -> None:
    tombstone = Record("toy", "cache", "e", {}, {}, {"a": Output(7, "d")}, evicted=True)
    rows = [record("b"), record("a"), record("c", "cache"), tombstone, record("x", modality="other")]
    catalog.put_many([(item, (1, 1, 1)) for item in rows])
    assert [held.record.identity for held in catalog.entries("toy", "raw")] == ["a", "b"]
    assert [held.record.identity for held in catalog.entries("toy")] == ["a", "b", "c", "e"]
    assert len(list(catalog.entries())) == 5
    assert catalog.totals() == {("toy", "raw"): (2, 10), ("toy", "cache"): (2, 5), ("other", "raw"): (1, 5)}
    sizes = catalog.sizes(["toy"])
    assert [(held.identity, held.bytes, held.evicted) for held in sizes] == [
        ("a", 5, False),
        ("b", 5, False),
        ("c", 5, False),
        ("e", 0, True),
    ]


def test_sizes_come_least_recently_used_first(catalog: Catalog) -> None:
    catalog.put_many([(record("a"), (1, 1, 1)), (record("b"), (1, 1, 1))])
    catalog.touch_many(["a"])
    assert [held.identity for held in catalog.sizes(["toy"])] == ["b", "a"]


def test_rebuilt_catalog_is_equal(data_root: Path, make_chain: MakeChain) -> None:
    synth(data_root / "inbox" / "toy", 3, seed=1)
    everything(make_chain())
    chain = make_chain()
    before = _without_uses(chain.catalog)
    for path in data_root.glob(".catalog.sqlite*"):
        path.unlink()
    fresh = Catalog(chain.store.layout.catalog)
    assert _without_uses(fresh) == {}
    assert fresh.rebuild(chain.store, ["toy"], STAGE_NAMES) == len(before)
    assert _without_uses(fresh) == before


def test_rebuild_forgets_what_is_gone_or_damaged_and_no_other_modality(data_root: Path, make_chain: MakeChain) -> None:
    synth(data_root / "inbox" / "toy", 2, seed=1)
    everything(make_chain())
    chain = make_chain()
    chain.catalog.put_many([(record("stale"), (1, 1, 1)), (record("other", modality="other"), (1, 1, 1))])
    count = len(list(chain.catalog.entries("toy")))
    next((data_root / "raw").rglob(RECORD_NAME)).write_text("{")
    next((data_root / "cache").rglob("numbers.bin")).unlink()
    assert chain.catalog.rebuild(chain.store, ["toy"], STAGE_NAMES) == count - 3
    assert chain.catalog.get_many(["stale"]) == {}
    assert list(chain.catalog.get_many(["other"])) == ["other"]


def test_newer_catalog_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(NewerStore, match="catalog format 7 is newer than 2"):
        Catalog(path)


def test_older_catalog_is_made_anew(data_root: Path, make_chain: MakeChain) -> None:
    synth(data_root / "inbox" / "toy", 1, seed=1)
    everything(make_chain())
    for path in data_root.glob(".catalog.sqlite*"):
        path.unlink()
    with sqlite3.connect(data_root / ".catalog.sqlite") as connection:
        connection.execute("CREATE TABLE entries (identity TEXT, last_used_s REAL)")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    assert everything(make_chain()) == {}
    assert everything(make_chain()) == {}


def test_damaged_catalog_says_that_it_can_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="delete the file: it is made anew"):
        Catalog(path)


OPEN_AND_PUT = (
    "import sys; from pathlib import Path; from bgb_assets.storage.catalog import Catalog\n"
    "from bgb_assets_tests.storage.test_catalog import record\n"
    "print('ready', flush=True); sys.stdin.readline(); catalog = Catalog(Path(sys.argv[1]))\n"
    "for i in range(20): catalog.put_many([(record(f'{sys.argv[2]}{i}'), (1, 1, 1))])"
)


def test_processes_open_a_new_catalog_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    drivers = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_PUT, str(path), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(3)
    ]
    for driver in drivers:
        assert driver.stdout is not None
        driver.stdout.readline()
    for driver in drivers:
        driver.communicate("go\n", timeout=60)
    assert [driver.returncode for driver in drivers] == [0, 0, 0]
    assert len(list(Catalog(path).entries())) == 60


def _without_uses(catalog: Catalog) -> dict[str, tuple[bytes, object]]:
    return {held.record.identity: (held.record.to_bytes(), held.signature) for held in catalog.entries()}


def test_held_is_small() -> None:
    assert not hasattr(Held("toy", "raw", "a", 1, False, 0.0), "__dict__"), "there may be a million of them"
