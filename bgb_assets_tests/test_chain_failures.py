"""What stops one upload, a run or a start: quarantine, crashes, a full disk, broken declarations, wrong settings."""

import json
import os
import shutil
from pathlib import Path

import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Reads, StageResult
from bgb_assets.runtime.errors import (
    BgbError,
    ConfigError,
    ContractError,
    ResourceError,
    TooManyQuarantined,
)
from bgb_assets.runtime.executor import Bounds
from bgb_assets.runtime.executor_local import LocalProcessExecutor
from bgb_assets.storage.atomic import process_token
from bgb_assets.storage.records import RECORD_NAME
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import SETTLE_AT_ONCE, MakeChain
from bgb_assets_tests.driving import (
    everything,
    fan_in,
    ingest,
    outcomes,
    outputs,
    walk,
)


def test_absent_is_no_error_and_goes_on(data_root: Path, make_chain: MakeChain) -> None:
    toy.write_upload(data_root / "inbox" / "toy" / "mute", "", "words only")
    ingest(make_chain())
    found = walk(make_chain())["mute"]
    assert {stage: item.outcome for stage, item in found.stages.items()} == {
        "raw": "built",
        "cache": "absent",
        "features": "absent",
        "notes": "built",
    }
    assert found.rejection is None
    assert fan_in(make_chain())["manifest"].outcome == "built"
    assert not any(item.called for item in walk(make_chain())["mute"].stages.values())


def test_bad_upload_is_quarantined_alone_and_not_retried(inbox: Path, make_chain: MakeChain) -> None:
    toy.write_upload(inbox / "bad", "1 2 oops")
    calls = everything(make_chain())
    assert (calls["raw"], calls["cache"]) == (4, 3)
    row = next(make_chain().quarantine.rows())
    assert (row.key, row.stage, row.kind) == ("bad", "raw", "input")
    assert row.reason == "toy/raw 'bad': a.txt holds 'oops', expected a whole number"
    assert everything(make_chain()) == {}, "nothing changed, nothing is tried again"
    found = walk(make_chain())["bad"]
    assert {item.outcome for item in found.stages.values()} == {"quarantined"}
    assert {item.data_version for item in found.stages.values()} == {f"quarantined:{row.identity}"}
    (inbox / "bad" / "a.txt").write_text("1 2 3")
    assert everything(make_chain())["raw"] == 1
    assert "bad" in {record["upload"] for record in _rows(make_chain())}


def test_unrecognised_uploads_have_rows_of_their_own(inbox: Path, make_chain: MakeChain) -> None:
    for name, text in (("empty", "x"), ("other", "y")):
        (inbox / name).mkdir()
        (inbox / name / "c.txt").write_text(text)
    report = ingest(make_chain())
    assert set(report.unrecognised) == {"empty", "other"}
    walk(make_chain())
    rows = list(make_chain().quarantine.rows())
    assert {row.key for row in rows} == {"empty", "other"}
    assert {row.reason.split(": ")[1] for row in rows} == {"no a.txt, expected a.txt with whole numbers"}
    assert all(not item.called for item in walk(make_chain())["empty"].stages.values())
    (inbox / "empty" / "a.txt").write_text("1")
    ingest(make_chain())
    found = outcomes(walk(make_chain()))
    assert found["empty"]["notes"] == "built"
    assert found["other"]["notes"] == "quarantined"


def test_good_upload_turned_bad_leaves_the_fan_in(built: Path, make_chain: MakeChain) -> None:
    assert {row["upload"] for row in _rows(make_chain())} == {"first", "second", "third"}
    (built / "second" / "b.txt").write_text("three !bad:notes")
    everything(make_chain())
    assert {row["upload"] for row in _rows(make_chain())} == {"first", "third"}
    (built / "first" / "a.txt").write_text("what")
    walk(make_chain(), ["raw"])
    fan_in(make_chain())
    assert {row["upload"] for row in _rows(make_chain())} == {"third"}, "though only raw was asked for"


def _rows(chain) -> list[dict]:
    head = fan_in(chain, ["manifest"])["manifest"]
    directory = chain.store.layout.entry("manifest", "toy", head.identity)
    rows: list[dict] = json.loads((directory / "rows.json").read_text())
    return rows


def test_bug_is_tried_on_the_next_two_runs(inbox: Path, toy_dir: Path, make_chain: MakeChain) -> None:
    toy.write_upload(inbox / "bug", "1 2", "!raise:notes")
    ingest(make_chain())
    called = [walk(make_chain())["bug"].stages["notes"].called for _ in range(5)]
    assert called == [True, True, True, False, False]
    row = next(make_chain().quarantine.rows())
    assert (row.kind, row.attempts, row.stage) == ("crash", 3, "notes")
    assert "ValueError: a bug in notes" in row.reason


def test_rejections_are_those_of_uploads_as_they_lie_there_now(
    inbox: Path, toy_dir: Path, make_chain: MakeChain
) -> None:
    toy.write_upload(inbox / "bug", "1 2", "!raise:notes")
    for key in ("bad", "bad_too"):
        toy.write_upload(inbox / key, "oops")
    ingest(make_chain())
    walk(make_chain())
    found = list(make_chain().rejections())
    assert [(row.key, row.stage) for row in found] == [("bad", "raw"), ("bad_too", "raw"), ("bug", "notes")]
    assert found[2].retried, "it is in quarantine although it will be tried again"
    assert found[0].identity == found[1].identity
    assert found[1].reason.startswith("toy/raw 'bad_too': a.txt holds 'oops'")
    toy.write_upload(inbox / "bad", "1")
    shutil.rmtree(inbox / "bad_too")
    ingest(make_chain())
    walk(make_chain())
    assert [row.key for row in make_chain().rejections()] == ["bug"]
    toy.write_upload(inbox / "bad", "oops")
    ingest(make_chain())
    assert not walk(make_chain())["bad"].stages["raw"].called, "these bytes were refused before"
    assert [row.key for row in make_chain().rejections()] == ["bad", "bug"]


def test_crash_that_passes_is_forgotten(inbox: Path, toy_dir: Path, make_chain: MakeChain) -> None:
    toy.write_upload(inbox / "bug", "1 2", "!raise:notes")
    ingest(make_chain())
    assert walk(make_chain())["bug"].rejection is not None
    (toy_dir / "calm").touch()
    assert walk(make_chain())["bug"].rejection is None
    assert list(make_chain().quarantine.rows()) == []


@pytest.mark.parametrize("stage", ["fingerprint", "raw", "features"])
def test_killed_worker_quarantines_one_upload(inbox: Path, toy_dir: Path, make_chain: MakeChain, stage: str) -> None:
    toy.write_upload(inbox / "deadly", f"1 2 !kill:{stage}")
    with LocalProcessExecutor(Bounds(max_workers=1)) as executor:

        def again():
            chain = make_chain()
            chain.executor = executor
            ingest(chain)
            return walk(chain)

        found = again()
        blamed = "raw" if stage == "fingerprint" else stage
        rejection = found["deadly"].rejection
        assert rejection is not None
        assert (rejection.kind, rejection.stage, rejection.key) == ("crash", blamed, "deadly")
        assert {found[key].rejection for key in ("first", "second", "third")} == {None}
        if stage == "features":
            assert found["deadly"].stages["cache"].outcome == "hit", "what it had committed counts"
        again()
        again()
        assert next(make_chain().quarantine.rows()).attempts == 3
        made = toy.calls_made(toy_dir)
        again()
        assert toy.calls_made(toy_dir) == made, "after two more runs it rests"
        for row in list(make_chain().quarantine.rows()):
            make_chain().quarantine.remove(row.identity)
        (toy_dir / "calm").touch()
        assert again()["deadly"].rejection is None


@pytest.mark.parametrize("stage", ["fingerprint", "raw", "notes"])
def test_full_disk_stops_the_run_and_quarantines_nothing(
    inbox: Path, toy_dir: Path, make_chain: MakeChain, stage: str
) -> None:
    toy.write_upload(inbox / "zz_full", "1 2", f"!full:{stage}")
    with pytest.raises(ResourceError, match="No space left"):
        everything(make_chain())
    assert list(make_chain().quarantine.rows()) == []
    (toy_dir / "calm").touch()
    calls = everything(make_chain())
    assert calls["notes"] == (4 if stage == "fingerprint" else 1), "what was committed is kept"


def test_unwritable_store_stops_the_run_and_quarantines_nothing(
    inbox: Path, make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = make_chain()
    ingest(chain)

    def refuse(*arguments: object, **named: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("bgb_assets.storage.backend.LocalBackend.publish", refuse)
    with pytest.raises(ResourceError, match="cannot be committed"):
        walk(chain)
    assert list(chain.quarantine.rows()) == []


def test_little_free_space_refuses_to_start(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    (data_root / "config.toml").write_text(f"{SETTLE_AT_ONCE}[run]\nmin_free_bytes = {1 << 60}\n")
    with pytest.raises(ResourceError, match="bytes are free"):
        walk(make_chain())


def test_too_many_quarantined_fails_after_all_others(data_root: Path, make_chain: MakeChain) -> None:
    inbox = data_root / "inbox" / "toy"
    for i in range(11):
        toy.write_upload(inbox / f"bad_{i:02d}", f"bad{i}")
    toy.write_upload(inbox / "zz_good")
    chain = make_chain()
    ingest(chain)
    seen = {}
    with pytest.raises(TooManyQuarantined, match="11 of 12 uploads were quarantined, 10 are allowed"):
        for outcome in chain.run(chain.uploads.keys(), PER_UPLOAD_STAGES):
            seen[outcome.key] = outcome
    assert len(seen) == 12
    assert seen["zz_good"].stages["notes"].outcome == "built"
    assert len(list(chain.quarantine.rows())) == 11
    shutil.rmtree(inbox / "bad_00")
    ingest(chain)
    assert len(walk(chain)) == 11, "ten are allowed"


def test_undeclared_read_fails(inbox: Path, make_chain: MakeChain) -> None:
    reads = (Reads("raw", ("numbers", "words"), ("words.json",)), Reads("features", ("sums",)))
    modality = toy.with_stage(toy.MODALITY, "notes", reads=reads)
    ingest(make_chain(modality))
    found = walk(make_chain(modality))
    reasons = {outcome.rejection.reason for outcome in found.values() if outcome.rejection}
    assert len(reasons) == 3
    assert all("FileNotFoundError" in reason and "numbers.json" in reason for reason in reasons)


def test_run_sweeps_what_a_dead_process_left(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    machine, pid, started = process_token(os.getpid()).split(".")
    dead = data_root / ".tmp" / f"{machine}.{pid}.{int(started) + 1}.abc"
    (dead / "out").mkdir(parents=True)
    ingest(make_chain())
    walk(make_chain())
    assert list((data_root / ".tmp").iterdir()) == []


def test_stage_that_breaks_its_declaration_stops_the_run(inbox: Path, make_chain: MakeChain) -> None:
    ingest(make_chain())
    for name, match in (("undeclared", "not declared"), ("no_digest", "64 lower-case"), ("wrong_metadata", "JSON")):
        modality = toy.with_stage(
            toy.MODALITY, "raw", run=f"bgb_assets_tests.test_chain_failures:{name}", code_version=name
        )
        with pytest.raises(ContractError, match=match):
            walk(make_chain(modality))
    modality = toy.with_stage(toy.MODALITY, "raw", run="bgb_assets_tests.test_chain_failures:linking", code_version="l")
    with pytest.raises(ContractError, match="must not write links"):
        walk(make_chain(modality))
    assert list(make_chain().quarantine.rows()) == []


def undeclared(inputs, params, out):
    return StageResult({"other": "0" * 64})


def no_digest(inputs, params, out):
    return StageResult({"words": "short"})


def wrong_metadata(inputs, params, out):
    return StageResult(metadata={"ratio": float("nan")})


def linking(inputs, params, out):
    (out / "link").symlink_to("/etc/hostname")
    return StageResult()


def test_upload_that_changes_while_read_is_not_committed(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    for name in ("changing", "changing_then_bad"):
        modality = toy.with_stage(
            toy.MODALITY, "raw", run=f"bgb_assets_tests.test_chain_failures:{name}", code_version=name
        )
        ingest(make_chain(modality))
        found = walk(make_chain(modality))
        assert all(outcome.unstable and not outcome.stages for outcome in found.values())
        assert outputs(data_root) == {}
        assert list(make_chain().quarantine.rows()) == []
    assert everything(make_chain())["raw"] == 3


def changing(inputs, params, out):
    result = toy.raw(inputs, params, out)
    path = (inputs["upload"] / "a.txt").resolve()
    path.write_text(path.read_text() + " 7")
    return result


def changing_then_bad(inputs, params, out):
    changing(inputs, params, out)
    raise toy.BadInput("torn", "wait")


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ("[toy.rwa]\nlower = true", "no stage"),
        ("[toy.raw]\nlowre = true", "unknown \\['lowre'\\]; it takes lower"),
        ("[toy.raw]\nlower = 1", "must be bool, got 1"),
        ("[toy.cache]\nscale = 1.5", "must be int, got 1.5"),
        ("[toy.notes]\noffset = nan", "must be float, got nan"),
        ("[toy.notes]\nlabel = 3", "got 3"),
        ("[toy.features]\nwindows = 3", "got 3"),
        ("[toy.features]\nwindows = ['a']", "got"),
        ("[toy.features.mel]\nbins = 3", "unknown"),
        ("[toy.model]\nsteps = 3", "no variant"),
        ("[toy.model.mean]\nsteps = 3", "no variant"),
        ("[run]\nworkesr = 3", "unknown"),
        ("toy = 3", "must be a table"),
    ],
)
def test_wrong_configuration_is_refused(data_root: Path, make_chain: MakeChain, config: str, match: str) -> None:
    (data_root / "config.toml").write_text(f"{config}\n")
    with pytest.raises(ConfigError, match=match):
        make_chain()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("first: 3", "must map stages"),
        ("- a", "must map stages"),
        ("first:\n  manifest: {}", "must map stages"),
        ("first:\n  raw: 3", "must map params"),
        ("first:\n  raw:\n    lowre: true", "unknown"),
        ("first:\n  raw:\n    lower: 3", "must be bool"),
        ("first: [", "not valid YAML"),
    ],
)
def test_wrong_overrides_are_refused(data_root: Path, make_chain: MakeChain, text: str, match: str) -> None:
    (data_root / "overrides").mkdir()
    (data_root / "overrides" / "toy.yaml").write_text(text)
    with pytest.raises(ConfigError, match=match):
        make_chain()


def test_newer_store_is_refused(built: Path, data_root: Path, make_chain: MakeChain) -> None:
    record = next((data_root / "raw").rglob(RECORD_NAME))
    value = json.loads(record.read_text())
    record.write_text(json.dumps({**value, "format": 2}))
    with pytest.raises(BgbError, match="record format 2 is newer"):
        walk(make_chain())
