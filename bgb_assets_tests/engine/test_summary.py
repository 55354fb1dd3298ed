from pathlib import Path

from bgb_assets.engine.outcomes import StageOutcome, UploadOutcome
from bgb_assets.engine.summary import Summary, read_summary, summary_path
from bgb_assets.storage.layout import Layout


def upload(key: str, **stages: str) -> UploadOutcome:
    made = {
        name: StageOutcome(name, outcome, "i", "v", called=outcome == "built", seconds=2.0 * (outcome == "built"))
        for name, outcome in stages.items()
    }
    return UploadOutcome(key, made)


def test_outcomes_are_counted_by_stage(tmp_path: Path) -> None:
    summary = Summary()
    summary.add(upload("a", raw="built", cache="built"))
    summary.add(upload("b", raw="hit", cache="absent"))
    summary.add(UploadOutcome("c", {}, unstable="changed"))
    assert (summary.uploads, summary.unstable) == (3, ["c"])
    counts = {"built": 1, "hit": 1, "absent": 0, "quarantined": 0, "called": 1, "seconds": 2.0}
    assert summary.as_json()["raw"] == counts


def test_kept_counts_are_replaced_stage_by_stage(tmp_path: Path) -> None:
    path = summary_path(Layout(tmp_path), "toy")
    assert read_summary(path) == {}
    Summary().save(path)
    assert not path.exists(), "a run that touched nothing leaves the last counts"
    for stages in ({"raw": "built", "cache": "built"}, {"raw": "hit"}):
        summary = Summary()
        summary.add(upload("a", **stages))
        summary.save(path)
    kept = read_summary(path)
    assert (kept["raw"]["hit"], kept["raw"]["built"], kept["cache"]["built"]) == (1, 0, 1)
    assert kept["raw"]["at_s"] >= kept["cache"]["at_s"] > 0
