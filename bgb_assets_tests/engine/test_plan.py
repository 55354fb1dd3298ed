from pathlib import Path

import pytest

from bgb_assets.engine.bookkeeping import Bookkeeper
from bgb_assets.engine.outcomes import UploadOutcome, outcome_of
from bgb_assets.engine.plan import Order, Plan, only
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.storage.quarantine import Rejection
from bgb_assets.storage.records import Record
from bgb_assets.storage.uploads import UploadRecord
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.toy import MODALITY

UPLOAD = UploadRecord("toy", "k", "inbox", "k", {}, facets={"a": "1", "b": "2"})
RAW = Record("toy", "raw", "i", {}, {"numbers": "3", "words": "4"}, {})


@pytest.fixture
def plan() -> Plan:
    return Plan(UPLOAD, MODALITY.per_upload)


def settle(plan: Plan, make_chain: MakeChain, record: Record | None, rejection: Rejection | None = None, **how) -> None:
    chain = make_chain()
    if rejection is not None:
        for _ in range(rejection.attempts):
            chain.quarantine.add(rejection)
    books = Bookkeeper(chain.store, chain.catalog, chain.uploads, chain.quarantine)
    plan.settle(record, how.get("forced", False), books, chain.quarantine)


def test_hits_are_followed_to_the_first_miss(plan: Plan, make_chain: MakeChain) -> None:
    plan.want("toy", 0)
    first = plan.identity
    settle(plan, make_chain, RAW)
    assert plan.going
    plan.want("toy", 1)
    assert plan.identity != first
    settle(plan, make_chain, None)
    assert (plan.going, plan.missed) == (False, True)
    task = plan.task(Path("/data"), MODALITY, Order(frozenset({"notes"}), frozenset()))
    assert dict(task.known) == {"raw": RAW}
    assert task.selected == {"notes"}


def test_forced_stage_is_a_miss(plan: Plan, make_chain: MakeChain) -> None:
    plan.want("toy", 0)
    settle(plan, make_chain, None, forced=True)
    assert plan.missed


@pytest.mark.parametrize(
    ("kind", "attempts", "missed"), [("input", 1, False), ("crash", 1, True), ("crash", 2, True), ("crash", 3, False)]
)
def test_rejection_stops_or_is_tried_again(
    plan: Plan, make_chain: MakeChain, kind: str, attempts: int, missed: bool
) -> None:
    plan.want("toy", 0)
    row = Rejection(plan.identity, "toy", "raw", "other", kind, "toy/raw 'other': wrong", "mend it", attempts)
    settle(plan, make_chain, None, row)
    assert plan.missed is missed
    if not missed:
        outcome = plan.outcome()
        assert set(outcome.stages) == set(PER_UPLOAD_STAGES)
        assert outcome.rejection is not None
        assert (outcome.rejection.key, outcome.rejection.reason) == ("k", "toy/raw 'k': wrong")


def test_outcome_is_cut_to_what_was_asked_for() -> None:
    whole = UploadOutcome("k", {"raw": outcome_of(RAW, called=False)})
    assert only(whole, frozenset({"cache"})).stages == {}
    assert only(whole, frozenset({"raw"})) == whole
    assert Order(frozenset({"raw", "features"}), frozenset()).last == "features"
