"""The schedule's shape, and how validations are scored."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.params import OneCycle, TrainingParams
from bgb_assets.training.progress import Progress, betas, learning_rate


def schedule(**changes):
    training = TrainingParams(**{"steps": 100, "batch": 1, "learning_rate": 1.0, "warmup_steps": 10, **changes})
    return np.array([learning_rate(step, training) for step in range(training.steps)])


def test_warm_up_peak_and_end():
    rates = schedule()
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert rates.argmax() == 9
    assert (np.diff(rates[9:]) < 0).all()
    assert rates[-1] == pytest.approx(0.1)
    assert rates[54] == pytest.approx(0.55)


def test_the_cosine_is_torchs():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=2.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40, eta_min=0.2)
    expected = []
    for _ in range(40):
        optimizer.step()
        reference.step()
        expected.append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(schedule(steps=40, warmup_steps=0, learning_rate=2.0), expected, rtol=1e-9)


@given(steps=st.integers(2, 300), share=st.floats(0.0, 0.9))
def test_one_cycle_is_torchs_in_rate_and_momentum(steps, share):
    if share * steps <= 1:  # torch divides by zero, or starts before its first step
        share = 2.0 / steps if steps > 2 else 0.9
    cycle = OneCycle(start_share=share, div_factor=100.0, final_div_factor=1e4, momentum=(0.85, 0.95))
    training = TrainingParams(steps=steps, batch=1, learning_rate=1e-2, one_cycle=cycle)
    optimizer = torch.optim.AdamW([torch.zeros(1)], lr=1.0)
    options = {"max_lr": 1e-2, "pct_start": share, "div_factor": 100.0, "final_div_factor": 1e4}
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, total_steps=steps, **options)
    for step in range(steps):
        group = optimizer.param_groups[0]
        assert learning_rate(step, training) == pytest.approx(group["lr"], rel=1e-9)
        assert betas(step, training) == pytest.approx(group["betas"], rel=1e-9)
        optimizer.step()
        if step + 1 < steps:
            reference.step()


@pytest.mark.parametrize("steps", [1, 2, 10, 99])
def test_a_cycle_too_short_to_rise_starts_at_its_peak_and_still_ends(steps):
    cycle = OneCycle(start_share=0.01, div_factor=100.0, final_div_factor=1e4, momentum=(0.85, 0.95))
    rates = schedule(steps=steps, one_cycle=cycle)
    assert rates[0] == 1.0
    assert steps == 1 or rates[-1] == pytest.approx(1e-6)


def test_without_a_cycle_betas_stay():
    training = TrainingParams(steps=9, batch=1, learning_rate=1e-2, betas=(0.8, 0.99))
    assert {betas(step, training) for step in range(9)} == {(0.8, 0.99)}


@given(steps=st.integers(1, 50), warmup=st.integers(0, 60))
def test_rates_stay_between_zero_and_the_peak(steps, warmup):
    rates = schedule(steps=steps, warmup_steps=warmup)
    assert (rates > 0).all()
    assert (rates <= 1).all()


@pytest.mark.parametrize(("mode", "scores"), [("min", [3.0, 2.0, 2.5, 2.0, 1.0]), ("max", [1.0, 2.0, 1.5, 2.0, 3.0])])
def test_best_is_the_first_that_is_strictly_better(mode, scores):
    progress, bests = Progress(), []
    for step, score in enumerate(scores, start=1):
        progress = Progress(**{**vars(progress), "step": step}).after_validation({"x": score}, "x", mode, 0)
        bests.append((progress.best_step, progress.stale))
    assert bests == [(1, 0), (2, 0), (2, 1), (2, 2), (5, 0)]
    assert not progress.stopped


def test_patience_stops():
    progress = Progress(step=1).after_validation({"x": 1.0}, "x", "min", 2)
    progress = progress.after_validation({"x": 2.0}, "x", "min", 2)
    assert not progress.stopped
    assert progress.after_validation({"x": 2.0}, "x", "min", 2).stopped


@pytest.mark.parametrize("metrics", [{"x": math.nan}, {"y": 1.0}, {"x": math.inf}])
def test_a_score_that_is_no_number_stops_the_run(metrics):
    with pytest.raises(TrainingError, match="validation at step 7: 'x' must be a finite number"):
        Progress(step=7).after_validation(metrics, "x", "min", 0)
