"""How late seizures are found."""

from bgb_assets.modalities.eeg.scoring.latency import latencies_s
from bgb_assets_tests.modalities.eeg.scoring.random_events import EMPTY, events


def test_latency_is_to_the_first_detection_and_below_zero_before_the_onset() -> None:
    true = events((100, 200), (300, 400), (500, 600))
    detected = events((112, 120), (150, 160), (280, 310), (700, 710))
    assert latencies_s(true, detected, 1_000.0).tolist() == [12.0, -20.0]
    assert latencies_s(true, EMPTY, 1_000.0).tolist() == []
