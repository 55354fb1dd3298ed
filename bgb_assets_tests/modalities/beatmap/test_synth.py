import json

import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio import ogg
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.synth import click_track, synth, write_ogg
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.modalities.beatmap.audio_stages import run_song

SAMPLES = REPOSITORY / "data" / "samples" / "beatmap"
SAMPLES_SEED = 20
MAX_SAMPLES_BYTES = 2_500_000
RATE_HZ = 22_050


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The samples made again, with the truth about them."""
    out = tmp_path_factory.mktemp("synth")
    return out, synth(out, 12, SAMPLES_SEED)


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_tracked_samples_are_what_the_seed_gives(made):
    out, _ = made
    tracked = {name: content for name, content in files_below(SAMPLES).items() if name != "README.md"}
    again = files_below(out)
    assert tracked.keys() == again.keys()
    assert [name for name in again if name.endswith(".dat") and again[name] != tracked[name]] == []
    for name in (name for name in again if name.endswith(".egg")):
        expected, _ = soundfile.read(SAMPLES / name)
        got, _ = soundfile.read(out / name)
        # Another encoder version may round otherwise; the music is the same.
        assert len(got) == len(expected)
        assert np.sqrt(np.mean((got - expected) ** 2)) < 0.05 * np.sqrt(np.mean(expected**2))


def test_the_samples_stay_small():
    assert sum(len(content) for content in files_below(SAMPLES).values()) < MAX_SAMPLES_BYTES


def test_equal_seeds_give_equal_bytes_and_a_shorter_run_its_beginning(made, tmp_path):
    out, truth = made
    shorter = synth(tmp_path, 2, SAMPLES_SEED)
    assert shorter["songs"] == truth["songs"][:2]
    again = files_below(tmp_path)
    assert again == {name: content for name, content in files_below(out).items() if name in again}


def test_other_seeds_give_other_songs(tmp_path):
    first, second = (synth(tmp_path / str(seed), 1, seed)["songs"][0] for seed in (1, 2))
    assert first["note_times_s"] != second["note_times_s"]


def test_both_schemas_rates_and_changes_of_tempo_occur(made):
    songs = made[1]["songs"]
    assert {song["major_version"] for song in songs} == {2, 3}
    assert {song["rate_hz"] for song in songs} == {22_050, 44_100}
    assert {bool(song["changes"]) for song in songs} == {True, False}
    assert all(20.0 < song["seconds"] < 32.0 for song in songs)
    json.dumps(made[1])


def test_songs_say_that_they_are_made_up(made):
    for folder in made[0].iterdir():
        info = json.loads((folder / "Info.dat").read_text())
        assert info["_levelAuthorName"] == "bgb_assets synth"
        assert info["_customData"] == {"synthetic": True}


@pytest.mark.parametrize("index", [1, 2, 5])
def test_our_own_reader_finds_the_notes_where_they_were_put_and_on_the_music(made, tmp_path, index):
    out, truth = made
    song = truth["songs"][index]
    stages = run_song(out / song["path"], tmp_path)
    read = json.loads((stages["raw"] / "song.json").read_text())
    maps = json.loads((stages["raw"] / "tempo.json").read_text())["tempo_maps"]
    (tempo,) = maps.values()
    assert tempo["bpms"] == [song["bpm"], *(bpm for _, bpm in song["changes"])]
    assert {row["difficulty"] for row in read["difficulties"]} == set(song["note_times_s"])
    onset = np.load(stages["features"] / "onset.npy")
    for times_s in song["note_times_s"].values():
        # Human notes come 30 to 45 ms before the peak of the onset strength; so do these.
        at = np.interp(np.array(times_s) + 0.03, np.arange(len(onset)) * 512 / RATE_HZ, onset)
        assert at.mean() > 2.0 * onset.mean()


def test_clicks_stand_on_the_beats():
    tempo = tempo_from_events(120.0, [4.0], [90.0]).tempo
    clicks = click_track(tempo, 5.0, RATE_HZ)
    assert (clicks.dtype, len(clicks)) == (np.float32, 5 * RATE_HZ)
    loud = np.flatnonzero(np.abs(clicks) > 0.79) / RATE_HZ
    expected_s = tempo.time(np.arange(9))
    assert expected_s[-1] < 5.0
    assert len(loud) == len(expected_s)
    np.testing.assert_allclose(loud, expected_s, atol=1 / RATE_HZ)


def test_an_ogg_has_equal_bytes_and_a_valid_stream(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (200_000, 2)).astype(np.float32)
    write_ogg(tmp_path / "a.egg", noise, 44_100)
    write_ogg(tmp_path / "b.egg", noise, 44_100)
    data = (tmp_path / "a.egg").read_bytes()
    assert data == (tmp_path / "b.egg").read_bytes()
    decoded, rate_hz = soundfile.read(tmp_path / "a.egg")
    assert (rate_hz, decoded.shape) == (44_100, noise.shape)
    pages = list(ogg.pages(data))
    assert pages[0].flags == 2
    assert pages[-1].flags & 4
    for page in pages:
        start = page.start - 27 - len(page.lacing)
        unsigned = data[start : start + 22] + bytes(4) + data[start + 26 : page.end]
        assert data[start + 22 : start + 26] == ogg.checksum(unsigned).to_bytes(4, "little")
