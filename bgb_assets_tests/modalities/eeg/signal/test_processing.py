import numpy as np
import pytest
from scipy import signal

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.signal import processing, stored
from bgb_assets.modalities.eeg.signal.conditioning import Conditioner
from bgb_assets.modalities.eeg.signal.filters import sections
from bgb_assets.modalities.eeg.signal.montage import build_montage
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.signal.processing import plan_processing, process
from bgb_assets.modalities.eeg.signal.resampling import rate_change
from bgb_assets.modalities.eeg.signal.stored import open_stored
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.stored_recordings import noise, pushed, write_groups, write_stored


def processed(folder, **params):
    """Return (channels, n) microvolts and the plan."""
    recording, chosen = open_stored(folder), FeatureParams(**params)
    plan = plan_processing(recording, chosen)
    into = np.full((len(plan.montage.names), plan.samples), np.nan, np.float32)
    process(recording, plan, chosen, into)
    return into.astype(np.float64), plan


@pytest.fixture(scope="module")
def sines(tmp_path_factory):
    """The signals of test_generator.edf as if they were electrodes: label -> name, and the cache's folder."""
    import edfio

    edf = edfio.read_edf(shared_data("eeg") / "edf" / "test_generator.edf")
    names = dict(zip((channel.label for channel in edf.signals), CANONICAL, strict=False))
    microvolts = np.stack([channel.data for channel in edf.signals], axis=1)
    folder = tmp_path_factory.mktemp("sines") / "cache"
    step = 100 / 3277
    return names, write_stored(folder, microvolts, 200.0, list(names.values()), step_uv=step)


def level_db(samples):
    """Of the last five minutes, when filters have settled."""
    return 20 * np.log10(np.sqrt(np.mean(samples[-300 * 256 :] ** 2)) + 1e-12)


def test_mains_fall_by_60_db_where_the_notch_is_and_not_elsewhere(sines):
    names, folder = sines
    row = CANONICAL.index(names["sine 50 Hz"])
    before = level_db(np.full(300 * 256, 100 / np.sqrt(2)))
    assert level_db(processed(folder, notch_hz=50.0)[0][row]) < before - 60
    assert level_db(processed(folder, notch_hz=60.0)[0][row]) == pytest.approx(before, abs=0.1)
    assert level_db(processed(folder, notch_hz="none")[0][row]) == pytest.approx(before, abs=0.1)
    found, plan = processed(folder, notch_hz="auto")
    assert plan.notched_hz == (50.0,)
    assert level_db(found[row]) < before - 60


@pytest.mark.parametrize("notch_hz", [50.0, 60.0])
def test_alpha_keeps_its_level(sines, notch_hz):
    names, folder = sines
    row = CANONICAL.index(names["sine 8 Hz"])
    expected = level_db(np.full(300 * 256, 100 / np.sqrt(2)))
    assert level_db(processed(folder, notch_hz=notch_hz)[0][row]) == pytest.approx(expected, abs=0.1)


def test_zero_phase_does_not_shift_and_causal_does(sines):
    names, folder = sines
    zero, causal = processed(folder, phase="zero")[0], processed(folder)[0]
    for label in ("sine 1 Hz", "sine 8 Hz", "sine 8.1777 Hz", "sine 8.5 Hz", "sine 15 Hz", "sine 17 Hz"):
        row, period = CANONICAL.index(names[label]), 256 / float(label.split()[1])
        group = open_stored(folder).main
        samples = group.integers[:, list(names).index(label)] * 0.1
        resampled = signal.resample_poly(samples, 32, 25)
        assert lag(zero[row], resampled, period) == 0
        if label == "sine 1 Hz":
            assert lag(causal[row], resampled, period) != 0


def lag(shifted, original, period):
    """Samples within one period at which the cross-correlation peaks, in the middle of both."""
    reach = int(period / 2)
    middle = slice(len(original) // 2, len(original) // 2 + 20 * 256)
    return max(
        range(-reach, reach + 1),
        key=lambda by: float(np.dot(original[middle], shifted[middle.start + by : middle.stop + by])),
    )


def test_the_whole_is_scipys(tmp_path):
    microvolts = noise(20, 250)
    folder = write_stored(tmp_path / "cache", microvolts, 250.0)
    given, _ = processed(folder)
    rounded = np.rint(microvolts / 0.1) * 0.1
    resampled = signal.resample_poly(rounded, 128, 125, axis=0, padtype="line").T
    coefficients = sections((0.5, 120.0), (60.0,))
    steady = signal.sosfilt_zi(coefficients)
    for channel, row in zip(resampled, given, strict=True):
        expected, _ = signal.sosfilt(coefficients, channel, zi=steady * channel[0])
        np.testing.assert_allclose(row, expected, atol=2e-3 * np.abs(channel).max())


@pytest.mark.parametrize("params", [{}, {"phase": "zero"}, {"resample": "fft"}])
def test_a_stored_recording_is_processed_as_a_live_one_is(tmp_path, params):
    microvolts = noise(20, 256)
    given, plan = processed(write_stored(tmp_path / "cache", microvolts, 256.0), **params)
    rounded = np.rint(microvolts / 0.1).T * 0.1
    coefficients = sections(plan.band_hz, plan.notched_hz)
    if params.get("phase") == "zero":
        expected = signal.sosfiltfilt(coefficients, rounded, axis=1)
    else:
        montage = build_montage(CANONICAL, "referential", "referential19")
        expected = pushed(Conditioner(rate_change(256.0), montage, coefficients), rounded, [0, 100, rounded.shape[1]])
    np.testing.assert_allclose(given, expected, atol=1e-3)


@pytest.mark.parametrize("params", [{}, {"phase": "zero"}, {"montage": "average19", "notch_hz": "auto"}])
def test_the_size_of_blocks_does_not_show(tmp_path, monkeypatch, params):
    folder = write_stored(tmp_path / "cache", noise(30, 250), 250.0)
    whole, _ = processed(folder, **params)
    monkeypatch.setattr(stored, "_BLOCK", 997)
    monkeypatch.setattr(processing, "_BLOCK", 311)
    np.testing.assert_array_equal(processed(folder, **params)[0], whole)


def test_a_segment_knows_nothing_of_the_one_before(tmp_path):
    microvolts = noise(20, 256)
    second = microvolts[2_000:] + 500
    both = np.concatenate([microvolts[:2_000], second])
    segments = [[0, 2_000, 0.0], [2_000, len(second), 30.0]]
    given, plan = processed(write_stored(tmp_path / "two", both, 256.0, segments=segments))
    alone, _ = processed(write_stored(tmp_path / "one", second, 256.0))
    np.testing.assert_array_equal(given[:, 2_000:], alone)
    assert [(segment.start, segment.samples, segment.onset_s) for segment in plan.segments] == [
        (0, 2_000, 0.0),
        (2_000, 3_120, 30.0),
    ]


def test_every_segment_has_its_own_rounded_length(tmp_path):
    segments = [[0, 101, 0.0], [101, 99, 5.0], [200, 1, 9.0], [201, 799, 12.0]]
    folder = write_stored(tmp_path / "cache", noise(2, 500), 500.0, segments=segments)
    given, plan = processed(folder)
    assert [segment.samples for segment in plan.segments] == [52, 51, 1, 409]
    assert np.isfinite(given).all()


@pytest.mark.parametrize("resample", ["polyphase", "fft"])
def test_channels_of_another_rate_come_together(tmp_path, monkeypatch, resample):
    monkeypatch.setattr(processing, "_BLOCK", 700)
    time_s, slow_s = np.arange(20 * 512) / 512, np.arange(20 * 200) / 200
    fast = np.tile(50 * np.sin(2 * np.pi * 10 * time_s)[:, None], (1, 17))
    slow = np.tile(50 * np.sin(2 * np.pi * 10 * slow_s)[:, None], (1, 2))
    places = [place for place in range(19) if place not in (3, 18)]
    folder = write_groups(tmp_path / "cache", [(512.0, places, fast, None), (200.0, [3, 18], slow, None)])
    given, plan = processed(folder, resample=resample)
    assert plan.band_hz == (0.5, 98.0)
    middle = slice(5 * 256, 15 * 256)
    np.testing.assert_allclose(given[3, middle], given[0, middle], atol=0.3)
    np.testing.assert_array_equal(given[3], given[18])


def test_a_rate_that_is_no_fraction_has_the_right_length(tmp_path):
    rate_hz = 499.9071
    given, plan = processed(write_stored(tmp_path / "cache", noise(20, rate_hz), rate_hz))
    assert plan.samples == round(round(20 * rate_hz) * 256 / rate_hz)
    assert np.isfinite(given).all()
