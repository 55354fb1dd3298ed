import json
import os
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from bgb_assets.modalities.eeg import cache, features, raw
from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.signal import stored
from bgb_assets.modalities.eeg.signal.conditioning import Conditioner
from bgb_assets.modalities.eeg.signal.filters import sections
from bgb_assets.modalities.eeg.signal.montage import build_montage
from bgb_assets.modalities.eeg.signal.normalisation import LARGEST, RunningNormaliser, quantise
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.signal.processing import plan_processing
from bgb_assets.modalities.eeg.signal.resampling import rate_change
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.stored_recordings import (
    noise,
    pushed,
    run_features,
    write_groups,
    write_stored,
)

PAIRS = ["-".join(pair) for pair in BIPOLAR18]


@pytest.fixture(scope="module")
def minute(tmp_path_factory):
    """A minute of drifting noise at 250 Hz."""
    return write_stored(tmp_path_factory.mktemp("minute") / "cache", noise(60, 250), 250.0)


def test_files_shapes_and_scale(minute, tmp_path):
    result, integers, described = run_features(minute, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["features.json", "signal.i16"]
    assert integers.shape == (15_360, 19)
    assert described["scale"] == 10 / LARGEST
    assert described["channels"] == list(CANONICAL)
    assert described["channel_state"] == [0] * 19
    assert described["segments"] == [[0, 15_360, 0.0]]
    assert (described["band_hz"], described["notched_hz"]) == ([0.5, 120.0], [60.0])
    assert described["flat_s"] == described["saturated_s"] == [0.0] * 19
    assert set(result.facets) == {"signal"}
    assert result.metadata == {
        "n": 15_360,
        "segments": 1,
        "channel_state": [0] * 19,
        "clipped_share": described["clipped_share"],
        "flat_share": 0.0,
    }
    assert result.warnings == ()


def test_each_channel_has_mean_zero_and_deviation_one(minute, tmp_path):
    _, integers, described = run_features(minute, tmp_path / "out")
    scaled = integers * described["scale"]
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=1e-3)


def test_the_error_is_at_most_half_a_step(minute, tmp_path):
    """The stored values against microvolts scaled by the stored statistics."""
    _, integers, described = run_features(minute, tmp_path / "out")
    recording = stored.open_stored(minute)
    group, plan = recording.main, plan_processing(recording, FeatureParams())
    (block,) = group.blocks(group.stretches[0])
    slope = group.above(group.integers[0], group.integers[-1][:, None])[:, 0] / (len(group.integers) - 1)
    conditioner = Conditioner(rate_change(250.0), plan.montage, sections(plan.band_hz, plan.notched_hz), slope)
    microvolts = pushed(conditioner, group.above(group.integers[0], block), [0, block.shape[1]])
    expected = (microvolts - np.array(described["mean"])[:, None]) / (np.array(described["std"])[:, None] + 1e-8)
    assert np.abs(integers.T * described["scale"] - expected).max() <= 1.53e-4


def test_the_file_is_two_bytes_a_value(minute, tmp_path):
    run_features(minute, tmp_path / "out")
    assert (tmp_path / "out" / "signal.i16").stat().st_size == 15_360 * 19 * 2
    assert (tmp_path / "out" / "features.json").stat().st_size <= 8 << 10


@pytest.mark.parametrize("params", [{}, {"phase": "zero", "norm": "running"}])
def test_the_bytes_depend_on_nothing_else(minute, tmp_path, monkeypatch, params):
    first, integers, _ = run_features(minute, tmp_path / "1", **params)
    assert run_features(minute, tmp_path / "2", **params)[0] == first
    monkeypatch.setattr(features, "_MOST_IN_MEMORY_BYTES", 0)
    assert run_features(minute, tmp_path / "3", **params)[0] == first
    # Statistics are sums, which blocks of another size may round otherwise: by one step at most.
    monkeypatch.setattr(features, "_BLOCK", 1_000)
    _, other, _ = run_features(minute, tmp_path / "4", **params)
    assert np.abs(other.astype(np.int64) - integers).max() <= 1


def test_the_bytes_do_not_depend_on_threads(minute, tmp_path):
    # The average, with electrodes filled in, is the montage with most sums.
    names = [name for name in CANONICAL if name not in ("Fz", "Pz")]
    folder = write_stored(tmp_path / "cache", noise(60, 250, 17), 250.0, names)
    here, _, _ = run_features(folder, tmp_path / "out", montage="average19")
    code = (
        "import sys; from pathlib import Path; from bgb_assets_tests.modalities.eeg.stored_recordings import *;"
        "print(run_features(Path(sys.argv[1]), Path(sys.argv[2]), montage='average19')[0].facets['signal'])"
    )
    for threads in ("1", "4"):
        environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)}
        command = [sys.executable, "-c", code, str(folder), str(tmp_path / f"threads_{threads}")]
        printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert printed.strip() == here.facets["signal"]


@pytest.mark.parametrize(
    "params",
    [
        {"notch_hz": 50.0},
        {"bandpass_hz": (1.0, 40.0)},
        {"phase": "zero"},
        {"norm": "running"},
        {"norm": "none"},
        {"clip": 5.0},
        {"montage": "average19"},
        {"montage": "bipolar18"},
        {"resample": "fft"},
    ],
)
def test_every_param_is_followed(minute, tmp_path, params):
    before, _, _ = run_features(minute, tmp_path / "1")
    after, _, _ = run_features(minute, tmp_path / "2", **params)
    assert after.facets["signal"] != before.facets["signal"]


def test_slow_and_fast_waves_outside_the_band_are_gone(tmp_path):
    time_s = np.arange(60 * 512) / 512
    waves = {"Fp1": 0.05, "F3": 10.0, "C3": 200.0, "P3": 60.0}
    microvolts = 0.1 * noise(60, 512)
    for name, hertz in waves.items():
        microvolts[:, CANONICAL.index(name)] = 100 * np.sin(2 * np.pi * hertz * time_s)
    _, integers, described = run_features(write_stored(tmp_path / "c", microvolts, 512.0), tmp_path / "o", norm="none")
    settled = integers[20 * 256 :] * described["scale"]
    rms = {name: np.sqrt(np.mean(settled[:, CANONICAL.index(name)] ** 2)) for name in waves}
    assert rms["F3"] == pytest.approx(100 / np.sqrt(2), rel=0.01)
    assert max(rms["Fp1"], rms["C3"], rms["P3"]) < 1.0


def test_running_norm_is_what_a_stream_gives(tmp_path):
    microvolts = noise(60, 256)
    _, integers, described = run_features(
        write_stored(tmp_path / "c", microvolts, 256.0), tmp_path / "o", norm="running"
    )
    live = np.rint(microvolts / 0.1).T * 0.1
    montage = build_montage(CANONICAL, "referential", "referential19")
    conditioner = Conditioner(rate_change(256.0), montage, sections((0.5, 120.0), (60.0,)))
    filtered = pushed(conditioner, live, [*range(0, live.shape[1], 37), live.shape[1]])
    scaled = pushed(RunningNormaliser(19), filtered, [*range(0, live.shape[1], 37), live.shape[1]])
    steps, _ = quantise(scaled, described["scale"])
    assert np.abs(steps.T.astype(np.int64) - integers).max() <= 1


def test_what_is_clipped_is_counted(tmp_path):
    microvolts = noise(60, 256)
    microvolts[7_000:7_020, 4] += 30_000
    _, integers, described = run_features(write_stored(tmp_path / "c", microvolts, 256.0, step_uv=1.0), tmp_path / "o")
    at_the_limit = int((np.abs(integers.astype(np.int64)) == LARGEST).sum())
    assert at_the_limit > 0
    assert described["clipped_share"] == pytest.approx(at_the_limit / integers.size)
    assert integers.min() >= -LARGEST


def test_a_flat_channel_is_zero_and_told_of(tmp_path):
    microvolts = noise(60, 250)
    microvolts[:, 2] = 8_123.4
    microvolts[1_000:6_000, 3] = 1.0
    result, integers, described = run_features(
        write_stored(tmp_path / "c", microvolts, 250.0, step_uv=0.3), tmp_path / "o"
    )
    assert not integers[:, 2].any()
    assert described["flat_s"][2:4] == [60.0, pytest.approx(20.0, abs=0.02)]
    assert result.warnings == ("flat for more than 20% of the time: C3 100%, P3 33%",)
    assert described["flat_share"] == pytest.approx(80 / 60 / 19, rel=1e-3)


def test_a_saturated_channel_is_told_of(tmp_path):
    microvolts = noise(60, 256)
    time_s = np.arange(len(microvolts)) / 256
    microvolts[:, 0] = np.clip(500 * np.sin(2 * np.pi * 1.5 * time_s), -200, 200)
    result, _, described = run_features(write_stored(tmp_path / "c", microvolts, 256.0), tmp_path / "o")
    # The sine is beyond 0.4 of its height for 74 % of the time.
    assert described["saturated_s"][0] == pytest.approx(60 * (1 - 2 * np.arcsin(0.4) / np.pi), rel=0.02)
    assert result.warnings == ("saturated for more than 20% of the time: Fp1 74%",)


def test_few_absent_electrodes_are_filled_and_many_are_masked(tmp_path):
    names = [name for name in CANONICAL if name not in ("Fz", "Pz")]
    result, integers, described = run_features(
        write_stored(tmp_path / "1", noise(60, 256, 17), 256.0, names), tmp_path / "a"
    )
    assert [CANONICAL[i] for i, state in enumerate(described["channel_state"]) if state == 1] == ["Fz", "Pz"]
    assert result.warnings == ("absent, filled by spherical splines: Fz, Pz",)
    assert integers[:, CANONICAL.index("Fz")].any()
    names = CANONICAL[5:]
    result, integers, described = run_features(
        write_stored(tmp_path / "2", noise(60, 256, 14), 256.0, names), tmp_path / "b"
    )
    assert described["channel_state"] == [3] * 5 + [0] * 14
    assert not integers[:, :5].any()
    assert result.warnings == ("absent, zero and masked: Fp1, F3, C3, P3, F7",)


def test_bipolar_recordings(tmp_path):
    microvolts = noise(60, 256, 18)
    folder = write_stored(tmp_path / "cache", microvolts, 256.0, PAIRS, "bipolar")
    _, integers, described = run_features(folder, tmp_path / "1", montage="bipolar18")
    assert (described["channels"], set(described["channel_state"])) == (PAIRS, {0})
    assert integers.shape == (15_360, 18)
    assert (tmp_path / "1" / "signal.i16").stat().st_size == 15_360 * 18 * 2
    _, integers, described = run_features(folder, tmp_path / "2")
    assert (described["channels"], set(described["channel_state"])) == (list(CANONICAL), {2})
    assert integers.shape == (15_360, 19)


def test_a_gap_makes_two_segments(tmp_path):
    segments = [[0, 7_500, 0.0], [7_500, 7_500, 45.5]]
    result, _, described = run_features(
        write_stored(tmp_path / "c", noise(60, 250), 250.0, segments=segments), tmp_path / "o"
    )
    assert described["segments"] == [[0, 7_680, 0.0], [7_680, 7_680, 45.5]]
    assert (result.metadata["n"], result.metadata["segments"]) == (15_360, 2)


def test_a_low_rate_lowers_the_band_and_says_so(tmp_path):
    result, _, described = run_features(write_stored(tmp_path / "c", noise(60, 200), 200.0), tmp_path / "o")
    assert described["band_hz"] == [0.5, 98.0]
    assert result.warnings == ("the band ends at 98 Hz, not at 120 Hz: the recording has 200 Hz",)


def test_a_rate_that_is_no_fraction_says_how_far_it_is_off(tmp_path):
    result, _, _ = run_features(write_stored(tmp_path / "c", noise(60, 499.9071), 499.9071), tmp_path / "o")
    (warning,) = result.warnings
    assert warning.startswith("499.9071 Hz is resampled by ")
    assert warning.endswith(" 0.00 samples in all")


def test_channels_of_two_rates(tmp_path):
    groups = [(256.0, range(18), noise(60, 256, 18), None), (250.0, [18], noise(60, 250, 1), None)]
    _, integers, described = run_features(write_groups(tmp_path / "cache", groups), tmp_path / "out")
    assert integers.shape == (15_360, 19)
    np.testing.assert_allclose((integers * described["scale"]).std(axis=0), 1.0, atol=1e-3)


def test_too_few_electrodes_no_samples_and_no_band_are_refused(tmp_path):
    with pytest.raises(BadInput, match="6 electrodes of the 10-20 system"):
        run_features(write_stored(tmp_path / "1", noise(2, 256, 6), 256.0, CANONICAL[:6]), tmp_path / "a")
    with pytest.raises(BadInput, match="0 samples of 256 Hz are none of 256 Hz; exclude the recording"):
        run_features(write_stored(tmp_path / "2", np.zeros((0, 19)), 256.0), tmp_path / "b")
    with pytest.raises(BadInput, match="of 100 Hz only what lies below 49 Hz can be used"):
        run_features(write_stored(tmp_path / "3", noise(2, 100), 100.0), tmp_path / "c", bandpass_hz=(60.0, 90.0))


@pytest.mark.parametrize("samples", [1, 2, 30, 300])
@pytest.mark.parametrize(
    "params", [{}, {"phase": "zero"}, {"norm": "running", "notch_hz": "auto"}, {"resample": "fft"}]
)
def test_the_shortest_recordings(tmp_path, samples, params):
    folder = write_stored(tmp_path / "cache", noise(2, 256)[:samples], 256.0)
    _, integers, described = run_features(folder, tmp_path / "out", **params)
    assert len(integers) == described["n"] == samples


@pytest.mark.parametrize(("norm", "least"), [("recording", 3.95), ("running", 2.8)])
def test_amplitude_over_time_stays(tmp_path, norm, least):
    """What a model tells a seizure by: a burst four times as high, which running statistics learn only slowly."""
    time_s = np.arange(120 * 256) / 256
    height = np.where((time_s > 80) & (time_s < 90), 200.0, 50.0)
    microvolts = np.tile((height * np.sin(2 * np.pi * 6 * time_s))[:, None], (1, 19))
    _, integers, _ = run_features(write_stored(tmp_path / "c", microvolts, 256.0), tmp_path / "o", norm=norm)
    before, burst = (integers[start * 256 : (start + 8) * 256].astype(np.float64).std() for start in (70, 81))
    assert least < burst / before < 4.05


def test_a_window_begins_without_a_transient(tmp_path):
    """Filtered as a whole: where a window of 60 s begins, the signal is what it is elsewhere."""
    time_s = np.arange(180 * 256) / 256
    microvolts = np.tile((50 * np.sin(2 * np.pi * 10 * time_s))[:, None], (1, 19)) + 300
    _, integers, described = run_features(write_stored(tmp_path / "c", microvolts, 256.0), tmp_path / "o", norm="none")
    for start in range(10, 120, 10):
        first = integers[start * 256 : start * 256 + 256, 0] * described["scale"]
        assert np.abs(first).max() == pytest.approx(50.0, abs=0.5)


def test_who_was_recorded_and_when_does_not_enter(minute, tmp_path):
    other = tmp_path / "cache"
    shutil.copytree(minute, other)
    header = json.loads((other / "header.json").read_text())
    header |= {"start": "2020-02-02T20:20:20", "repairs": ["the start date has colons"]}
    (other / "header.json").write_text(json.dumps(header))
    first, _, _ = run_features(minute, tmp_path / "1")
    assert run_features(other, tmp_path / "2")[0] == first


def test_a_real_recording_from_its_file(tmp_path):
    upload = tmp_path / "upload"
    upload.mkdir()
    shutil.copy(shared_data("eeg") / "edf" / "test_edf_stim_channel.edf", upload)
    for name in ("raw", "cache"):
        (tmp_path / name).mkdir()
    raw.run({"upload": upload}, raw.RawParams(unlabelled="inference_only"), tmp_path / "raw")
    cache.run({"raw": tmp_path / "raw", "upload": upload}, cache.CacheParams(), tmp_path / "cache")
    result, integers, described = run_features(tmp_path / "cache", tmp_path / "out")
    assert integers.shape == (2 * 1_228, 19)
    assert described["band_hz"] == [0.5, pytest.approx(0.49 * 128)]
    assert described["channel_state"] == [0] * 19
    np.testing.assert_allclose((integers * described["scale"]).std(axis=0), 1.0, atol=1e-3)
    # Its last four seconds hold nothing, in any channel.
    assert described["flat_s"] == [4.0] * 19
    assert [warning.split(" ")[0] for warning in result.warnings] == ["the", "flat"]


def test_a_recording_is_filtered_once(minute, tmp_path):
    with monitoring.counting() as counts:
        run_features(minute, tmp_path / "out")
    assert counts == {"signals_filtered": 1}


@pytest.mark.parametrize("params", [{}, {"norm": "running"}])
def test_memory_does_not_grow_with_the_recording(tmp_path, monkeypatch, params):
    monkeypatch.setattr(features, "_MOST_IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(features, "_BLOCK", 4_096)
    monkeypatch.setattr(stored, "_BLOCK", 4_096)
    peaks = []
    for number, minutes in enumerate((1, 1, 8)):
        folder = write_stored(tmp_path / f"cache_{number}", noise(60 * minutes, 200), 200.0)
        (tmp_path / f"out_{number}").mkdir()
        tracemalloc.start()
        features.run({"cache": folder}, FeatureParams(**params), tmp_path / f"out_{number}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1] < 8 * 60 * 256 * 19 * 4
