import json
import shutil
from pathlib import Path

from bgb_assets.engine.status import status_of
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import SETTLE_AT_ONCE, MakeChain
from bgb_assets_tests.driving import everything, ingest, opened_below


def test_status_counts_what_is_current_and_to_do(data_root: Path, make_chain: MakeChain) -> None:
    inbox = data_root / "inbox" / "toy"
    toy.synth(inbox, 3, seed=2)
    everything(make_chain())
    toy.write_upload(inbox / "bad", "what")
    (inbox / "unreadable").mkdir()
    everything(make_chain())
    toy.write_upload(inbox / "new")
    shutil.rmtree(inbox / "toy_00001")
    ingest(make_chain())
    (data_root / "config.toml").write_text(f"{SETTLE_AT_ONCE}[toy.notes]\nlabel = 'x'\n")
    with opened_below(data_root) as opened:
        status = status_of(make_chain())
    assert [name for name in opened if name.startswith(("inbox/", "raw/", "cache/", "features/", "notes/"))] == []
    assert json.loads(json.dumps(status)) == status
    assert status["modality"] == "toy"
    assert status["uploads"] == {"present": 5, "vanished": 1, "unrecognised": 1}
    assert status["stages"]["raw"] == {"current": 2, "to_do": 1, "quarantined": 2}
    assert status["stages"]["features"] == {"current": 2, "to_do": 1, "quarantined": 2}
    assert status["stages"]["notes"] == {"current": 0, "to_do": 3, "quarantined": 2}
    assert set(status["stages"]) >= {"manifest", "tokens", "model/sum"}
    assert status["entries"]["raw"]["entries"] == 3
    assert status["entries"]["raw"]["bytes"] > 0
    assert {(row["key"], row["stage"], row["kind"]) for row in status["quarantine"]} == {
        ("bad", "raw", "input"),
        ("unreadable", "raw", "input"),
    }
    assert status["held"] is None
    assert status["last_run"]["raw"]["hit"] == 3
    assert status["free_bytes"] > 0


def test_status_of_an_empty_root(make_chain: MakeChain) -> None:
    status = status_of(make_chain())
    assert status["uploads"] == {"present": 0, "vanished": 0, "unrecognised": 0}
    assert (status["entries"], status["quarantine"], status["last_run"]) == ({}, [], {})


def test_hold_is_shown(data_root: Path, make_chain: MakeChain) -> None:
    toy.synth(data_root / "inbox" / "toy", 1, seed=2)
    ingest(make_chain())
    shutil.rmtree(data_root / "inbox")
    ingest(make_chain())
    assert "is missing; 1 uploads are kept" in status_of(make_chain())["held"]
