import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.engine.recognise import RecogniseTask, after_crash, largest_file, recognise, recognise_all
from bgb_assets.runtime.errors import ContractError, ResourceError, Unstable
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.monitoring import counting
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.uploads import DELIVERED, UploadRecord
from bgb_assets_tests import toy


def task(root: Path, name: str = "one", modality=toy.MODALITY, a: str = "1 2", b: str | None = "x") -> RecogniseTask:
    toy.write_upload(root / "inbox" / name, a, b)
    files = {f"{name}/{letter}.txt": (0, 0, 0, 0) for letter in ("a", "b") if letter == "a" or b is not None}
    return RecogniseTask(root, modality, UploadRecord("toy", name, "inbox", name, files))


def test_facets_cost_and_signatures(tmp_path: Path) -> None:
    with counting() as counts:
        record = recognise(task(tmp_path, a="1 2"))
    assert counts["uploads_fingerprinted"] == 1
    assert set(record.facets) == {"a", "b"}
    assert record.cost_bytes == 16 * 3
    assert record.files["one/a.txt"][0] == 3
    assert largest_file(record) == 3
    assert pickle.loads(pickle.dumps(task(tmp_path))) == task(tmp_path)


def test_unrecognised_upload_is_known_by_its_bytes(tmp_path: Path) -> None:
    wrong = task(tmp_path)
    (tmp_path / "inbox" / "one" / "a.txt").unlink()
    wrong = replace(wrong, upload=replace(wrong.upload, files={"one/b.txt": (0, 0, 0, 0)}))
    record = recognise(wrong)
    assert set(record.facets) == {DELIVERED}
    assert record.problem is not None
    assert (record.problem.kind, record.problem.code_version) == ("input", "1")
    assert record.problem.remedy == "add the file"


def test_bug_in_a_fingerprint_is_one_uploads_problem(tmp_path: Path) -> None:
    record = recognise(task(tmp_path, a="1 !raise:fingerprint"))
    assert record.problem is not None
    assert (record.problem.kind, record.problem.reason) == ("crash", "ValueError: a bug in fingerprint")


def test_crash_is_kept_as_a_problem(tmp_path: Path) -> None:
    record = after_crash(task(tmp_path), "killed by SIGKILL", "free memory")
    assert record.problem is not None
    assert (record.problem.kind, record.problem.reason) == ("crash", "killed by SIGKILL")
    assert set(record.facets) == {DELIVERED}


def test_machines_fault_and_broken_declaration_are_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        recognise(task(tmp_path, a="1 !full:fingerprint"))
    with pytest.raises(ContractError, match="not declared in upload_facets"):
        recognise(task(tmp_path, modality=replace(toy.MODALITY, upload_facets=("a",), stages=_reading_a())))


def _reading_a():
    return toy.with_stage(toy.MODALITY, "raw", reads=()).stages


def test_upload_that_keeps_changing_is_unstable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def restless(record: UploadRecord, data_root: Path) -> bool:
        calls.append(1)
        return False

    monkeypatch.setattr("bgb_assets.storage.uploads.is_untouched", restless)
    with pytest.raises(Unstable):
        recognise(task(tmp_path))
    assert len(calls) == 3, "it is tried again"


def test_many_at_once_with_one_gone(tmp_path: Path) -> None:
    good, gone = task(tmp_path).upload, task(tmp_path, "two").upload
    (tmp_path / "inbox" / "two" / "a.txt").unlink()
    settings = load_settings({"BGB_DATA_ROOT": str(tmp_path)})
    done = {d.key: d for d in recognise_all(InProcessExecutor(), settings, toy.MODALITY, [good, gone])}
    assert done["one"].failure is None
    assert done["two"].failure is not None
    assert "is gone; run `bgb ingest toy`" in done["two"].failure.message
    full = task(tmp_path, "three", a="!full:fingerprint").upload
    with pytest.raises(ResourceError, match="toy 'three'"):
        list(recognise_all(InProcessExecutor(), settings, toy.MODALITY, [full]))
