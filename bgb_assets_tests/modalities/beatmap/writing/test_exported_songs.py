"""What players get: zips of real audio with notes from the first beat on, read back as anybody's map."""

import zipfile

import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.audio_identity import identify_audio
from bgb_assets.modalities.beatmap.audio.ogg import read_head, read_header_packets
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.writing.export import FORMATS, render_map, write_zip
from bgb_assets.modalities.beatmap.writing.export_audio import game_audio
from bgb_assets.modalities.beatmap.writing.lead_in import MIN_FIRST_NOTE_S, with_lead_in
from bgb_assets.modalities.beatmap.writing.lights import simple_lights
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.click_tracks import RATE_HZ, clicks
from bgb_assets_tests.modalities.beatmap.converting import read_map
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed

BPM = 128.3
NO_TAGS = b"\x03vorbis" + bytes(8) + b"\x01"


def exported(source, seconds, first_beat, format_, folder):
    """Export a song with a note on every second beat from `first_beat` on; return the zip and the silence in front."""
    tempo = tempo_from_events(BPM, [], []).tempo
    beats = np.arange(first_beat, tempo.beat(seconds), 2).tolist()
    objects = parsed(difficulty_v3(*({"b": beat, "x": 1, "d": 1} for beat in beats))).parsed.objects
    lights = simple_lights(np.ones(round(seconds * 10)), 0.1, tempo)
    difficulties = tuple(DifficultyToWrite("Standard", name, objects) for name in ("Easy", "ExpertPlus"))
    lead_in = with_lead_in(SongToWrite(source.stem, tempo, difficulties, lights=lights))
    song = SongToWrite(**{**vars(lead_in.song), "audio": game_audio(source, lead_in.silence_s)})
    for name in ("map.zip", "again.zip"):
        write_zip(render_map(song, format_), folder / name)
    assert (folder / "map.zip").read_bytes() == (folder / "again.zip").read_bytes()
    return folder / "map.zip", lead_in.silence_s


def check_playable(path, seconds, silence_s, folder):
    """Check a zip as the game would meet it, and return the first note's seconds."""
    with zipfile.ZipFile(path) as archive:
        assert not any("/" in name for name in archive.namelist())
        assert "cover.png" in archive.namelist()
        archive.extract("song.ogg", folder)
    song = read_map(path)
    assert song.warnings == ()
    assert song.status == "ok"
    assert (song.audio.codec, song.audio.seconds) == ("vorbis", pytest.approx(seconds + silence_s, abs=1e-4))
    assert soundfile.info(folder / "song.ogg").duration == pytest.approx(seconds + silence_s, abs=1e-4)
    content = (folder / "song.ogg").read_bytes()
    assert read_header_packets(content, read_head(content)).packets[1] == NO_TAGS
    assert len(song.readable) == 2
    return min(float(item.tempo.time(item.parsed.objects["notes"]["beat"].min())) for item in song.readable)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_song_with_notes_from_its_first_beat_on(tmp_path, format_):
    source = shared_data("beatmap") / "audio" / "Kevin_MacLeod_-_Vibe_Ace.hq.ogg"
    seconds = 2_710_336 / 44_100
    path, silence_s = exported(source, seconds, 0, format_, tmp_path)
    assert silence_s * BPM / 60 == pytest.approx(round(silence_s * BPM / 60))
    assert MIN_FIRST_NOTE_S <= check_playable(path, seconds, silence_s, tmp_path) < MIN_FIRST_NOTE_S + 60 / BPM


@pytest.mark.parametrize("format_", FORMATS)
def test_a_song_that_waits_for_its_first_note_is_copied(tmp_path, format_):
    source = shared_data("beatmap") / "audio" / "Kevin_MacLeod_-_Vibe_Ace.ogg"
    seconds = 1_355_168 / 22_050
    path, silence_s = exported(source, seconds, 8, format_, tmp_path)
    assert silence_s == 0
    assert check_playable(path, seconds, 0.0, tmp_path) == pytest.approx(8 * 60 / BPM)
    assert identify_audio(tmp_path / "song.ogg") == identify_audio(source)


@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_a_clip_of_3_seconds(tmp_path, suffix):
    source = tmp_path / f"clip.{suffix}"
    soundfile.write(source, clicks(np.arange(0, 3, 60 / BPM), 3.0)[: 3 * RATE_HZ], RATE_HZ)
    seconds = soundfile.info(source).duration
    path, silence_s = exported(source, seconds, 0, "v3", tmp_path)
    assert silence_s > 0
    assert check_playable(path, seconds, silence_s, tmp_path) >= MIN_FIRST_NOTE_S


def test_a_song_of_12_minutes(tmp_path):
    rate_hz, seconds = 8_000, 720.0
    wave = np.sin(np.arange(int(seconds * rate_hz)) / 12).astype(np.float32) * 0.3
    soundfile.write(tmp_path / "long.wav", wave, rate_hz)
    path, silence_s = exported(tmp_path / "long.wav", seconds, 1, "v4", tmp_path)
    assert check_playable(path, seconds, silence_s, tmp_path) >= MIN_FIRST_NOTE_S
    assert read_map(path).readable[0].parsed.objects["notes"]["beat"].max() > 1_500
