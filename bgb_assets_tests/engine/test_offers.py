"""Decisions over single offers, and the list of those that were accepted."""

from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.engine.offers import Ledger, Taken, checked
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import ContractError
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.toy_source import PREFIX, Shelf, ingest

A = Offer("shelf.a", "shelf://a", "1")


def test_first_offer_of_a_key_decides_but_gone_is_always_heard(shelf: Shelf, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    ledger = Ledger(make_chain(), PREFIX)
    kinds = [ledger.judge(offer).kind for offer in (A, A, replace(A, version="2"), replace(A, gone=True))]
    assert kinds == ["held", "seen", "seen", "gone"]


def test_what_is_held_is_named_with_its_version(shelf: Shelf, data_root: Path, make_chain: MakeChain) -> None:
    shelf.put("b", version="7")
    ingest(make_chain(), shelf)
    assert Ledger(make_chain(), PREFIX).held == {"shelf.a": "1", "shelf.b": "7", "shelf.c": "1"}
    digest = make_chain().uploads.require("shelf.a").blobs["a.txt"]
    (data_root / "raw" / "blobs" / digest[:2] / digest).unlink()
    assert sorted(Ledger(make_chain(), PREFIX).held) == ["shelf.b", "shelf.c"], "with all its bytes"


def test_names_that_cannot_be_told_apart_are_refused_within_one_plan_too(make_chain: MakeChain) -> None:
    ledger = Ledger(make_chain(), PREFIX)
    assert ledger.judge(A).kind == "new"
    ledger.take("shelf.a", A.path)
    assert "taken by the upload 'shelf.a'" in ledger.judge(replace(A, path="shelf.A")).reason
    assert "taken by the upload 'shelf.a'" in ledger.judge(replace(A, path="shelf.a.zip")).reason


def test_path_that_can_be_no_key_is_refused(make_chain: MakeChain) -> None:
    verdict = Ledger(make_chain(), PREFIX).judge(replace(A, path="shelf/../x"))
    assert (verdict.kind, verdict.key) == ("refused", "shelf/../x")
    assert "is no path below the inbox" in verdict.reason


@pytest.mark.parametrize("change", [{"origin": "x"}, {"facts": {"x": 1}}, {"popularity": {"x": 1}}, {"document": {}}])
def test_other_labels_touch(shelf: Shelf, make_chain: MakeChain, change: dict) -> None:
    ingest(make_chain(), shelf)
    assert Ledger(make_chain(), PREFIX).judge(replace(A, **change)).kind == "touched"


def test_offers_hold_plain_json(tmp_path: Path) -> None:
    assert checked(replace(A, facts={"tags": ("x",)}), PREFIX).facts == {"tags": ["x"]}
    for field in ("facts", "popularity", "document"):
        for wrong in ({"x": tmp_path}, {"x": float("nan")}, {1: 2}):
            with pytest.raises(ContractError, match=r"offer 'shelf\.a': must be JSON"):
                checked(replace(A, **{field: wrong}), PREFIX)


def test_taken_offers_are_there_until_they_are_dropped(tmp_path: Path) -> None:
    taken = Taken(tmp_path / "taken")
    assert list(taken.all()) == []
    offer = replace(A, facts={"x": [1.5]}, document={"y": None})
    taken.put(offer)
    taken.put(replace(offer, version="2"))
    taken.put(replace(offer, path="shelf.ü/b"))
    assert sorted(Taken(tmp_path / "taken").all(), key=lambda held: held.path) == [
        replace(offer, version="2"),
        replace(offer, path="shelf.ü/b"),
    ]
    taken.drop(offer.path)
    taken.drop(offer.path)
    assert [held.path for held in taken.all()] == ["shelf.ü/b"]
