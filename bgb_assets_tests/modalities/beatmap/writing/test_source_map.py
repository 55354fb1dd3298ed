import pytest

from bgb_assets.modalities.beatmap.writing.song_to_write import ENVIRONMENTS
from bgb_assets.modalities.beatmap.writing.source_map import ROTATED, UNREADABLE, read_source_map
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.converting import map_v4, real_map
from bgb_assets_tests.modalities.beatmap.lights_case import rows_of
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, info_v2, simple_map, write_files

NOTE_V4 = {"version": "4.0.0", "colorNotes": [{"b": 8, "i": 0}], "colorNotesData": [{"x": 1, "d": 1}]}
AUDIO_DATA = {
    "version": "4.0.0",
    "songFrequency": 44_100,
    "bpmData": [{"si": 0, "ei": 441_000, "sb": 0, "eb": 20}],
}
LIGHTSHOW = {"version": "4.0.0", "basicEvents": [{"b": 4, "i": 0}], "basicEventsData": [{"t": 2, "i": 5, "f": 0.5}]}


def test_texts_preview_and_stages_of_a_real_map():
    song = read_source_map(real_map("JOURNEY")).song
    assert (song.title, song.artist, song.mappers) == ("Vagueness & JOURNEY", "FELT", ("Kival Evan",))
    assert song.preview_s == (250.9688, 22.5)
    assert song.environments == ("BTSEnvironment", "GlassDesertEnvironment")
    assert [(item.characteristic, item.njs, item.njo) for item in song.difficulties] == [
        ("OneSaber", 17, 0),
        ("Standard", 19, -0.25),
    ]


def test_versions_and_what_cannot_be_read_of_real_maps():
    source = read_source_map(real_map("JOURNEY"))
    assert source.versions == ("3.1.0", "2.6.0")
    assert source.lost == {UNREADABLE: 4}
    assert [one.info.difficulty for one in source.unreadable] == ["Easy", "Normal", "Hard", "Expert"]
    assert read_source_map(real_map("werewolf_howls")).versions == ("2.2.0",) * 5


def test_a_map_of_version_1(tmp_path):
    snippets = shared_data("beatmap") / "wiki_snippets"
    level = {"difficulty": "Easy", "difficultyRank": 1, "audioPath": "song.ogg", "jsonPath": "Easy.json"}
    info = {"songName": "x", "beatsPerMinute": 208, "previewStartTime": 3, "difficultyLevels": [level]}
    files = {"info.json": info, "Easy.json": (snippets / "beatmap" / "1.5.0.dat").read_bytes(), "readme.txt": b"!"}
    source = read_source_map(write_files(tmp_path, files))
    assert source.versions == ("1.5.0",)
    assert source.song.preview_s == (3, 0)
    assert source.song.environments == ENVIRONMENTS
    assert source.left["other files"] == 1


def test_a_map_of_version_4_and_its_light_show(tmp_path):
    folder = map_v4(tmp_path / "a", NOTE_V4, AudioData=AUDIO_DATA, Lightshow=LIGHTSHOW)
    source = read_source_map(folder)
    assert source.versions == ("4.0.0",)
    assert source.song.mappers == ("A mapper", "Another")
    assert rows_of(source.song.difficulties[0].lights) == ([(4.0, 2, 5, 0.5)], [])
    assert (source.lost, source.left) == ({}, {})
    (folder / "Lightshow.dat").unlink()
    source = read_source_map(folder)
    assert source.left == {"light shows that cannot be read": 1}
    assert any("names 'Lightshow.dat', which is not in the map" in one for one in source.warnings)


@pytest.mark.parametrize(
    "rotated",
    [
        {"colorNotes": [{"b": 8, "i": 0, "r": 15}], "colorNotesData": [{}]},
        {"arcs": [{"hb": 1, "tb": 2, "hr": 15}], "colorNotesData": [{}], "arcsData": [{}]},
    ],
)
def test_rotations_of_single_objects_are_lost(tmp_path, rotated):
    assert read_source_map(map_v4(tmp_path, {"version": "4.0.0"} | rotated)).lost == {ROTATED: 1}


def test_difficulties_share_the_first_ones_tempo_or_have_their_own(tmp_path):
    files = {("Standard", "Expert"): "Expert.dat", ("Standard", "Hard"): "Hard.dat"}
    changed = difficulty_v3(bpmEvents=[{"b": 8, "m": 60}])
    folder = write_files(
        tmp_path, {"Info.dat": info_v2(files), "Expert.dat": changed, "Hard.dat": difficulty_v3({"b": 1})}
    )
    hard, expert = read_source_map(folder).song.difficulties
    assert hard.tempo is None
    assert expert.tempo.bpms.tolist() == [120, 60]


def test_offset_and_shuffle_are_carried(tmp_path):
    song = read_source_map(simple_map(tmp_path, _songTimeOffset=0.25, _shuffle=1, _shufflePeriod=0.25)).song
    assert (song.song_time_offset_s, song.shuffle, song.shuffle_period) == (0.25, 1, 0.25)


def test_a_broken_light_show_leaves_the_notes_alone(tmp_path):
    folder = simple_map(tmp_path)
    write_files(folder, {"Expert.dat": difficulty_v3({"b": 1}, basicBeatmapEvents=[{"b": "late"}])})
    source = read_source_map(folder)
    assert source.left == {"light shows that cannot be read": 1}
    assert len(source.song.difficulties[0].objects["notes"]["beat"]) == 1
    assert any("the light show of Expert.dat is not carried: " in one for one in source.warnings)


def test_audio_that_cannot_be_decoded_is_refused(tmp_path):
    write_files(simple_map(tmp_path), {"song.egg": b"no sound at all"})
    with pytest.raises(BadInput, match=r"song\.egg: cannot be decoded"):
        read_source_map(tmp_path)


def test_a_light_show_that_difficulties_share_is_counted_once(tmp_path):
    entries = [
        {
            "characteristic": "Standard",
            "difficulty": name,
            "beatmapDataFilename": file,
            "lightshowDataFilename": "L.dat",
        }
        for name, file in (("Easy", "Easy.dat"), ("Hard", "Hard.dat"))
    ]
    groups = LIGHTSHOW | {"eventBoxGroups": [{"b": 1}, {"b": 2}]}
    folder = map_v4(tmp_path, NOTE_V4, L=groups, Easy=NOTE_V4, Hard=NOTE_V4, info={"difficultyBeatmaps": entries})
    (folder / "Expert.dat").unlink()
    source = read_source_map(folder)
    assert source.left == {"groups of lights": 2}
    assert [len(item.lights) for item in source.song.difficulties] == [1, 1]
