import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.runtime.errors import ContractError, NewerStore, ResourceError, StoreError
from bgb_assets.storage.atomic import sweep
from bgb_assets.storage.identity import IdentityParts
from bgb_assets.storage.records import RECORD_NAME, Record
from bgb_assets.storage.store import StageStore, in_use, link_files, list_outputs, unused

PARTS = IdentityParts("raw/toy", "1", {"x": 1}, {"a": "0" * 64})
BARE = Record("toy", "raw", PARTS.digest(), PARTS.as_json(), {"words": "1" * 64}, {})


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(tmp_path / "data")


def build(store: StageStore, text: str = "abc", record: Record = BARE, **how) -> Record:
    with store.building() as out:
        (out / "deep").mkdir()
        (out / "a.txt").write_text(text)
        (out / "deep" / "b.txt").write_text(text * 2)
        return store.commit(out, record, **how)


def test_commit_lists_outputs_with_digests_and_lookup_finds_them(store: StageStore) -> None:
    assert store.lookup("raw", "toy", BARE.identity) is None
    record = build(store)
    assert set(record.outputs) == {"a.txt", "deep/b.txt"}
    assert record.outputs["deep/b.txt"].bytes == 6
    assert store.lookup("raw", "toy", BARE.identity) == record
    assert store.is_whole(record)
    assert store.verify(record) == []
    assert list((store.root / ".tmp").iterdir()) == []


def test_uncommitted_and_failed_work_leaves_nothing(store: StageStore) -> None:
    with pytest.raises(ValueError, match="in the stage"), store.building() as out:
        (out / "a.txt").write_text("half")
        raise ValueError("in the stage")
    assert list((store.root / ".tmp").iterdir()) == []
    assert not (store.root / "raw").exists()


def test_second_of_two_is_dropped_and_the_first_holds(store: StageStore) -> None:
    first = build(store, "one")
    assert build(store, "two") == first
    assert (store.directory(first) / "a.txt").read_text() == "one"
    third = build(store, "three", overwrite=True)
    assert third.data_version != first.data_version
    assert store.lookup("raw", "toy", BARE.identity) == third


@pytest.mark.parametrize(
    "damage", ["no record", "empty record", "half a record", "of another", "file gone", "file cut"]
)
def test_what_is_damaged_does_not_exist_and_is_replaced(store: StageStore, damage: str) -> None:
    record = build(store)
    directory = store.directory(record)
    data = (directory / RECORD_NAME).read_bytes()
    if damage == "no record":
        (directory / RECORD_NAME).unlink()
    elif damage == "empty record":
        (directory / RECORD_NAME).write_bytes(b"")
    elif damage == "half a record":
        (directory / RECORD_NAME).write_bytes(data[: len(data) // 2])
    elif damage == "of another":
        (directory / RECORD_NAME).write_bytes(data.replace(BARE.identity.encode(), b"f" * 64, 1))
    elif damage == "file gone":
        (directory / "deep" / "b.txt").unlink()
    else:
        (directory / "a.txt").write_text("a")
    held = store.lookup("raw", "toy", BARE.identity)
    assert held is None or not store.is_whole(held)
    again = build(store)
    assert again == record
    assert store.verify(again) == []


def test_newer_record_is_refused_not_replaced(store: StageStore) -> None:
    path = store.directory(build(store)) / RECORD_NAME
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "format": 9}))
    with pytest.raises(NewerStore, match="format 9"):
        store.lookup("raw", "toy", BARE.identity)
    with pytest.raises(NewerStore, match="format 9"):
        build(store)
    assert b'"format": 9' in path.read_bytes()


def test_bytes_made_again_must_be_the_same(store: StageStore) -> None:
    record = build(store)
    assert build(store, overwrite=True, expected=record.data_version) == record
    with pytest.raises(ContractError, match=r"made again, the outputs differ .*raise the stage's code_version"):
        build(store, "other", overwrite=True, expected=record.data_version)
    assert store.lookup("raw", "toy", BARE.identity) == record


def test_disk_that_refuses_is_the_machines_fault(store: StageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match=r"cannot be committed: .*No space left"):
        build(store)
    assert store.lookup("raw", "toy", BARE.identity) is None
    assert list((store.root / ".tmp").iterdir()) == []


def test_stage_must_not_write_links_or_the_record(store: StageStore) -> None:
    with store.building() as out:
        (out / "link").symlink_to(out)
        with pytest.raises(ContractError, match="link: a stage must not write links"):
            list_outputs(out)
    with store.building() as out:
        (out / RECORD_NAME).write_text("{}")
        with pytest.raises(ContractError, match=r"must not write 'record\.json'"):
            list_outputs(out)


def test_verify_finds_flipped_missing_and_added_bytes(store: StageStore) -> None:
    record = build(store)
    directory = store.directory(record)
    (directory / "a.txt").write_text("abd")
    (directory / "deep" / "b.txt").unlink()
    (directory / "c.txt").write_text("")
    assert store.verify(record) == [
        "c.txt: not in the record",
        "a.txt: bytes differ from the record",
        "deep/b.txt: missing",
    ]
    wrong = replace(record, parts_of_identity={**record.parts_of_identity, "code_version": "2"})
    assert store.verify(wrong) == ["the identity is not the digest of its parts"]
    assert store.verify(replace(record, evicted=True)) == []


def test_entry_is_whole_with_its_parts_only(store: StageStore) -> None:
    part_parts = IdentityParts("raw/toy/part", "1", {}, {})
    part = build(store, record=Record("toy", "raw", part_parts.digest(), part_parts.as_json(), {}, {}))
    record = build(store, record=replace(BARE, parts={"p": part.identity}))
    assert store.is_whole(record)
    (store.directory(part) / "a.txt").unlink()
    assert not store.is_whole(record)
    store.backend.remove(store.location(part))
    assert not store.is_whole(record)


def test_kill_between_record_and_rename_leaves_no_entry(store: StageStore) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from bgb_assets.storage.backend import LocalBackend\n"
        "from bgb_assets.storage.store import StageStore\n"
        "from bgb_assets_tests.storage.test_store import build\n"
        "LocalBackend.publish = lambda *a, **k: os.kill(os.getpid(), 9)\n"
        "build(StageStore(Path(sys.argv[1])))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(store.root)], check=False).returncode == -9
    assert store.lookup("raw", "toy", BARE.identity) is None
    left = [path.name for path in (store.root / ".tmp").rglob("*") if path.is_file()]
    assert sorted(left) == ["a.txt", "b.txt", RECORD_NAME], "it got as far as the record"
    assert sweep(store.layout.temporary) == 1
    assert store.verify(build(store)) == []


RACE = (
    "import sys; from pathlib import Path; from bgb_assets.storage.store import StageStore\n"
    "from bgb_assets_tests.storage.test_store import build\n"
    "store = StageStore(Path(sys.argv[1]))\nprint('ready', flush=True); sys.stdin.readline()\n"
    "for _ in range(8): build(store, sys.argv[2], overwrite=sys.argv[3] == 'over')\n"
)


@pytest.mark.parametrize("how", ["over", "once"])
def test_two_processes_that_build_one_entry_race_harmlessly(store: StageStore, how: str) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(store.root), "abc", how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.close()
    assert [racer.wait() for racer in racers] == [0, 0]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.close()
    record = store.lookup("raw", "toy", BARE.identity)
    assert record is not None
    assert store.verify(record) == []
    assert list((store.root / ".tmp").iterdir()) == []


def test_resumed_work_survives_and_out_does_not(store: StageStore) -> None:
    with pytest.raises(KeyboardInterrupt), store.resuming("abcd") as (out, work):
        (out / "half").write_text("x")
        (work / "checkpoint").write_text("3")
        raise KeyboardInterrupt
    with store.resuming("abcd") as (out, work):
        assert list(out.iterdir()) == []
        assert (work / "checkpoint").read_text() == "3"
        store.finish_resumed("abcd")
    with store.resuming("abcd") as (_, work):
        assert list(work.iterdir()) == []


def test_links_show_what_is_handed_over_and_nothing_else(store: StageStore, tmp_path: Path) -> None:
    directory = store.directory(build(store))
    view = link_files([("deep/b.txt", directory / "deep" / "b.txt")], tmp_path / "view")
    assert sorted(path.relative_to(view).as_posix() for path in view.rglob("*")) == ["deep", "deep/b.txt"]
    assert (view / "deep" / "b.txt").read_text() == "abcabc"


def test_entries_are_removed_only_while_nobody_runs(store: StageStore) -> None:
    with in_use(store), in_use(store), pytest.raises(StoreError, match="a run is in progress"), unused(store):
        pass
    with unused(store):
        pass
