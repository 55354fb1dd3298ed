import pytest

from bgb_assets.modalities.beatmap.formats.info import parse_info
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import info_v2

NAMES = ["Easy", "Normal", "Hard", "Expert", "ExpertPlus"]


@pytest.mark.parametrize("name", ["1.0.0", "2.0.0", "2.1.0", "4.0.0", "4.0.1"])
def test_every_version_of_info_says_the_same_of_the_song(name):
    file = shared_data("beatmap") / "wiki_snippets" / "info" / f"{name}.dat"
    song = parse_info(read_json(file, name), name)
    assert (song.title, song.subtitle, song.artist) == ("Magic", "ft. Meredith Bull", "Jaroslav Beck")
    assert song.bpm == 208
    assert [item.difficulty for item in song.difficulties] == NAMES
    assert [item.rank for item in song.difficulties] == [1, 3, 5, 7, 9]
    assert {item.characteristic for item in song.difficulties} == {"Standard"}
    if name == "1.0.0":
        assert (song.mappers, song.audio_file) == ((), "Magic.wav")
        assert song.difficulties[4].file == "ExpertPlus.json"
    else:
        assert song.mappers == ("Freeek",)
        assert [item.njs for item in song.difficulties] == [10, 10, 10, 16, 18]
        assert [item.njo for item in song.difficulties] == [0, 0, 0, 1, 0.5]
    if name.startswith("4"):
        assert (song.audio_file, song.audio_data_file) == ("song.ogg", "BPMInfo.dat")


@pytest.mark.parametrize(("given", "read"), [("120", 120.0), (" 98.5 ", 98.5), (200, 200.0)])
def test_tempo_may_be_a_numeric_text(given, read):
    assert parse_info(info_v2(_beatsPerMinute=given), "Info.dat").bpm == read


@pytest.mark.parametrize("bpm", [0, -1, float("nan"), float("inf"), "fast", None, True, [120]])
def test_a_tempo_that_is_no_positive_number_is_refused(bpm):
    with pytest.raises(BadInput) as caught:
        parse_info(info_v2(_beatsPerMinute=bpm), "Info.dat")
    assert caught.value.reason == f"Info.dat: beats per minute must be a positive number, got {bpm!r}"


@pytest.mark.parametrize("bpm", [5e-324, 1e-7, 1e10, 1.7e308])
def test_a_tempo_beyond_all_reckoning_is_refused(bpm):
    with pytest.raises(BadInput, match=r"Info\.dat: beats per minute must be from 1e-06 to 1e\+09, got"):
        parse_info(info_v2(_beatsPerMinute=bpm), "Info.dat")


def test_empty_songs_name_no_difficulty_and_one_has_no_tempo_yet():
    root = shared_data("beatmap") / "skeletons" / "empty"
    for version in ("v1", "v2"):
        song = parse_info(read_json(root / version / "Info.dat", "Info.dat"), "Info.dat")
        assert (song.title, song.bpm, song.difficulties) == ("Untitled", 120.0, ())
    with pytest.raises(BadInput, match="must be a positive number, got 0"):
        parse_info(read_json(root / "v4" / "Info.dat", "Info.dat"), "Info.dat")


def test_lists_of_the_wrong_shape_are_refused():
    with pytest.raises(BadInput, match="_difficultyBeatmapSets must be a list of objects, got 5"):
        parse_info(info_v2(_difficultyBeatmapSets=5), "Info.dat")
    with pytest.raises(BadInput, match="audio must be an object"):
        parse_info({"version": "4.0.0", "audio": 3}, "Info.dat")


def test_difficulty_aliases_and_unknown_names():
    files = {("one saber", "ex+"): "a.dat", ("Mine", "Lunatic"): "b.dat"}
    first, second = parse_info(info_v2(files), "Info.dat").difficulties
    assert (first.characteristic, first.difficulty, first.rank) == ("OneSaber", "ExpertPlus", 9)
    assert (second.characteristic, second.difficulty, second.rank) == ("Mine", "Lunatic", 0)


def test_requirements_are_read_from_custom_data_of_every_version():
    document = info_v2()
    entry = document["_difficultyBeatmapSets"][0]["_difficultyBeatmaps"][0]
    entry["_customData"] = {"_requirements": ["Noodle Extensions", "Chroma", 7]}
    entry["customData"] = {"requirements": ["Chroma", "Mapping Extensions"]}
    (item,) = parse_info(document, "Info.dat").difficulties
    assert item.requirements == ("Chroma", "Mapping Extensions", "Noodle Extensions")


def test_offset_and_shuffle_are_recorded_and_lone_surrogates_replaced():
    song = parse_info(info_v2(_songTimeOffset=0.5, _shuffle=1, _songName="a\ud800b"), "Info.dat")
    assert (song.song_time_offset_s, song.shuffle, song.title) == (0.5, 1.0, "a?b")


def test_version_1_knows_one_saber_and_a_missing_characteristic():
    level = {"difficulty": "Hard", "difficultyRank": 5, "jsonPath": "Hard.json"}
    document = {"songName": "x", "beatsPerMinute": 100, "oneSaber": True, "difficultyLevels": [level]}
    assert parse_info(document, "info.json").difficulties[0].characteristic == "OneSaber"
