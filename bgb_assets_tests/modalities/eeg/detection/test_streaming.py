import functools

import numpy as np
import pytest
import torch

from bgb_assets.modalities.eeg.detection.live_signal import Statistics
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams, events_of
from bgb_assets.modalities.eeg.detection.streaming import StreamingDetector
from bgb_assets.modalities.eeg.detection.trained import TrainedDetector
from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.learning.network import network_of
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.runtime.errors import BadInput, ConfigError
from bgb_assets_tests.modalities.eeg.detection.networks import Constant, Loudness

LABELS = [f"EEG {name.upper()}-REF" for name in CANONICAL]
POSTPROCESS = PostprocessParams(tau_on=0.6, tau_off=0.5)


def recording(seconds: float, rate_hz: float = 250.0, bursts=((36, 46), (60, 70))) -> np.ndarray:
    """Noise in microvolts, louder now and then: (19, samples)."""
    draw = np.random.default_rng(11)
    times_s = np.arange(int(seconds * rate_hz)) / rate_hz
    signal = draw.normal(0, 20, (19, len(times_s)))
    for first, last in bursts:
        signal[:, (times_s >= first) & (times_s < last)] *= 4
    return signal + 300


def loud() -> TrainedDetector:
    return TrainedDetector(Loudness(1.8), FeatureParams(), POSTPROCESS)


def stream(trained, signal, rate_hz=250.0, chunk=1_000, **options):
    detector = StreamingDetector(trained, rate_hz, LABELS, **options)
    heard = [detector.push(signal[:, first : first + chunk]) for first in range(0, signal.shape[1], chunk)]
    heard.append(detector.close())
    probabilities = np.concatenate([one.probabilities for one in heard])
    return probabilities, [event for one in heard for event in one.events]


@functools.cache
def whole_loud():
    return stream(loud(), recording(80), chunk=10**9)


@pytest.mark.parametrize("chunk", [1, 37, 256, 5_000])
def test_any_chunk_length_gives_the_same_bits(chunk: int) -> None:
    probabilities, events = stream(loud(), recording(80), chunk=chunk)
    expected, expected_events = whole_loud()
    assert np.array_equal(probabilities, expected, equal_nan=True)
    assert events == expected_events
    assert len(events) == 2


def test_chunks_give_the_same_bits_with_a_real_network() -> None:
    torch.manual_seed(0)
    network = network_of(VARIANTS["sdpa-tiny"].shape)
    trained = TrainedDetector(network, FeatureParams(), PostprocessParams(tau_on=0.3, tau_off=0.2))
    signal = recording(40)
    whole = stream(trained, signal, chunk=10**9)
    parts = stream(trained, signal, chunk=777)
    assert np.array_equal(parts[0], whole[0], equal_nan=True)
    assert parts[1] == whole[1]
    assert np.ptp(whole[0][480:]) > 0.0


def test_events_are_those_of_the_whole_timeline_in_absolute_time() -> None:
    probabilities, events = whole_loud()
    assert probabilities.shape == (80 * 16,)
    found = events_of(probabilities, POSTPROCESS)
    assert [[event.onset_s, event.offset_s] for event in events] == found.events.tolist()
    for event, (onset_s, offset_s) in zip(events, [(36, 46), (60, 70)], strict=True):
        assert event.onset_s == pytest.approx(onset_s, abs=1.5)
        assert event.offset_s == pytest.approx(offset_s, abs=1.5)


def test_the_first_30_seconds_are_not_evaluated() -> None:
    probabilities, _ = whole_loud()
    assert np.isnan(probabilities[:480]).all()
    assert not np.isnan(probabilities[480:]).any()


@pytest.mark.parametrize("rate_hz", [200.0, 256.0, 512.0])
def test_a_constant_network_gives_that_constant_tail_included(rate_hz: float) -> None:
    trained = TrainedDetector(Constant(0.0), FeatureParams(), PostprocessParams())
    probabilities, events = stream(trained, recording(47.3, rate_hz), rate_hz)
    assert probabilities.shape == (int(np.ceil(47.3 * 16)),)
    assert (probabilities[480:] == 0.5).all()
    assert events == []


def test_lost_samples_are_not_evaluated_and_break_events() -> None:
    signal = recording(80)
    signal[3, 41 * 250 : 41 * 250 + 100] = np.nan
    probabilities, events = stream(loud(), signal, chunk=333)
    assert np.flatnonzero(np.isnan(probabilities[480:])).tolist() == list(range(176, 183))
    assert [event.offset_s for event in events][:1] == [41.0]
    assert len(events) == 3


def test_after_a_gap_a_new_stretch_begins_at_its_own_time() -> None:
    signal = recording(80)
    detector = StreamingDetector(loud(), 250.0, LABELS)
    before = [detector.push(signal), detector.lose(2_501)]
    assert detector.now_s == pytest.approx(90.004)
    after = [detector.push(signal), detector.close()]
    events = [event for heard in before for event in heard.events]
    later = [event for heard in after for event in heard.events]
    assert len(events) == 2
    for first, second in zip(events, later, strict=True):
        assert second.onset_s - first.onset_s == pytest.approx(90.004)
        assert second.confidence == first.confidence
    (line, *_) = after[0].timelines
    assert line.onset_s == pytest.approx(90.004)
    assert np.isnan(line.probabilities[:480]).all()


def test_an_event_that_goes_on_is_known_before_it_ends() -> None:
    signal = recording(80)
    detector = StreamingDetector(loud(), 250.0, LABELS)
    detector.push(signal[:, : 43 * 250])
    assert detector.open_since_s == pytest.approx(36, abs=1.5)
    detector.close()
    assert detector.open_since_s is None


def test_given_statistics_take_the_place_of_the_past() -> None:
    calm = Statistics(np.zeros(19), np.full(19, 1e6))
    probabilities, events = stream(loud(), recording(80), statistics=calm)
    assert np.nanmax(probabilities) < 1e-3
    assert events == []


def test_labels_in_any_order_and_sign_give_the_same() -> None:
    signal, order = recording(80), np.random.default_rng(2).permutation(19)
    detector = StreamingDetector(loud(), 250.0, [LABELS[i] for i in order] + ["ECG"])
    shuffled = np.concatenate([signal[order], np.full((1, signal.shape[1]), 9e9)])
    heard = [detector.push(shuffled), detector.close()]
    assert np.array_equal(np.concatenate([one.probabilities for one in heard]), whole_loud()[0], equal_nan=True)


def test_too_few_electrodes_are_refused() -> None:
    with pytest.raises(BadInput, match="7 of the 19 electrodes"):
        StreamingDetector(loud(), 250.0, LABELS[:7])


def test_a_chunk_of_another_number_of_rows_is_refused() -> None:
    with pytest.raises(BadInput, match=r"shape \(18, 100\), expected \(19, samples\)"):
        StreamingDetector(loud(), 250.0, LABELS).push(np.zeros((18, 100)))


def test_the_mains_frequency_cannot_be_looked_for() -> None:
    trained = TrainedDetector(Loudness(), FeatureParams(notch_hz="auto"), POSTPROCESS)
    with pytest.raises(ConfigError, match="mains frequency"):
        StreamingDetector(trained, 250.0, LABELS).push(recording(1))


def test_nothing_comes_of_nothing() -> None:
    heard = StreamingDetector(loud(), 250.0, LABELS).close()
    assert heard.timelines == ()
    assert heard.events == ()
