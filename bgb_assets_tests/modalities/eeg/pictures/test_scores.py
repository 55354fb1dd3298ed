import numpy as np
import pytest

from bgb_assets.modalities.eeg.pictures.scores import (
    LIMITS,
    MAX_PATIENTS,
    false_alarm_curve,
    patient_bars,
    reliability_page,
    training_curves,
)
from bgb_assets.modalities.eeg.scoring.metrics import Scorer
from bgb_assets.modalities.eeg.scoring.thresholds import OperatingPoints
from bgb_assets.training.calibration import Reliability
from bgb_assets_tests.modalities.beatmap.report_case import texts

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def curve():
    """Three patients, a day each: at 0.5 all found for 30 false alarms, at 0.9 half of it for 3, then silence."""
    table = np.array([[(4, 10, 4, DAY_S), (2, 1, 4, DAY_S), (0, 0, 4, DAY_S)]] * 3, float)
    return false_alarm_curve(OperatingPoints(Scorer.NEDC_OVERLAP, np.array([0.5, 0.9, 1.0]), table))


def test_the_curve_says_what_a_number_of_false_alarms_buys(curve):
    line = next(line for line in curve.axes[0].lines if line.get_label() == "sensitivity")
    found = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    np.testing.assert_array_equal(list(found), LIMITS)
    assert (found[0.5], found[1.0], found[5.0], found[10.0]) == (0.0, 0.5, 0.5, 1.0)
    assert "Sensitivity against false alarms, nedc_overlap: 12 seizures of 3 patients" in texts(curve)


def test_the_interval_holds_the_curve(curve):
    band = curve.axes[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].min() >= 0.0
    assert band[:, 1].max() <= 1.0
    assert band[:, 0].max() == LIMITS[-1]


def test_reliability_names_the_error():
    bins = Reliability(np.array([0.1, 0.8]), np.array([0.2, 0.8]), np.array([75.0, 25.0]))
    figure = reliability_page(bins)
    assert "Reliability of 100 steps, calibration error 0.0750" in texts(figure)
    assert [bar.get_height() for bar in figure.axes[1].patches] == [75.0, 25.0]


def counts(tp, fp, reference, hours=24.0):
    return {"tp": tp, "fp": fp, "reference": reference, "duration_s": hours * 3600.0}


def test_patients_in_most_trouble_come_first():
    figure = patient_bars({"a": counts(3, 0, 3), "b": counts(1, 2, 4), "c": counts(2, 1, 2, 12.0)}, "szcore_event")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["b", "c", "a"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [1, 2, 3, 3, 0, 0]
    assert [bar.get_width() for bar in figure.axes[1].patches] == [2, 2, 0]
    assert "1 in 12 h" in texts(figure)


def test_of_many_patients_so_many_are_drawn():
    assert patient_bars({}, "szcore_event") is None
    many = {f"p{number}": counts(0, 0, number) for number in range(60)}
    figure = patient_bars(many, "szcore_event")
    assert len(figure.axes[0].get_yticklabels()) == MAX_PATIENTS
    assert f"60 patients, {MAX_PATIENTS} of them here, szcore_event" in texts(figure)


def test_training_shows_losses_and_what_is_at_most_one():
    steps = np.arange(3)
    curves = {
        "train/loss": (steps, np.array([1.0, 0.5, 0.3])),
        "validation/loss": (steps, np.array([1.2, 0.6, 0.5])),
        "validation/szcore_event_f1": (steps, np.array([0.1, 0.5, 0.8])),
        "validation/fa_per_24h": (steps, np.array([100.0, 40.0, 4.0])),
    }
    figure = training_curves(curves)
    assert [line.get_label() for line in figure.axes[0].lines] == ["train/loss", "validation/loss"]
    assert [line.get_label() for line in figure.axes[1].lines] == ["szcore_event_f1"]
    assert training_curves({}) is None
