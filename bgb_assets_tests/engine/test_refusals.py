from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.engine.refusals import REMOVED, Refusals, refusal_rows, refuse_removed
from bgb_assets.modalities.sources import Offer
from bgb_assets.storage.quarantine import CRASH_RETRIES, Quarantine, Rejection
from bgb_assets.storage.uploads import UploadRecord

OFFER = Offer("shelf.a.zip", "somewhere", "1")
KEY = "shelf.a"


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    quarantine = Quarantine(tmp_path)
    quarantine.add(Rejection("0" * 64, "toy", "raw", "other", "input", "a stage's own", "none"))
    return quarantine


def refusals(quarantine: Quarantine) -> Refusals:
    """Return them as a new process would read them."""
    return Refusals(quarantine, "toy")


def test_rejection_holds_for_its_version(quarantine: Quarantine) -> None:
    assert refusals(quarantine).of(KEY, OFFER) is None
    refusals(quarantine).add(KEY, OFFER, "input", "torn", "glue it")
    row = refusals(quarantine).of(KEY, OFFER)
    assert row is not None
    assert (row.reason, row.remedy) == ("toy/source 'shelf.a': torn", "glue it")
    assert refusals(quarantine).of(KEY, replace(OFFER, origin="elsewhere")) is not None
    assert refusals(quarantine).of(KEY, replace(OFFER, version="2")) is None


def test_one_row_per_key_and_those_of_stages_stay(quarantine: Quarantine) -> None:
    refusals(quarantine).add(KEY, OFFER, "input", "torn", "glue it")
    refusals(quarantine).add(KEY, replace(OFFER, version="2"), "input", "wet", "dry it")
    assert [row.reason for row in refusal_rows(quarantine)] == ["toy/source 'shelf.a': wet"]
    refusals(quarantine).forget(KEY)
    refusals(quarantine).forget(KEY)
    assert [row.stage for row in quarantine.rows()] == ["raw"]


def test_crash_is_tried_again_as_often_as_any_other(quarantine: Quarantine) -> None:
    for _ in range(CRASH_RETRIES):
        refusals(quarantine).add(KEY, OFFER, "crash", "killed", "run again")
        assert refusals(quarantine).of(KEY, OFFER) is None
    refusals(quarantine).add(KEY, OFFER, "crash", "killed", "run again")
    assert refusals(quarantine).of(KEY, OFFER) is not None


def test_removed_upload_is_kept_out_in_every_version(quarantine: Quarantine) -> None:
    refuse_removed(quarantine, UploadRecord("toy", KEY, "raw/blobs", OFFER.path, {}))
    for version in "12":
        row = refusals(quarantine).of(KEY, replace(OFFER, version=version))
        assert row is not None
        assert row.kind == REMOVED
