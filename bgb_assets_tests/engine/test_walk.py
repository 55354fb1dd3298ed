import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.engine.recognise import RecogniseTask, recognise
from bgb_assets.engine.walk import Walker, WalkTask, archive_limits, call, walk
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Modality, Reads, StageResult
from bgb_assets.runtime.errors import ContractError
from bgb_assets.runtime.monitoring import counting
from bgb_assets.storage.store import StageStore
from bgb_assets.storage.uploads import UploadRecord
from bgb_assets_tests import toy


def task(root: Path, modality: Modality = toy.MODALITY, a: str = "1 2 3", **how) -> WalkTask:
    toy.write_upload(root / "inbox" / "one", a)
    files = {"one/a.txt": (0, 0, 0, 0), "one/b.txt": (0, 0, 0, 0)}
    upload = recognise(RecogniseTask(root, modality, UploadRecord("toy", "one", "inbox", "one", files)))
    return WalkTask(root, modality, modality.per_upload, upload, frozenset(PER_UPLOAD_STAGES), **how)


def test_stages_are_built_once_and_counted(tmp_path: Path) -> None:
    with counting() as counts:
        first = walk(task(tmp_path))
    assert {name: item.outcome for name, item in first.stages.items()} == dict.fromkeys(PER_UPLOAD_STAGES, "built")
    assert counts["stage_calls.features"] == 3
    assert counts["uploads_opened"] == 2, "by raw, and by cache for the one file that it asks for"
    assert len(first.stages["features"].parts) == 2
    with counting() as counts:
        second = walk(task(tmp_path))
    assert dict(counts) == {"uploads_fingerprinted": 1}
    assert {item.outcome for item in second.stages.values()} == {"hit"}
    assert len(second.stages["features"].parts) == 2
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_task_and_outcome_travel_between_processes(tmp_path: Path) -> None:
    work = pickle.loads(pickle.dumps(task(tmp_path)))
    outcome = walk(work)
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_known_stages_are_taken_and_forced_ones_built(tmp_path: Path) -> None:
    records = {name: item.record for name, item in walk(task(tmp_path)).stages.items() if item.record}
    known = {name: records[name] for name in ("raw", "cache")}
    outcome = walk(task(tmp_path, known=known, force=frozenset({"notes"})))
    assert [item.called for item in outcome.stages.values()] == [False, False, False, True]


def test_rejection_is_the_outcome_of_later_stages_too(tmp_path: Path) -> None:
    outcome = walk(task(tmp_path, a="1 2 !bad:features"))
    assert {name: item.outcome for name, item in outcome.stages.items()} == {
        "raw": "built",
        "cache": "built",
        "features": "quarantined",
        "notes": "quarantined",
    }
    assert [item.called for item in outcome.stages.values()] == [True, True, True, False]
    assert outcome.rejection is not None
    assert outcome.rejection.reason.startswith("toy/features 'one': the upload says '!bad:features'")
    assert outcome.stages["notes"].metadata["rejected_by"] == "features"
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_stage_sees_the_file_that_raw_named(tmp_path: Path) -> None:
    toy.write_upload(tmp_path / "inbox" / "one")
    (tmp_path / "inbox" / "one" / "odd [1]*.txt").write_text("4 5")
    files = {f"one/{name}": (0, 0, 0, 0) for name in ("a.txt", "b.txt", "odd [1]*.txt")}
    modality = toy.with_stage(toy.MODALITY, "raw", run="bgb_assets_tests.engine.test_walk:naming_odd")
    modality = toy.with_stage(modality, "cache", run="bgb_assets_tests.engine.test_walk:listing")
    upload = recognise(RecogniseTask(tmp_path, modality, UploadRecord("toy", "one", "inbox", "one", files)))
    outcome = walk(WalkTask(tmp_path, modality, modality.per_upload[:2], upload, frozenset({"cache"})))
    assert outcome.stages["cache"].metadata == {"upload": ["odd [1]*.txt"], "raw": []}


def naming_odd(inputs, params, out):
    return StageResult({"numbers": "0" * 64, "words": "0" * 64}, references={"text": "odd [1]*.txt"})


def listing(inputs, params, out):
    return StageResult(metadata={name: sorted(p.name for p in path.iterdir()) for name, path in inputs.items()})


def test_source_without_files_is_an_empty_folder(tmp_path: Path) -> None:
    reads = (Reads("raw", ("numbers", "words")), Reads("features", ("sums",), ("w3/*",)))
    modality = toy.with_stage(toy.MODALITY, "notes", reads=reads, run="bgb_assets_tests.engine.test_walk:listing")
    outcome = walk(task(tmp_path, modality))
    assert outcome.stages["notes"].metadata == {"raw": [], "features": ["w3"]}


def test_walker_remakes_evicted_bytes_from_the_upload(tmp_path: Path) -> None:
    walk(task(tmp_path))
    store = StageStore(tmp_path)
    (location,) = store.backend.locations("cache/toy")
    record = store.lookup("cache", "toy", location.rsplit("/", 1)[1])
    assert record is not None
    store.backend.evict(location, replace(record, evicted=True).to_bytes())
    walker = Walker(task(tmp_path))
    walker.run()
    view = walker.entry_view("cache", ("numbers.bin",), tmp_path / "view")
    assert (view / "numbers.bin").read_bytes() == b"\1\0\0\0\2\0\0\0\3\0\0\0"
    held = store.lookup("cache", "toy", record.identity)
    assert held is not None
    assert (held.evicted, held.data_version) == (False, record.data_version)


def test_call_checks_what_a_function_returns() -> None:
    stage = toy.MODALITY.stage("raw")
    with pytest.raises(ContractError, match="must return StageResult, got dict"):
        call(stage, "bgb_assets_tests.engine.test_walk:returning_a_dict", ())
    assert archive_limits(toy.MODALITY) == {"max_entries": 2000, "max_bytes": 1 << 30, "max_ratio": 200.0}


def returning_a_dict():
    return {}
