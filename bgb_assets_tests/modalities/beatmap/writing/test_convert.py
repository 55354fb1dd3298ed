import itertools

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.identities import beatmap_id
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.formats.versions import difficulty_version
from bgb_assets.modalities.beatmap.writing.convert import convert_map
from bgb_assets.modalities.beatmap.writing.export import FORMATS, render_map, write_folder
from bgb_assets.modalities.beatmap.writing.read_lights import read_lights, read_lightshow
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.converting import (
    EVENT_NEAR_S,
    SAMPLE_NEAR_S,
    check_equal_content,
    map_v4,
    read_map,
    real_map,
)
from bgb_assets_tests.modalities.beatmap.lights_case import rows_of
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, info_v2, simple_map, write_files
from bgb_assets_tests.modalities.beatmap.objects_case import random_objects

NEAR_S = {"v2": EVENT_NEAR_S, "v3": EVENT_NEAR_S, "v4": SAMPLE_NEAR_S}


def random_map(folder, seed, format_):
    """Write a map of random objects and tempo that every version can hold."""
    random = np.random.default_rng(seed)
    objects = random_objects(seed, wild=True)
    objects["notes"] = {**objects["notes"], "angle_deg": np.zeros_like(objects["notes"]["angle_deg"])}
    objects["chains"] = {name: column[:0] for name, column in objects["chains"].items()}
    beats = np.sort(random.choice(np.arange(1, 160), 4, replace=False))
    tempo = tempo_from_events(random.uniform(60, 240), beats, random.uniform(60, 240, 4)).tempo
    difficulty = DifficultyToWrite("90Degree", "Hard", objects, 13.5, -0.25, ("Chroma", "Noodle Extensions"))
    write_folder(render_map(SongToWrite("x", tempo, (difficulty,)), format_), folder)
    return folder


@pytest.mark.parametrize(("first", "to"), list(itertools.product(FORMATS, FORMATS)))
def test_random_maps_keep_their_content(tmp_path, first, to):
    for seed in range(3):
        source = random_map(tmp_path / f"{seed}", seed, first)
        converted = convert_map(source, to, tmp_path / f"{seed} as {to}")
        check_equal_content(read_map(source), read_map(converted.out), NEAR_S[to])
        assert converted.lost == {}


def full_snippet_map(folder):
    snippets = shared_data("beatmap") / "wiki_snippets"
    return map_v4(
        folder,
        read_json(snippets / "beatmap" / "4.0.0.dat", "x"),
        AudioData=read_json(snippets / "audio" / "4.0.0.dat", "x"),
        Lightshow=read_json(snippets / "lightshow" / "4.0.0.dat", "x"),
    )


@pytest.mark.parametrize("to", ["v3", "v4"])
def test_every_kind_of_object_of_version_4_is_kept(tmp_path, to):
    source = full_snippet_map(tmp_path / "map")
    check_equal_content(read_map(source), read_map(convert_map(source, to, tmp_path / "out").out), NEAR_S[to])


def test_chains_do_not_fit_version_2(tmp_path):
    source = full_snippet_map(tmp_path / "map")
    with pytest.raises(BadInput, match="as v2 it would lose 1 chains;"):
        convert_map(source, "v2", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert convert_map(source, "v2", tmp_path / "out", lossy=True).lost == {"chains": 1}


ROTATED = {"version": "4.0.0", "colorNotes": [{"b": 8, "i": 0, "r": 15}, {"b": 9, "i": 0}], "colorNotesData": [{}]}
GAPS = {
    "songFrequency": 44_100,
    "bpmData": [{"si": 22_050, "ei": 66_150, "sb": 0, "eb": 2}, {"si": 88_200, "ei": 132_300, "sb": 4, "eb": 8}],
}
JUMPS = {"version": "4.1.0", "njsEvents": [{"b": 4, "i": 0}], "njsEventData": [{"d": 2.5, "e": 1}]}


@pytest.mark.parametrize(
    ("difficulty", "audio_data", "lost", "formats"),
    [
        (ROTATED, None, {"lane rotations of single objects": 1}, "v2 v3 v4"),
        ({"version": "4.0.0"}, GAPS, {"gaps between tempo regions": 1}, "v2 v3"),
        (JUMPS, None, {"jump speed events": 1}, "v2 v3"),
    ],
)
def test_what_only_version_4_says_is_refused_or_counted(tmp_path, difficulty, audio_data, lost, formats):
    source = map_v4(tmp_path / "map", difficulty, **({"AudioData": audio_data} if audio_data else {}))
    for to in FORMATS:
        if to in formats:
            with pytest.raises(BadInput, match=f"as {to} it would lose 1 "):
                convert_map(source, to, tmp_path / to)
            assert convert_map(source, to, tmp_path / to, lossy=True).lost == lost
        else:
            assert convert_map(source, to, tmp_path / to).lost == {}
            check_equal_content(read_map(source), read_map(tmp_path / to), NEAR_S[to])


@pytest.mark.parametrize("to", ["v2", "v3"])
def test_notes_beside_gaps_keep_their_seconds(tmp_path, to):
    notes = {"version": "4.0.0", "colorNotes": [{"b": beat, "i": 0} for beat in range(12)], "colorNotesData": [{}]}
    source = map_v4(tmp_path / "map", notes, AudioData=GAPS)
    convert_map(source, to, tmp_path / "out", lossy=True)
    (before,), (after,) = read_map(source).readable, read_map(tmp_path / "out").readable
    seconds = [item.tempo.time(item.parsed.objects["notes"]["beat"]) for item in (before, after)]
    assert np.abs(seconds[0] - seconds[1]).max() < 1e-9
    assert seconds[0][0] == 0.5


def test_fakes_and_rotations_stay_what_they_are(tmp_path):
    note, bomb = {"b": 1, "customData": {"uninteractable": True}}, {"b": 2, "x": 1}
    custom = {"fakeBombNotes": [bomb], "fakeColorNotes": [{"b": 5}], "fakeObstacles": [{"b": 6, "w": 1, "h": 5}]}
    document = difficulty_v3(note, {"b": 1}, rotationEvents=[{"b": 3, "e": 1, "r": 15}], customData=custom)
    source = write_files(simple_map(tmp_path / "map"), {"Expert.dat": document})
    wanted = read_map(source).readable[0].parsed.objects
    assert [int(wanted[kind]["fake"].sum()) for kind in ("notes", "bombs", "walls")] == [2, 1, 1]
    for to in FORMATS:
        converted = convert_map(source, to, tmp_path / to)
        assert beatmap_id(read_map(converted.out).readable[0].parsed.objects) == beatmap_id(wanted)
        assert converted.source.left == {}


def test_an_offset_is_carried_where_there_is_one(tmp_path):
    source = simple_map(tmp_path / "map", _songTimeOffset=0.25)
    check_equal_content(read_map(source), read_map(convert_map(source, "v2", tmp_path / "v2").out), EVENT_NEAR_S)
    with pytest.raises(BadInput, match="as v4 it would lose 1 song time offset"):
        convert_map(source, "v4", tmp_path / "v4")


def lights_in(path):
    document = read_json(path, "x")
    return rows_of(read_lights(document, difficulty_version(document, "x"), "x").lights)


def test_lights_go_through_all_versions(tmp_path):
    source = real_map("werewolf_howls")
    wanted = lights_in(source / "HardStandard.dat")
    assert lights_in(source / "ExpertPlusStandard.dat") == wanted
    v4 = convert_map(source, "v4", tmp_path / "v4").out
    names = sorted(path.name for path in v4.iterdir() if "Lightshow" in path.name)
    assert names == ["Lightshow.dat"]  # five difficulties of one show
    assert rows_of(read_lightshow(read_json(v4 / "Lightshow.dat", "x"), "x").lights) == wanted
    v3 = convert_map(v4, "v3", tmp_path / "v3").out
    assert lights_in(v3 / "HardStandard.dat") == wanted
    assert len(wanted[0]) > 7_000


def test_tempo_maps_of_single_difficulties(tmp_path):
    files = {("Standard", "Expert"): "Expert.dat", ("Standard", "Hard"): "Hard.dat"}
    changed = difficulty_v3({"b": 20}, bpmEvents=[{"b": 0, "m": 90}, {"b": 8, "m": 60}])
    documents = {"Info.dat": info_v2(files), "Expert.dat": changed, "Hard.dat": difficulty_v3({"b": 20})}
    source = write_files(tmp_path / "map", documents)
    check_equal_content(read_map(source), read_map(convert_map(source, "v2", tmp_path / "v2").out), EVENT_NEAR_S)
    with pytest.raises(BadInput, match="1 tempo maps of single difficulties"):
        convert_map(source, "v4", tmp_path / "v4")
