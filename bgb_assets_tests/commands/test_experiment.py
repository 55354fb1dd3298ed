import json
import math

import pytest

from bgb_assets.commands.experiment import seconds_of, tell
from bgb_assets.engine.experiment import RunState
from bgb_assets.runtime.errors import TrainingError, UsageError

DIGEST = "ab" * 32
FOUND = [
    RunState("fold-0_restart-0", "current", DIGEST, "model/mri/ab/abab"),
    RunState("fold-1_restart-0", "stopped", DIGEST),
    RunState("fold-2_restart-0", "waiting", DIGEST),
]


def test_hours_are_seconds_and_none_is_no_limit() -> None:
    assert seconds_of(None) == math.inf
    assert seconds_of(0.5) == 1800
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(UsageError, match="--limit-hours takes a number above 0"):
            seconds_of(wrong)


def test_each_run_is_told_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(iter(FOUND), 3, "bgb experiment mri", as_json=False) == FOUND
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1/3 fold-0_restart-0 (abababababab) is there: model/mri/ab/abab"
    assert lines[1].endswith("stopped by the limit; its checkpoints are kept")
    assert lines[3] == "2 of 3 runs are left; `bgb experiment mri` goes on from here"


def test_a_failed_run_is_an_error_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    failed = RunState("fold-0_restart-1", "failed", DIGEST, problem="the loss of 'sub-M001' is no number")
    with pytest.raises(TrainingError, match="1 of 2 runs failed, first fold-0_restart-1: the loss of 'sub-M001'"):
        tell(iter([failed, FOUND[0]]), 2, "", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"failed": 1, "current": 1}
    assert [run["run"] for run in told["runs"]] == ["fold-0_restart-1", "fold-0_restart-0"]
