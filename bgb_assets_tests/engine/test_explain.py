import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.engine.explain import why_fan_in, why_upload
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything, fan_in, ingest, outputs, walk


@pytest.fixture
def inbox(data_root: Path, make_chain: MakeChain) -> Path:
    folder = data_root / "inbox" / "toy"
    toy.write_upload(folder / "one", "1 2 3", "Alpha")
    toy.write_upload(folder / "two", "5 6", "Beta")
    everything(make_chain())
    return folder


def configure(data_root: Path, text: str) -> None:
    (data_root / "config.toml").write_text(f"[inbox]\nsettle_s = 0.0\n{text}\n")


def test_current_as_first_made(inbox: Path, make_chain: MakeChain) -> None:
    said = why_upload(make_chain(), "notes", "one")
    assert (said.asset, said.key, said.state, said.lines) == ("toy/notes", "one", "current", ("as first made",))


def test_param_is_named(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    configure(data_root, "[toy.cache]\nscale = 3")
    said = why_upload(make_chain(), "cache", "one")
    assert (said.state, said.lines) == ("stale", ("params.scale 1 -> 3",))
    below = why_upload(make_chain(), "notes", "one")
    assert (below.state, below.lines) == ("stale", ("toy/cache is to be made first:", "params.scale 1 -> 3"))
    assert why_upload(make_chain(), "raw", "one").state == "current"
    walk(make_chain())
    said = why_upload(make_chain(), "cache", "one")
    assert (said.state, said.lines) == ("current", ("last change:", "params.scale 1 -> 3"))
    configure(data_root, "[toy.cache]\nscale = 1")
    said = why_upload(make_chain(), "cache", "one")
    assert (said.state, said.lines) == ("current", ("last change:", "params.scale 3 -> 1")), "its entry is still there"


def test_code_version_is_named(inbox: Path, make_chain: MakeChain) -> None:
    raised = toy.with_stage(toy.MODALITY, "features", code_version="2")
    assert why_upload(make_chain(raised), "features", "one").lines == ("code_version 1 -> 2",)


def test_changed_file_is_named_by_its_facet(inbox: Path, make_chain: MakeChain) -> None:
    (inbox / "one" / "b.txt").write_text("gamma")
    said = why_upload(make_chain(), "raw", "one")
    assert said.state == "stale", "seen before it was ingested"
    (line,) = said.lines
    assert line.startswith("b ")
    assert " -> " in line
    everything(make_chain())
    (line,) = why_upload(make_chain(), "notes", "one").lines[1:]
    assert line.startswith("words ")
    assert why_upload(make_chain(), "cache", "one").lines == ("as first made",)


def test_override_is_named(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    (data_root / "overrides").mkdir()
    (data_root / "overrides" / "toy.yaml").write_text("one:\n  notes:\n    label: special\n")
    assert why_upload(make_chain(), "notes", "one").lines == ("params.label None -> special",)
    assert why_upload(make_chain(), "notes", "two").state == "current"


def test_touched_and_moved_are_current(inbox: Path, data_root: Path, tmp_path: Path, make_chain: MakeChain) -> None:
    os.utime(inbox / "one" / "a.txt", (1, 1))
    assert why_upload(make_chain(), "notes", "one").state == "current"
    shutil.copytree(data_root, tmp_path / "moved")
    assert why_upload(make_chain(root=tmp_path / "moved"), "notes", "one").state == "current"


def test_missing_never_made_and_removed_by_hand(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    toy.write_upload(inbox / "three")
    ingest(make_chain())
    said = why_upload(make_chain(), "cache", "three")
    assert (said.state, said.lines) == ("missing", ("toy/raw was never made for this upload",))
    shutil.rmtree(data_root / "notes")
    said = why_upload(make_chain(), "notes", "one")
    assert (said.state, said.lines) == ("missing", ("the files of toy/notes were removed by hand",))


def test_quarantined_and_vanished(inbox: Path, make_chain: MakeChain) -> None:
    (inbox / "one" / "a.txt").write_text("1 what")
    everything(make_chain())
    said = why_upload(make_chain(), "notes", "one")
    assert said.state == "quarantined"
    assert said.lines == ("toy/raw 'one': a.txt holds 'what', expected a whole number", "correct the word")
    shutil.rmtree(inbox / "two")
    ingest(make_chain())
    assert why_upload(make_chain(), "notes", "two").state == "vanished"


def test_what_does_not_exist_is_a_usage_error(inbox: Path, make_chain: MakeChain) -> None:
    with pytest.raises(UsageError, match="no upload 'nobody'"):
        why_upload(make_chain(), "notes", "nobody")
    with pytest.raises(UsageError, match="not a per-upload stage"):
        why_upload(make_chain(), "manifest", "one")


def test_fan_in_names_members_params_and_pins(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    assert why_fan_in(make_chain(), "manifest").lines == ("as first made",)
    toy.write_upload(inbox / "three", "9 9")
    (inbox / "two" / "b.txt").write_text("delta")
    shutil.rmtree(inbox / "one")
    ingest(make_chain())
    walk(make_chain())
    said = why_fan_in(make_chain(), "manifest")
    assert said.state == "stale"
    assert said.lines[0].startswith("members ")
    assert said.lines[1:] == ("upload three joined", "upload one left", "upload two changed")
    fan_in(make_chain())
    said = why_fan_in(make_chain(), "manifest")
    assert said.state == "current"
    assert said.lines[1:] == ("upload three joined", "upload one left", "upload two changed")
    (data_root / "pins" / "toy").mkdir(parents=True)
    (data_root / "pins" / "toy" / "splits.json").write_text(json.dumps({"two": 1}))
    (line,) = why_fan_in(make_chain(), "manifest").lines
    assert line.startswith("pins ")
    configure(data_root, "[toy.tokens]\nbase = 7")
    assert why_fan_in(make_chain(), "tokens").lines == ("params.base 10 -> 7",)


def test_fan_in_variant_and_never_made(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    said = why_fan_in(make_chain(), "model", "square")
    assert (said.key, said.state, said.lines) == ("square", "missing", ("it was never made",))
    assert why_fan_in(make_chain(), "model").key == "sum"
    shutil.rmtree(data_root / "model")
    assert why_fan_in(make_chain(), "model").lines == ("its entry was removed by hand",)


def test_explaining_changes_nothing(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    (inbox / "one" / "b.txt").write_text("gamma")
    before = outputs(data_root), {key: make_chain().uploads.require(key) for key in ("one", "two")}
    why_upload(make_chain(), "notes", "one")
    why_fan_in(make_chain(), "manifest")
    assert (outputs(data_root), {key: make_chain().uploads.require(key) for key in ("one", "two")}) == before


def test_lost_history_is_said(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    record = chain.uploads.require("one")
    gone = {**record.entries, "raw": replace(record.entries["raw"], identity="f" * 64)}
    chain.uploads.put(replace(record, entries=gone))
    said = why_upload(make_chain(), "raw", "one")
    assert (said.state, said.lines) == ("current", ("as first made",))
    raised = toy.with_stage(toy.MODALITY, "raw", code_version="2")
    said = why_upload(make_chain(raised), "raw", "one")
    assert said.lines == ("the entry it had is gone, so that there is nothing to compare with",)
