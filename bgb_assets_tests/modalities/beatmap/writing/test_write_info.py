import pytest

from bgb_assets.modalities.beatmap.formats.info import parse_info
from bgb_assets.modalities.beatmap.formats.naming import DIFFICULTIES
from bgb_assets.modalities.beatmap.formats.objects import empty_objects
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.writing.song_to_write import AudioToWrite, DifficultyToWrite, SongToWrite
from bgb_assets.modalities.beatmap.writing.write_info import JUMP_SPEEDS, difficulty_file, info_v2, info_v4
from bgb_assets_tests.fixtures import shared_data

TEMPO = tempo_from_events(128.3, [8], [60]).tempo


def song(*difficulties, **more):
    return SongToWrite("A title", TEMPO, tuple(difficulties), mappers=("A", "B"), **more)


def named(*names, characteristic="Standard"):
    return [DifficultyToWrite(characteristic, name, empty_objects()) for name in names]


def written(form, to_write):
    ordered = list(to_write.difficulties)
    if form == "v2":
        return info_v2(to_write, ordered)
    return info_v4(to_write, ordered, ["Lightshow.dat"] * len(ordered))


@pytest.mark.parametrize("form", ["v2", "v4"])
def test_jump_speed_follows_the_difficulty(form):
    info = parse_info(written(form, song(*named(*DIFFICULTIES))), "Info.dat")
    assert [item.njs for item in info.difficulties] == [10, 10, 12, 16, 18] == list(JUMP_SPEEDS.values())
    assert [item.njo for item in info.difficulties] == [0] * 5
    own = DifficultyToWrite("Standard", "Easy", empty_objects(), njs=23.5, njo=0.25)
    (item,) = parse_info(written(form, song(own)), "Info.dat").difficulties
    assert (item.njs, item.njo) == (23.5, 0.25)


@pytest.mark.parametrize(("form", "version", "snippet"), [("v2", "2.1.0", "2.1.0"), ("v4", "4.0.0", "4.0.0")])
def test_members_are_those_of_the_format(form, version, snippet):
    document = written(form, song(*named("Easy")))
    assert document.get("version", document.get("_version")) == version
    wanted = read_json(shared_data("beatmap") / "wiki_snippets" / "info" / f"{snippet}.dat", "x")
    assert set(document) == set(wanted)
    if form == "v4":
        assert set(document["audio"]) == set(wanted["audio"])
        assert set(document["difficultyBeatmaps"][0]) == set(wanted["difficultyBeatmaps"][0])
    else:
        (group,), (wanted_group,) = document["_difficultyBeatmapSets"], wanted["_difficultyBeatmapSets"]
        assert set(group["_difficultyBeatmaps"][0]) == set(wanted_group["_difficultyBeatmaps"][0])


def test_difficulties_that_turn_the_player_have_their_own_stage():
    standard, turning = named("Easy"), named("Easy", characteristic="360Degree")
    document = written("v4", song(*standard, *turning, environments=("Here", "There")))
    stages = [document["environmentNames"][entry["environmentNameIdx"]] for entry in document["difficultyBeatmaps"]]
    assert stages == ["Here", "There"]
    document = written("v2", song(*standard, environments=("Here", "There")))
    assert (document["_environmentName"], document["_allDirectionsEnvironmentName"]) == ("Here", "There")


@pytest.mark.parametrize("form", ["v2", "v4"])
def test_audio_and_preview(form):
    audio = AudioToWrite(b"OggS", 44_100, 441_000, "song.egg")
    document = written(form, song(*named("Easy"), audio=audio, preview_s=(12.5, 8.0)))
    place = document if form == "v2" else document["audio"]
    prefix = "_" if form == "v2" else ""
    found = [place[f"{prefix}{name}"] for name in ("songFilename", "previewStartTime", "previewDuration")]
    assert found == ["song.egg", 12.5, 8.0]
    assert form == "v2" or place["songDuration"] == 10.0


def test_files_are_named_after_difficulty_and_characteristic():
    assert difficulty_file(*named("ExpertPlus", characteristic="OneSaber")) == "ExpertPlusOneSaber.dat"
