import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.bpm import TempoEstimate
from bgb_assets.modalities.beatmap.audio.song_bpm import SongTempo, song_tempo
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.beatmap.click_tracks import RATE_HZ, clicks


def estimate(confidence, windows=()):
    return TempoEstimate(128.3, 0.25, confidence, ((128.3, 1.0), (64.15, 0.5)), windows)


@pytest.mark.parametrize(
    ("confidence", "usable", "words"),
    [(0.1, False, "no steady tempo found"), (0.3, True, "not sure, compare the candidates"), (0.4, True, "sure")],
)
def test_how_far_a_tempo_can_be_trusted(tmp_path, confidence, usable, words):
    found = SongTempo(tmp_path / "song.ogg", estimate(confidence), ())
    assert (found.usable, found.verdict) == (usable, words)
    assert found.as_json()["usable"] is usable
    assert found.lines() == [
        f"song.ogg: 128.300 BPM, confidence {confidence:.2f} ({words}), first beat at 0.250 s",
        "  candidate   128.30 BPM, strength 1.00",
        "  candidate    64.15 BPM, strength 0.50",
    ]


def test_windows_that_disagree_are_listed(tmp_path):
    windows = ((0.0, 120.0), (15.0, 120.1), (30.0, 131.0))
    found = SongTempo(tmp_path / "song.ogg", estimate(0.5, windows), ("quiet",))
    assert found.lines()[3:] == [
        "variable tempo, 120.00 to 131.00 BPM; a tempo map fits better than one number:",
        "  from    0.0 s:  120.00 BPM",
        "  from   15.0 s:  120.10 BPM",
        "  from   30.0 s:  131.00 BPM",
        "warning: quiet",
    ]
    steady = SongTempo(tmp_path / "song.ogg", estimate(0.5, windows[:2]), ())
    assert not any("variable" in line for line in steady.lines())


@pytest.mark.parametrize("rate_hz", [22_050, 48_000])
def test_a_file_of_any_rate(tmp_path, rate_hz):
    samples = clicks(np.arange(0.3, 20, 60 / 110), 20.0)
    wave = np.interp(np.arange(round(20 * rate_hz)) / rate_hz, np.arange(len(samples)) / RATE_HZ, samples / 32_768)
    soundfile.write(tmp_path / "song.flac", wave, rate_hz)
    found = song_tempo(tmp_path / "song.flac").estimate
    assert found.bpm == pytest.approx(110, abs=0.05)
    assert found.first_beat_s == pytest.approx(0.3, abs=0.005)


def test_a_moment_of_sound_has_no_tempo(tmp_path):
    soundfile.write(tmp_path / "moment.wav", np.ones(200) * 0.5, RATE_HZ)
    assert not song_tempo(tmp_path / "moment.wav").usable


def test_what_is_no_sound_is_refused(tmp_path):
    (tmp_path / "song.ogg").write_bytes(b"text")
    with pytest.raises(BadInput):
        song_tempo(tmp_path / "song.ogg")
