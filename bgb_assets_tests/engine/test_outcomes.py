from dataclasses import replace

from bgb_assets.engine.outcomes import UploadOutcome, outcome_of, rejected
from bgb_assets.storage.quarantine import Rejection
from bgb_assets.storage.records import Record

RECORD = Record("toy", "raw", "i", {}, {"a": "1"}, {}, metadata={"n": 3}, warnings=("odd",))
ROW = Rejection("j", "toy", "cache", "k", "input", "wrong", "mend it")


def test_entry_stands_for_built_hit_or_absent() -> None:
    assert outcome_of(RECORD, called=True).outcome == "built"
    hit = outcome_of(RECORD, called=False)
    assert (hit.outcome, hit.identity, hit.data_version) == ("hit", "i", RECORD.data_version)
    assert (hit.metadata, hit.warnings, hit.record) == ({"n": 3}, ("odd",), RECORD)
    for called in (True, False):
        assert outcome_of(replace(RECORD, absent="no audio"), called=called).outcome == "absent"


def test_rejection_says_who_rejected_and_what_to_do() -> None:
    below = rejected("notes", ROW)
    assert (below.outcome, below.data_version, below.called) == ("quarantined", "quarantined:j", False)
    assert below.metadata == {"reason": "wrong", "remedy": "mend it", "rejected_by": "cache"}
    outcome = UploadOutcome("k", {"raw": outcome_of(RECORD, called=False), "notes": below})
    assert outcome.rejection == ROW
    assert UploadOutcome("k", {}).rejection is None
