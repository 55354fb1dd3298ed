"""What is rebuilt and what is not, over the whole toy chain."""

import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Reads
from bgb_assets.runtime.errors import (
    UsageError,
)
from bgb_assets.runtime.executor import Bounds
from bgb_assets.runtime.executor_local import LocalProcessExecutor
from bgb_assets.storage.records import RECORD_NAME
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import SETTLE_AT_ONCE, MakeChain
from bgb_assets_tests.driving import (
    data_versions,
    everything,
    fan_in,
    ingest,
    opened_below,
    outcomes,
    outputs,
    walk,
)

DATA_FOLDERS = ("inbox/", *(f"{stage}/" for stage in PER_UPLOAD_STAGES))
# One upload of two windows: three calls of features, one part and the whole of manifest and tokens.
ONE_FROM_RAW = {"raw": 1, "cache": 1, "features": 3, "notes": 1, "manifest": 2, "tokens": 2, "model": 1}


def test_first_run_builds_all_and_second_none(inbox: Path, make_chain: MakeChain) -> None:
    first = everything(make_chain())
    assert {stage: first[stage] for stage in PER_UPLOAD_STAGES} == {"raw": 3, "cache": 3, "features": 9, "notes": 3}
    assert everything(make_chain()) == {}
    found = outcomes(walk(make_chain()))
    assert set(found) == {"first", "second", "third"}
    assert all(set(stages.values()) == {"hit"} for stages in found.values())
    assert {item.outcome for item in fan_in(make_chain()).values()} == {"hit"}


def test_data_version_is_reported_equal_for_built_and_hit(inbox: Path, make_chain: MakeChain) -> None:
    ingest(make_chain())
    first, second = walk(make_chain()), walk(make_chain())
    for key, outcome in first.items():
        for stage, item in outcome.stages.items():
            assert item.called, (key, stage)
            assert not second[key].stages[stage].called
            assert item.data_version == second[key].stages[stage].data_version


def test_hit_opens_no_data_file(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    with opened_below(data_root) as opened:
        walk(chain)
        list(make_chain().survey())
        ingest(make_chain())
    assert any(name.startswith("uploads/") for name in opened), "the hook hears this process"
    assert [name for name in opened if name.startswith(DATA_FOLDERS) and not name.endswith(".bgb-inbox")] == []


def test_moved_data_root_rebuilds_nothing(built: Path, data_root: Path, tmp_path: Path, make_chain: MakeChain) -> None:
    before = outputs(data_root)
    moved = tmp_path / "elsewhere"
    shutil.copytree(data_root, moved, copy_function=shutil.copyfile)  # new times, new inodes
    shutil.rmtree(data_root)
    assert everything(make_chain(root=moved)) == {}
    assert outputs(moved) == before
    chain = make_chain(root=moved)
    with opened_below(moved) as opened:
        walk(chain)
    assert [name for name in opened if name.startswith(DATA_FOLDERS)] == [], "moved entries are indexed anew, once"


def test_touched_files_rebuild_nothing(built: Path, make_chain: MakeChain) -> None:
    for path in built.rglob("*.txt"):
        os.utime(path, (1, 1))
    assert everything(make_chain()) == {}


def test_touched_files_rebuild_nothing_without_ingest(built: Path, make_chain: MakeChain) -> None:
    for path in built.rglob("*.txt"):
        os.utime(path, (1, 1))
    assert {o for stages in outcomes(walk(make_chain())).values() for o in stages.values()} == {"hit"}


def test_rezipped_upload_rebuilds_nothing(built: Path, make_chain: MakeChain) -> None:
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(built / "new.zip", "w", compression) as archive:
            for name in ("b.txt", "a.txt"):
                archive.write(built.parent.parent / "packed" / name if name == "" else _packed(built) / name, name)
        shutil.rmtree(built / "first", ignore_errors=True)
        (built / "new.zip").replace(built / "first.zip")
        assert everything(make_chain()) == {}


def _packed(inbox: Path) -> Path:
    kept = inbox.parent.parent / "packed"
    if not kept.exists():
        shutil.copytree(inbox / "first", kept)
    return kept


def test_renamed_upload_shares_entries_and_rebuilds_fan_ins_that_name_it(built: Path, make_chain: MakeChain) -> None:
    (built / "first").rename(built / "renamed")
    assert everything(make_chain()) == {"manifest": 1, "tokens": 1}, "their parts read no key, nor does the model"


def test_changed_byte_rebuilds_one_upload_and_only_stages_that_read_it(built: Path, make_chain: MakeChain) -> None:
    (built / "first" / "b.txt").write_text("One three")
    assert everything(make_chain()) == {"raw": 1, "notes": 1, "manifest": 2}, "words reach no signal and no token"
    (built / "first" / "a.txt").write_text("1 2 3 5")
    assert everything(make_chain()) == ONE_FROM_RAW


def test_change_that_raw_removes_goes_no_further(built: Path, make_chain: MakeChain) -> None:
    (built / "first" / "a.txt").write_text("1   2\n3 4")
    assert everything(make_chain()) == {"raw": 1}


def test_changed_byte_without_ingest_is_seen_by_the_run(built: Path, make_chain: MakeChain) -> None:
    (built / "second" / "a.txt").write_text("5 6 8")
    found = outcomes(walk(make_chain()))
    assert set(found["second"].values()) == {"built"}
    assert set(found["first"].values()) == set(found["third"].values()) == {"hit"}


def test_added_upload_rebuilds_itself_and_few_shards(built: Path, make_chain: MakeChain) -> None:
    toy.write_upload(built / "fourth", "1 1 1", "new")
    assert everything(make_chain()) == ONE_FROM_RAW


def test_two_uploads_of_one_content_share_entries(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    shutil.copytree(built / "first", built / "again")
    calls = everything(make_chain())
    assert not set(calls) & set(PER_UPLOAD_STAGES)
    rows = json.loads(
        next(path for path in (data_root / "manifest").rglob("rows.json") if "again" in path.read_text()).read_text()
    )
    assert {row["upload"] for row in rows} == {"again", "first", "second", "third"}
    for record in (data_root / "notes").rglob(RECORD_NAME):
        assert "again" not in record.read_text()


@pytest.mark.parametrize(
    ("table", "called"),
    [
        ("[toy.raw]\nlower = false", {"raw", "notes", "manifest"}),
        ("[toy.cache]\nscale = 2", {"cache", "features", "notes"}),
        ("[toy.features]\nwindows = [2]", {"features", "notes", "manifest"}),
        ("[toy.notes]\noffset = 1", {"notes", "manifest", "tokens", "model"}),
        ("[toy.notes]\nlabel = 'x'", {"notes", "manifest"}),
        ("[toy.tokens]\nbase = 3", {"tokens", "model"}),
        ("[toy.model.sum]\nsteps = 2", {"model"}),
        ("[toy.model.square]\nsteps = 2", set()),
        ("[toy.notes]\noffset = 0", set()),
        ("[run]\nworkers = 1", set()),
    ],
)
def test_param_rebuilds_stages_that_read_it(
    built: Path, data_root: Path, make_chain: MakeChain, table: str, called: set[str]
) -> None:
    (data_root / "config.toml").write_text(f"{SETTLE_AT_ONCE}\n{table}\n")
    calls = everything(make_chain())
    assert set(calls) == called
    if "windows" in table:
        assert calls["features"] == 3, "the part of the window that stayed is not made again"
    (data_root / "config.toml").write_text(SETTLE_AT_ONCE)
    assert everything(make_chain()) == {}, "the entries of before are still there"


def test_code_version_rebuilds_stage_and_what_changes_below(built: Path, make_chain: MakeChain) -> None:
    raised = toy.with_stage(toy.MODALITY, "cache", code_version="2")
    assert everything(make_chain(raised)) == {"cache": 3}, "the same outputs stop the change there"


def test_override_rebuilds_one_upload(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    (data_root / "overrides").mkdir()
    (data_root / "overrides" / "toy.yaml").write_text("first:\n  cache:\n    scale: 3\n")
    assert everything(make_chain()) == {"cache": 1, "features": 3, "notes": 1}
    found = walk(make_chain())
    assert found["first"].stages["cache"].record is not None
    assert found["first"].stages["cache"].record.parts_of_identity["params"] == {"scale": 3}
    assert found["second"].stages["cache"].record.parts_of_identity["params"] == {"scale": 1}  # type: ignore[union-attr]


def test_pins_and_labels_reach_the_manifest(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    (data_root / "pins" / "toy").mkdir(parents=True)
    (data_root / "pins" / "toy" / "splits.json").write_text('{"first": 2}')
    assert everything(make_chain()) == {"manifest": 1, "tokens": 1}


def test_files_deleted_by_hand_are_noticed_and_made_again(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    before = outputs(data_root)
    doomed = sorted((data_root / "notes").rglob("notes.json"))[0]
    doomed.unlink()
    assert everything(make_chain()) == {"notes": 1}
    shutil.rmtree(sorted((data_root / "cache" / "toy").glob("*/*"))[0])
    assert everything(make_chain()) == {"cache": 1}
    part = sorted((data_root / "features").rglob("sums.bin"))[0]
    part.unlink()
    assert everything(make_chain())["features"] >= 1
    shutil.rmtree(data_root / "features")
    assert everything(make_chain()) == {"features": 9}
    assert outputs(data_root) == before


def test_file_deleted_in_a_folder_of_an_entry_is_noticed(inbox: Path, make_chain: MakeChain, data_root: Path) -> None:
    nested = toy.with_stage(toy.MODALITY, "cache", run="bgb_assets_tests.test_chain:nested_cache", code_version="n")
    everything(make_chain(nested))
    next((data_root / "cache").rglob("deep/numbers.bin")).unlink()
    assert everything(make_chain(nested))["cache"] == 1


def nested_cache(inputs, params, out):
    result = toy.cache(inputs, params, out)
    (out / "deep").mkdir()
    shutil.copy(out / "numbers.bin", out / "deep" / "numbers.bin")
    return result


def test_lost_catalog_rebuilds_nothing(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    for path in data_root.glob(".catalog.sqlite*"):
        path.unlink()
    assert everything(make_chain()) == {}
    with opened_below(data_root) as opened:
        walk(make_chain())
    assert [name for name in opened if name.startswith(DATA_FOLDERS)] == []


def test_lost_upload_records_rebuild_nothing(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    shutil.rmtree(data_root / "uploads")
    assert everything(make_chain()) == {}


def test_force_rebuilds_selected_stages_only(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    before = outputs(data_root)
    found = outcomes(walk(make_chain(), ["cache"], force=True))
    assert found == {key: {"cache": "built"} for key in ("first", "second", "third")}
    assert everything(make_chain()) == {}
    assert outputs(data_root) == before


def test_selected_stage_brings_earlier_ones_up_to_date(inbox: Path, make_chain: MakeChain) -> None:
    ingest(make_chain())
    assert outcomes(walk(make_chain(), ["cache"])) == {key: {"cache": "built"} for key in ("first", "second", "third")}
    assert {o["raw"] for o in outcomes(walk(make_chain(), ["raw"])).values()} == {"hit"}


def test_unknown_stage_and_no_stage_are_refused(make_chain: MakeChain) -> None:
    for stages in ([], ["manifest"], ["notse"]):
        with pytest.raises(UsageError, match="per-upload stages"):
            list(make_chain().run([], stages))


def test_upload_that_cannot_be_read_now_is_reported_unstable(built: Path, make_chain: MakeChain) -> None:
    shutil.rmtree(built / "first")
    found = walk(make_chain())
    assert found["first"].unstable is not None
    assert found["first"].stages == {}
    assert set(outcomes(found)["second"].values()) == {"hit"}


def test_vanished_uploads_and_unknown_keys_are_passed_over(built: Path, make_chain: MakeChain) -> None:
    shutil.rmtree(built / "first")
    ingest(make_chain())
    chain = make_chain()
    assert [outcome.key for outcome in chain.run(["first", "nobody", "second"], ["raw"])] == ["second"]


def test_outcomes_come_for_many_batches_in_any_mixture(
    data_root: Path, make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgb_assets.chain.PLAN_BATCH", 2)
    toy.synth(data_root / "inbox" / "toy", 7, seed=1)
    ingest(make_chain())
    chain = make_chain()
    keys = chain.uploads.keys()
    list(chain.run(keys[1:4], PER_UPLOAD_STAGES))
    found = outcomes(walk(make_chain()))
    assert sorted(found) == keys
    assert [found[key]["notes"] for key in keys] == ["built", "hit", "hit", "hit", "built", "built", "built"]


def test_local_processes_give_the_same_bytes(
    inbox: Path, data_root: Path, tmp_path: Path, make_chain: MakeChain
) -> None:
    everything(make_chain())
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(data_root / "config.toml", other)
    shutil.copytree(data_root / "inbox", other / "inbox")
    with LocalProcessExecutor(Bounds(max_workers=2)) as executor:
        chain = make_chain(root=other)
        chain.executor = executor
        assert everything(chain)["raw"] == 3
    assert outputs(other) == outputs(data_root)
    assert data_versions(other) == data_versions(data_root)


def test_facts_are_an_input_like_any_other(built: Path, make_chain: MakeChain) -> None:
    reads = (Reads("upload", ("facts",), ("facts.json",)), *toy.MODALITY.stage("notes").reads)
    modality = toy.with_stage(
        toy.MODALITY, "notes", reads=reads, run="bgb_assets_tests.test_chain:notes_with_facts", code_version="2"
    )
    assert everything(make_chain(modality)) == {"notes": 3}, "the same rows come out"
    chain = make_chain(modality)
    chain.uploads.put(replace(chain.uploads.require("first"), facts={"label": "new"}))
    assert everything(make_chain(modality)) == {"notes": 1, "manifest": 2}


def notes_with_facts(inputs, params, out):
    facts = json.loads((inputs["upload"] / "facts.json").read_text())
    assert sorted(path.name for path in inputs["upload"].iterdir()) == ["facts.json"]
    return toy.notes(inputs, replace(params, label=facts.get("label")), out)
