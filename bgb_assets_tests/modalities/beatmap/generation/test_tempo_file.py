import json

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.objects import empty_objects
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.generation.tempo_file import read_tempo_file
from bgb_assets.modalities.beatmap.writing.export import render_map, write_folder, write_zip
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets.runtime.errors import BadInput

TEMPO = tempo_from_events(120.0, [8.0, 12.0], [60.0, 240.0]).tempo


@pytest.fixture
def read(tmp_path):
    def written(name, content):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return read_tempo_file(tmp_path / name)

    return written


CHANGES = [{"beat": 0, "bpm": 120}, {"beat": 8, "bpm": 60}, {"beat": 12, "bpm": 240.0}]


@pytest.mark.parametrize(
    ("name", "content", "offset_s"),
    [
        ("t.json", CHANGES, 0.0),
        ("t.json", {"offset_s": 0.35, "changes": CHANGES}, 0.35),
        ("t.csv", "beat,bpm\n0,120\n8,60\n12,240\n", 0.0),
        ("t.csv", "\ufeffseconds, beat\n0.35,0\n4.35,8\n8.35,12\n9.35,16\n", 0.35),
        ("t.csv", "seconds,beat\n0.25,1\n3.75,8\n7.75,12\n8.75,16\n", -0.25),
    ],
)
def test_every_form_says_the_same_tempo(read, name, content, offset_s):
    placed = read(name, content)
    beats = np.array([0.0, 4.0, 10.0, 12.0, 16.0])
    assert placed.tempo.time(beats) == pytest.approx([0.0, 2.0, 6.0, 8.0, 9.0], abs=1e-9)
    assert placed.offset_s == pytest.approx(offset_s, abs=1e-9)


@pytest.mark.parametrize("version", ["v2", "v3", "v4"])
def test_a_map_gives_its_own_tempo(tmp_path, version):
    song = SongToWrite("song", TEMPO, (DifficultyToWrite("Standard", "Hard", empty_objects()),))
    rendered = render_map(song, version)
    write_folder(rendered, tmp_path / "map")
    write_zip(rendered, tmp_path / "map.zip")
    found = [read_tempo_file(tmp_path / name).tempo for name in ("map", "map.zip")]
    if version == "v4":
        found.append(read_tempo_file(tmp_path / "map" / "AudioData.dat").tempo)
    for tempo in found:
        assert tempo.time([10.0, 12.0, 13.0]) == pytest.approx([6.0, 8.0, 8.25], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.txt", "120", "t.txt: is neither .csv, .json nor .dat, and no map"),
        ("t.json", [], "the first change must be at beat 0"),
        ("t.json", CHANGES[1:], "the first change must be at beat 0"),
        ("t.json", [*CHANGES, {"beat": 12, "bpm": 90}], "beats must rise, got 12 after 12"),
        ("t.json", [{"beat": 0, "bpm": 0}], "BPM must be from 30 to 500, got 0"),
        ("t.json", [{"beat": 0, "bpm": "fast"}], "row 0: bpm: expected a number, got 'fast'"),
        ("t.json", [{"beat": 0, "bpm": True}], "expected a number, got True"),
        ("t.json", [{"beat": 0, "tempo": 120}], r"row 0: expected \{beat, bpm\}"),
        ("t.json", {"changes": CHANGES, "offset": 1}, r"unknown fields \['offset'\]"),
        ("t.json", {"changes": CHANGES, "offset_s": None}, "offset_s: expected a number, got None"),
        ("t.json", "7", "expected a list or an object, got int"),
        ("t.json", "[{", "invalid JSON at line 1"),
        ("t.json", {"version": "4.0.0", "bpmData": [], "songFrequency": 44100}, "holds no tempo region"),
        (
            "t.dat",
            {
                "_songFrequency": 100,
                "_regions": [{"_startSampleIndex": 50, "_endSampleIndex": 150, "_startBeat": 0, "_endBeat": 2}],
            },
            "do not begin at the first sample",
        ),
        ("t.csv", "", "the first row must be beat,bpm or seconds,beat, got ''"),
        ("t.csv", "0,120\n", "the first row must be beat,bpm or seconds,beat, got '0,120'"),
        ("t.csv", "beat,bpm\n0,120,3\n", "row 2: expected two numbers, got '0,120,3'"),
        ("t.csv", "beat,bpm\n0,inf\n", "row 2: expected a number, got 'inf'"),
        ("t.csv", "seconds,beat\n0,0\n", "needs at least two beats, got 1"),
        ("t.csv", "seconds,beat\n0,0\n1,2\n0.5,4\n", "seconds must rise, got 0.5 after 1"),
        ("t.csv", "seconds,beat\n0,-1\n1,2\n", "beats must not be negative, got -1"),
        ("t.csv", "seconds,beat\n0,0\n60,1\n", "BPM must be from 30 to 500, got 1"),
    ],
)
def test_anything_else_is_refused(read, name, content, reason):
    with pytest.raises(BadInput, match=reason):
        read(name, content)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"none\.json: no such file; correct --tempo-map"):
        read_tempo_file(tmp_path / "none.json")


def test_difficulties_that_differ_in_tempo_are_refused(tmp_path):
    other = tempo_from_events(120.0, [9.0], [60.0]).tempo
    difficulties = (
        DifficultyToWrite("Standard", "Hard", empty_objects()),
        DifficultyToWrite("Standard", "Expert", empty_objects(), tempo=other),
    )
    write_folder(render_map(SongToWrite("song", TEMPO, difficulties), "v3"), tmp_path / "map")
    with pytest.raises(BadInput, match="its difficulties differ in tempo"):
        read_tempo_file(tmp_path / "map")
