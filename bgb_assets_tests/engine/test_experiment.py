"""Runs of a variant: made once, never taken for one another, stopped by a limit, gone on with."""

import dataclasses
import math
from pathlib import Path

import pytest

from bgb_assets.chain import Chain
from bgb_assets.engine.experiment import RunState, conduct, runs_made
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.modalities.contract import FanIn, StageResult
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import TrainingError, UsageError
from bgb_assets.storage.heads import heads_of
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import fan_in, ingest, walk
from bgb_assets_tests.toy import ModelParams

RUNS = {f"seed-{seed}": ModelParams(power=1.0 + seed / 8) for seed in range(3)}


@pytest.fixture
def ready(data_root: Path, make_chain: MakeChain) -> Path:
    """An inbox of three uploads, walked through tokens."""
    folder = data_root / "inbox" / "toy"
    toy.synth(folder, 3, seed=4)
    through_tokens(make_chain())
    return folder


def through_tokens(chain: Chain) -> None:
    ingest(chain)
    walk(chain)
    fan_in(chain, ("manifest", "tokens"))


def states(found: list[RunState]) -> dict[str, str]:
    return {run.run: run.state for run in found}


def conducted(chain: Chain, runs=RUNS, **options) -> tuple[dict[str, str], int]:
    """Return the states of the runs, and how often the stage was called."""
    with monitoring.counting() as counts:
        found = list(conduct(chain, "sum", runs, **options))
    return states(found), counts["stage_calls.model"]


def test_every_run_is_trained_once(ready: Path, make_chain: MakeChain) -> None:
    assert conducted(make_chain()) == (dict.fromkeys(RUNS, "trained"), 3)
    assert conducted(make_chain()) == (dict.fromkeys(RUNS, "current"), 0)
    chain = make_chain()
    found = list(conduct(chain, "sum", RUNS))
    assert len({run.identity for run in found}) == 3
    for run in found:
        assert Path(run.directory).name == run.identity, "a run's directory is its identity"
        assert (chain.store.root / run.directory / "model.json").is_file()
    assert {name for name in heads_of(chain.store.layout, "toy").all() if "@" in name} == {
        f"model/sum@{name}" for name in RUNS
    }


def test_a_run_of_another_kind_is_never_taken_over(ready: Path, make_chain: MakeChain) -> None:
    conducted(make_chain())
    changed = {name: dataclasses.replace(params, steps=6) for name, params in RUNS.items()}
    assert conducted(make_chain(), changed)[1] == 3, "other params under the same names"
    assert conducted(make_chain())[1] == 0, "those of before are there still"
    newer = toy.with_stage(toy.MODALITY, "model", code_version="2")
    assert conducted(make_chain(newer))[1] == 3, "another code version"
    toy.write_upload(ready / "another", "5 6 7")
    through_tokens(make_chain())
    assert conducted(make_chain())[1] == 3, "other data"


def test_what_is_stale_is_told_with_its_reason(ready: Path, make_chain: MakeChain) -> None:
    conducted(make_chain())
    chain = make_chain()
    FanInRun(chain, "model", "square").run()

    def asked(held) -> ModelParams:
        return ModelParams(steps=6 if held["power"] == 1.0 else held["steps"], power=held["power"])

    made = runs_made(chain, "sum", asked)
    assert [run.run for run in made] == list(RUNS), "the other variant's model is none of them"
    assert [run.stale for run in made] == [("params.steps 5 -> 6",), (), ()]
    with pytest.raises(UsageError, match="toy: no variant 'cube'; there are sum, square"):
        runs_made(chain, "cube", asked)


def test_the_limit_stops_a_run_that_goes_on_from_its_checkpoint(
    ready: Path, make_chain: MakeChain, toy_dir: Path
) -> None:
    (toy_dir / "stall").write_text("step 3")
    assert conducted(make_chain(), limit_s=3.0)[0] == {
        "seed-0": "stopped",
        "seed-1": "waiting",
        "seed-2": "waiting",
    }
    (toy_dir / "stall").unlink()
    before = toy.calls_made(toy_dir)
    assert conducted(make_chain())[0] == dict.fromkeys(RUNS, "trained")
    assert toy.calls_made(toy_dir)[len(before) :][:3] == ["model", "step 3", "step 4"], "two steps were left"
    assert conducted(make_chain(), limit_s=1e-9)[0] == dict.fromkeys(RUNS, "current"), "what is there needs no time"


def failing(fan_in: FanIn, params: ModelParams, out: Path) -> StageResult:
    if params.power == RUNS["seed-1"].power:
        raise TrainingError("the loss is no number")
    return toy.model(fan_in, params, out)


def test_a_run_that_fails_does_not_stop_the_others(ready: Path, make_chain: MakeChain) -> None:
    chain = make_chain(toy.with_stage(toy.MODALITY, "model", run=f"{__name__}:failing"))
    found = list(conduct(chain, "sum", RUNS, limit_s=math.inf))
    assert states(found) == {"seed-0": "trained", "seed-1": "failed", "seed-2": "trained"}
    assert found[1].problem == "the loss is no number"
    assert not found[1].directory
