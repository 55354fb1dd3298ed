import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.onset_peaks import NOTES_LEAD_S, onset_peaks, peaks_of_audio
from bgb_assets.modalities.beatmap.measures.onset_scores import onset_score
from bgb_assets.runtime.errors import BadInput

RATE_HZ = 44_100


def bursts(seconds, length_s=12.0):
    """Samples with a short burst of noise at each time."""
    random = np.random.default_rng(0)
    samples = np.zeros(int(length_s * RATE_HZ), np.float32)
    shape = np.exp(-np.arange(int(0.08 * RATE_HZ)) / (0.02 * RATE_HZ))
    for second in seconds:
        at = int(second * RATE_HZ)
        samples[at : at + len(shape)] += 0.5 * shape * random.normal(0, 0.4, len(shape))
    return samples.clip(-1, 1)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_every_sound_is_a_peak_shortly_after_it(tmp_path, suffix):
    times = np.arange(1.0, 11.0, 0.5)
    path = tmp_path / f"song.{suffix}"
    soundfile.write(path, bursts(times), RATE_HZ)
    peaks = peaks_of_audio(path)
    assert onset_score(times, peaks).recall == 1.0
    after_s = [peaks[np.abs(peaks - time).argmin()] - time for time in times]
    assert 0.0 < np.median(after_s) < NOTES_LEAD_S


def test_silence_has_no_peaks(tmp_path):
    soundfile.write(tmp_path / "song.wav", np.zeros(RATE_HZ), RATE_HZ)
    assert peaks_of_audio(tmp_path / "song.wav").tolist() == []
    assert onset_peaks(np.zeros(0, np.float32), 0.02).tolist() == []


def test_what_is_no_audio_is_refused(tmp_path):
    (tmp_path / "song.ogg").write_bytes(b"no audio at all")
    with pytest.raises(BadInput, match=r"song\.ogg: cannot be decoded as audio"):
        peaks_of_audio(tmp_path / "song.ogg")
