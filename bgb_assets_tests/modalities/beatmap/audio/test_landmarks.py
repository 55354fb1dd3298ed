import numpy as np
import pytest

from bgb_assets.modalities.beatmap.audio import landmarks
from bgb_assets.modalities.beatmap.audio.landmarks import SKETCH_HASHES, find_landmarks, find_peaks, landmarks_digest

RATE_HZ = 22_050
HOP, BIN_HZ, LOW_BIN = 1_024, RATE_HZ / 4_096, 20


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.int16)


def beep(pcm: np.ndarray, frame: int, hz: float, level: float = 0.5) -> None:
    """Add a beep of 0.2 s under a bell, its middle at an STFT frame."""
    t = np.arange(-2_205, 2_206)
    bell = level * 32_767 * np.hanning(len(t)) * np.sin(2 * np.pi * hz * t / RATE_HZ)
    pcm[frame * HOP + t] += bell.astype(np.int16)


def melody(seed: int, seconds: float = 20.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    pcm = silence(seconds)
    for frame in range(5, len(pcm) // HOP - 5, 3):
        beep(pcm, frame, BIN_HZ * int(chance.integers(25, 290)), 0.4)
    return pcm


def test_peaks_are_where_the_sound_is():
    pcm = silence(5.0)
    where = [(10, 30), (30, 200), (31, 100), (60, 30), (90, 250)]
    for frame, bin_ in where:
        beep(pcm, frame, bin_ * BIN_HZ)
    frames, bins = find_peaks(pcm)
    assert list(zip(frames.tolist(), (bins + LOW_BIN).tolist(), strict=True)) == where


def test_of_two_peaks_close_by_the_louder_one_stands_out():
    pcm = silence(2.0)
    beep(pcm, 10, 100 * BIN_HZ, 0.5)
    beep(pcm, 14, 108 * BIN_HZ, 0.3)
    beep(pcm, 24, 100 * BIN_HZ, 0.3)
    frames, bins = find_peaks(pcm)
    assert list(zip(frames.tolist(), (bins + LOW_BIN).tolist(), strict=True)) == [(10, 100), (24, 100)]


def test_blocks_leave_no_trace(monkeypatch):
    pcm = melody(1, 15.0)
    whole = find_peaks(pcm)
    assert len(whole[0]) > 50
    for frames in (1, 5, 64):
        monkeypatch.setattr(landmarks, "_FRAMES_PER_BLOCK", frames)
        for found, expected in zip(find_peaks(pcm), whole, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("samples", [0, 1, 1_000, 44_100])
def test_silence_and_next_to_nothing_have_no_landmarks(samples):
    found = find_landmarks(np.zeros(samples, np.int16))
    assert (found.dtype, found.shape) == (np.uint64, (0,))
    assert landmarks_digest(found) == landmarks_digest(np.zeros(0, np.uint64))


def test_the_smallest_hashes_are_kept_sorted_and_no_more_than_they_need():
    found = find_landmarks(melody(2, 60.0))
    hashes = found >> np.uint64(32)
    assert (np.diff(found) > 0).all()
    assert len(np.unique(hashes)) == SKETCH_HASHES
    assert found.nbytes < 20_000
    assert int(hashes.max()) < 0.25 * 2**32, "of more hashes than are kept the smallest"
    assert int((found & np.uint64(0xFFFFFFFF)).max()) < 60 * RATE_HZ // HOP


def test_a_hash_that_comes_back_is_kept_four_times():
    bar = melody(3, 4.0)[: 80 * HOP]
    found = find_landmarks(np.tile(bar, 12))
    _, counts = np.unique(found >> np.uint64(32), return_counts=True)
    assert counts.max() == 4
    assert (counts == 4).mean() > 0.5


def test_a_function_of_the_samples():
    pcm = melody(4)
    assert landmarks_digest(find_landmarks(pcm)) == landmarks_digest(find_landmarks(pcm.copy()))
    assert landmarks_digest(find_landmarks(pcm)) != landmarks_digest(find_landmarks(melody(5)))


def test_a_shift_by_whole_frames_keeps_every_hash():
    pcm = melody(6)
    found, later = find_landmarks(pcm), find_landmarks(np.concatenate([np.zeros(7 * HOP, np.int16), pcm]))
    np.testing.assert_array_equal(later - np.uint64(7), found)
