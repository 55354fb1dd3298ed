import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.features import FeatureParams
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.generation.hearing import hear, listen
from bgb_assets.modalities.beatmap.generation.tempo_file import PlacedTempo, steady
from bgb_assets.runtime.errors import BadInput

RATE_HZ = 22_050


@pytest.fixture
def heard(tmp_path):
    """Return `hear` of clicks at given seconds."""

    def of(times_s, bpm="auto", placed=None, seconds=20.0):
        samples = np.zeros(round(seconds * RATE_HZ))
        for time_s in times_s:
            start = round(time_s * RATE_HZ)
            samples[start : start + 200] = 0.8 * np.sin(np.arange(200))[: len(samples) - start]
        soundfile.write(tmp_path / "song.wav", samples, RATE_HZ, subtype="PCM_16")
        space = tmp_path / "space"
        space.mkdir()
        return hear(tmp_path / "song.wav", bpm, placed, space)

    return of


def clicks_of(pcm):
    """Return the seconds at which a sound begins."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int64)) > 3_000)
    return loud[np.append(True, np.diff(loud) > 1_000)] / RATE_HZ


def test_a_beat_found_late_gets_silence_until_it_is_beat_1(heard):
    found = heard(np.arange(0.3, 19.9, 0.5))
    assert found.estimate is not None
    assert found.tempo.bpms.tolist() == pytest.approx([120.0], abs=0.02)
    assert found.silence_s == pytest.approx(0.2, abs=0.006)
    assert clicks_of(found.pcm)[0] == pytest.approx(0.5, abs=0.01)
    assert isinstance(found.pcm, np.ndarray)
    assert not found.pcm.flags.writeable


@pytest.mark.parametrize(
    ("offset_s", "beats", "silence_s"), [(0.0, 0, 0.0), (0.35, 4, 1.65), (2.0, 4, 0.0), (2.2, 8, 1.8), (-0.25, 0, 0.25)]
)
def test_beat_0_of_a_given_tempo_map_begins_a_bar(heard, offset_s, beats, silence_s):
    tempo = tempo_from_events(120.0, [8.0], [100.0]).tempo
    found = heard([1.0, 2.0, 3.0], placed=PlacedTempo(tempo, offset_s))
    assert found.silence_s == pytest.approx(silence_s, abs=1e-9)
    assert found.tempo.beats.tolist() == [0.0, 8.0 + beats]
    assert clicks_of(found.pcm) == pytest.approx(np.array([1.0, 2.0, 3.0]) + silence_s, abs=1e-4)
    assert found.tempo.time(float(beats)) == pytest.approx(offset_s + silence_s)


def test_what_is_heard_is_on_the_beat_grid(heard):
    frames = listen(heard([1.0, 2.0], placed=PlacedTempo(steady(120.0)), seconds=5.0), FeatureParams())
    assert frames.song.bars == 3
    assert frames.song.bar_seconds.tolist() == [0.0, 2.0, 4.0, 6.0]
    assert frames.song.mel.shape == (3 * 64, 81)
    assert frames.song.mel.dtype == np.float16
    assert len(frames.onset) == 1 + 5 * RATE_HZ // 512
    loud = np.flatnonzero(frames.song.mel[:, :80].max(axis=1) > 0.9)
    assert {32, 64} <= set(loud.tolist())


def test_silence_has_no_map(heard):
    with pytest.raises(BadInput, match=r"song\.wav: is silent"):
        heard([])
