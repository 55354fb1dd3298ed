import json
from pathlib import Path
from typing import Any

import pytest

from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.sources.official_levels import (
    LevelDifficulty,
    jump_speeds,
    level_name,
    read_level,
    write_map,
)
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.beatmap.official_case import (
    AUDIO_DATA,
    EXPERT,
    NOTES,
    first_level,
    gzipped,
    level_bundle,
    put,
    tone,
    v3_file,
    v4_file,
)
from bgb_assets_tests.modalities.beatmap.unity_bundles import Bundle, fsb5, pointer

EXPERT_NOTES = NOTES["Standard", "Expert"]
ONE_FILE = {("Standard", "Expert"): gzipped(v3_file(EXPERT_NOTES))}


def difficulty(characteristic: str, name: str = "Expert") -> LevelDifficulty:
    return LevelDifficulty(characteristic, name, b"")


def speeds(characteristic: str | None, speed: float, name: str = "Expert") -> dict[str, Any]:
    return {"characteristic": characteristic, "speeds": {name: [speed, 0.5]}}


def said(**changed: Any) -> dict[str, Any]:
    return {"_songName": "One", "_beatsPerMinute": 120.0, "sets": [speeds("Standard", 16.0)], **changed}


def test_a_level_is_read_with_all_it_names() -> None:
    level = read_level(first_level(), "x")
    assert level.name == "100Bills"
    assert [(item.characteristic, item.difficulty, item.file) for item in level.difficulties] == [
        ("Standard", "Expert", "ExpertStandard.dat"),
        ("Standard", "ExpertPlus", "ExpertPlusStandard.dat"),
        ("OneSaber", "Expert", "ExpertOneSaber.dat"),
    ]
    assert [item.content for item in level.difficulties] == [gzipped(v4_file(notes)) for notes in NOTES.values()]
    assert level.sound is not None
    assert level.sound.content == tone("OGG")
    assert level.audio_data == gzipped(AUDIO_DATA)


def test_a_level_has_the_name_its_own_bundle_gives_it(tmp_path: Path) -> None:
    assert level_name(put(tmp_path, "some-file", first_level()), "x") == "100Bills"


def test_a_bundle_without_level_data_is_rejected() -> None:
    bundle = Bundle("x")
    bundle.text(5, "Expert.beatmap.gz", b"{}")
    with pytest.raises(BadInput, match=r"x: no level data .* among 0 behaviours"):
        read_level(bundle.content(), "x")
    bundle.behaviour(1, "OneBeatmapLevelData", _version=1)
    bundle.behaviour(2, "TwoBeatmapLevelData", _version=1)
    with pytest.raises(BadInput, match=r"x: 2 level data .* among 2 behaviours"):
        read_level(bundle.content(), "x")


@pytest.mark.parametrize("field", ["_audioClip", "_audioDataAsset"])
def test_a_path_id_that_is_not_there_rejects_the_level(field: str) -> None:
    content = level_bundle("One", ONE_FILE, tone("OGG"), AUDIO_DATA, **{field: pointer(4711)})
    with pytest.raises(BadInput, match=r"x: no (AudioClip|TextAsset) with path id 4711"):
        read_level(content, "x")


def test_a_difficulty_that_is_named_twice_or_unknown_rejects_the_level() -> None:
    entries = [{"_difficulty": EXPERT, "_beatmapAsset": pointer(100)}] * 2
    sets = [{"_beatmapCharacteristicSerializedName": "Standard", "_difficultyBeatmaps": entries}]
    with pytest.raises(BadInput, match=r"x: the level names expertstandard\.dat more than once"):
        read_level(level_bundle("One", ONE_FILE, _difficultyBeatmapSets=sets), "x")
    sets = [{**sets[0], "_difficultyBeatmaps": [{**entries[0], "_difficulty": 9}]}]
    with pytest.raises(BadInput, match="x: Standard: difficulty must be 0 to 4, got 9"):
        read_level(level_bundle("One", ONE_FILE, _difficultyBeatmapSets=sets), "x")


def test_files_are_written_plain_and_sound_as_it_is(tmp_path: Path) -> None:
    write_map(read_level(first_level(), "x"), said(), "x", tmp_path)
    assert json.loads((tmp_path / "ExpertOneSaber.dat").read_bytes()) == v4_file(NOTES["OneSaber", "Expert"])
    assert json.loads((tmp_path / "BPMInfo.dat").read_bytes()) == AUDIO_DATA
    assert (tmp_path / "song.ogg").read_bytes() == tone("OGG")


def test_a_file_whose_gzip_is_damaged_costs_its_difficulty_alone(tmp_path: Path) -> None:
    files = {**ONE_FILE, ("OneSaber", "Expert"): gzipped(v3_file(EXPERT_NOTES))[:-9]}
    write_map(read_level(level_bundle("One", files, tone("OGG")), "x"), said(), "x", tmp_path)
    song = read_song(tmp_path)
    assert song.status == "partial"
    assert [item.info.characteristic for item in song.readable] == ["Standard"]
    assert any("gzip data ends early" in warning for warning in song.warnings)


def test_files_that_are_not_gzip_are_read_too(tmp_path: Path) -> None:
    files = {("Standard", "Expert"): json.dumps(v3_file(EXPERT_NOTES)).encode()}
    write_map(read_level(level_bundle("One", files, tone("WAV")), "x"), said(), "x", tmp_path)
    assert read_song(tmp_path).readable[0].parsed.objects["notes"]["beat"].tolist() == [1.0, 2.5]


def test_a_level_without_sound_has_no_audio(tmp_path: Path) -> None:
    write_map(read_level(level_bundle("One", ONE_FILE), "x"), said(), "x", tmp_path)
    song = read_song(tmp_path)
    assert song.audio is None
    assert any(warning.startswith("no_audio") for warning in song.warnings)


def test_a_song_time_offset_is_recorded(tmp_path: Path) -> None:
    write_map(read_level(level_bundle("One", ONE_FILE), "x"), said(_songTimeOffset=0.25), "x", tmp_path)
    assert read_song(tmp_path).readable[0].flags == ("song_time_offset",)


def test_a_sound_of_the_game_becomes_a_wav_that_is_equal_each_time(tmp_path: Path) -> None:
    content = level_bundle("One", ONE_FILE, fsb5(list(range(-900, 900))))
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        write_map(read_level(content, "x"), said(), "x", tmp_path / name)
    once, again = ((tmp_path / name / "song.wav").read_bytes() for name in ("once", "again"))
    assert once == again
    audio = read_song(tmp_path / "once").audio
    assert audio is not None
    assert (audio.codec, audio.frames, audio.rate_hz, audio.channels) == ("wav", 1800, 44_100, 1)


def test_one_saber_does_not_overwrite_standard() -> None:
    level = [difficulty("Standard"), difficulty("OneSaber")]
    assert jump_speeds(level, [speeds("Standard", 16.0), speeds("OneSaber", 12.0)]) == {
        ("Standard", "Expert"): (16.0, 0.5),
        ("OneSaber", "Expert"): (12.0, 0.5),
    }


def test_one_set_without_a_name_is_that_of_the_characteristic_left() -> None:
    level = [difficulty("Standard"), difficulty("OneSaber")]
    found = jump_speeds(level, [speeds(None, 16.0), speeds("one saber", 12.0)])
    assert found == {("Standard", "Expert"): (16.0, 0.5), ("OneSaber", "Expert"): (12.0, 0.5)}


def test_nothing_is_guessed_where_two_sets_have_no_name(tmp_path: Path) -> None:
    level = [difficulty("Standard"), difficulty("OneSaber")]
    assert jump_speeds(level, [speeds(None, 16.0), speeds(None, 12.0)]) == {}
    assert jump_speeds(level, [speeds(None, 16.0)]) == {}
    write_map(read_level(first_level(), "x"), said(sets=[speeds(None, 16.0)]), "x", tmp_path)
    assert {item.info.njs for item in read_song(tmp_path).readable} == {None}


@pytest.mark.parametrize(
    ("region", "bpm"),
    [({"si": 0, "ei": 44_100, "sb": 0, "eb": 2}, 120.0), ({"si": 22_050, "ei": 66_150, "sb": 1, "eb": 4}, 180.0)],
)
def test_a_level_that_no_pack_knows_has_the_tempo_of_its_first_region(
    tmp_path: Path, region: dict[str, int], bpm: float
) -> None:
    data = {"version": "4.0.0", "songFrequency": 44_100, "bpmData": [region]}
    write_map(read_level(level_bundle("Stray", ONE_FILE, None, data), "x"), None, "x", tmp_path)
    info = read_song(tmp_path).info
    assert (info.title, info.bpm, info.difficulties[0].njs) == ("Stray", bpm, None)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {"version": "4.0.0", "songFrequency": 44_100, "bpmData": []},
        {"version": "4.0.0", "songFrequency": 44_100, "bpmData": [{"si": 5, "ei": 5, "sb": 0, "eb": 2}]},
        {"version": "4.0.0", "songFrequency": 44_100, "bpmData": [{"si": 0, "ei": 5, "sb": 2, "eb": 2}]},
    ],
)
def test_a_level_without_any_tempo_is_rejected(tmp_path: Path, data: Any) -> None:
    level = read_level(level_bundle("Stray", ONE_FILE, None, data), "levels/stray")
    with pytest.raises(BadInput, match="levels/stray: no pack knows the level"):
        write_map(level, None, "levels/stray", tmp_path)
