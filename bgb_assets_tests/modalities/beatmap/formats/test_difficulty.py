import pytest

from bgb_assets.modalities.beatmap.formats.difficulty import Unusable, read_audio_data, read_difficulty
from bgb_assets.modalities.beatmap.formats.folder import open_folder
from bgb_assets.modalities.beatmap.formats.info import parse_info
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets_tests.modalities.beatmap.map_files import NOTE_V3, difficulty_v3, info_v2, parsed, write_files


def read(folder):
    opened = open_folder(folder)
    song = parse_info(read_json(opened.path(opened.info), opened.info), opened.info)
    return [read_difficulty(opened, song, item, read_audio_data(opened, song)) for item in song.difficulties]


def test_a_missing_file_and_an_unknown_name_are_values_with_a_reason(tmp_path):
    files = {("Standard", "Easy"): "Easy.dat", ("Standard", "Lunatic"): "x.dat", ("Standard", "Hard"): ""}
    missing, unknown, unnamed = read(write_files(tmp_path, {"Info.dat": info_v2(files)}))
    assert isinstance(missing, Unusable)
    assert (missing.status, missing.reason) == (
        "missing_file",
        "Info names the file 'Easy.dat', which is not in the upload",
    )
    assert (unknown.status, unknown.reason) == ("invalid", "unknown difficulty name 'Lunatic' without a known rank")
    assert unnamed.status == "missing_file"


def test_what_a_file_gets_wrong_is_its_reason(tmp_path):
    (broken,) = read(write_files(tmp_path, {"Info.dat": info_v2(), "Expert.dat": b'{"version": "3.0.0",}'}))
    assert (broken.status, broken.reason) == ("invalid", "Expert.dat: invalid JSON at line 1 column 21")


@pytest.mark.parametrize(
    ("changed", "flag"), [({"_songTimeOffset": 0.1}, "song_time_offset"), ({"_shuffle": 1}, "shuffle")]
)
def test_what_moves_notes_in_no_editor_is_flagged(tmp_path, changed, flag):
    files = {"Info.dat": info_v2(**changed), "Expert.dat": difficulty_v3(NOTE_V3)}
    assert read(write_files(tmp_path, files))[0].flags == (flag,)


def test_audio_data_beside_older_files_is_only_compared(tmp_path):
    region = {"_startSampleIndex": 0, "_endSampleIndex": 44100 * 60, "_startBeat": 0, "_endBeat": 120}
    files = {
        "Info.dat": info_v2(),
        "Expert.dat": difficulty_v3(NOTE_V3),
        "bpminfo.dat": {"_songFrequency": 44100, "_regions": [region]},
    }
    assert read(write_files(tmp_path, files))[0].flags == ()
    files["bpminfo.dat"] = {"_songFrequency": 44100, "_regions": [region | {"_endSampleIndex": 44100 * 60 + 500}]}
    (difficulty,) = read(write_files(tmp_path, files))
    assert difficulty.flags == ("bpm_info_disagrees",)
    assert float(difficulty.tempo.time(120)) == pytest.approx(60.0, abs=1e-9)


def test_unreadable_audio_data_fails_only_files_that_need_it(tmp_path):
    files = {
        "Info.dat": {
            "version": "4.0.0",
            "audio": {"bpm": 100, "audioDataFilename": "AudioData.dat"},
            "difficultyBeatmaps": [
                {"characteristic": "Standard", "difficulty": "Easy", "beatmapDataFilename": "3.dat"},
                {"characteristic": "Standard", "difficulty": "Hard", "beatmapDataFilename": "4.dat"},
            ],
        },
        "3.dat": difficulty_v3(NOTE_V3),
        "4.dat": {"version": "4.0.0"},
        "AudioData.dat": b"{",
    }
    older, newer = read(write_files(tmp_path, files))
    assert older.base_bpm == 100
    assert newer.reason.startswith("AudioData.dat: invalid JSON at line 1")


def test_version_1_has_tempo_jump_and_shuffle_of_its_own(tmp_path):
    level = {"difficulty": "Hard", "difficultyRank": 5, "jsonPath": "Hard.json"}
    own = {
        "_version": "1.5.0",
        "_beatsPerMinute": 150,
        "_noteJumpSpeed": 14,
        "_noteJumpStartBeatOffset": 0.5,
        "_shuffle": 1,
    }
    files = {
        "info.json": {"songName": "x", "beatsPerMinute": 100, "difficultyLevels": [level]},
        "Hard.json": own | {"_notes": [{"_time": 1}]},
    }
    (difficulty,) = read(write_files(tmp_path, files))
    assert (difficulty.base_bpm, difficulty.info.njs, difficulty.info.njo) == (150, 14, 0.5)
    assert difficulty.flags == ("shuffle",)
    files["Hard.json"]["_beatsPerMinute"] = 0
    assert read(write_files(tmp_path, files))[0].status == "invalid"


def test_with_a_later_info_its_tempo_counts_alone():
    assert parsed({"_version": "1.5.0", "_beatsPerMinute": 150, "_notes": []}, bpm=100).base_bpm == 100


def test_ignored_tempo_events_and_odd_regions_are_flagged():
    assert parsed(difficulty_v3(bpmEvents=[{"b": 3, "m": 0}])).flags == ("tempo_events_ignored",)
    gap = {"songFrequency": 100, "bpmData": [{"si": 100, "ei": 200, "sb": 0, "eb": 2}]}
    assert parsed({"version": "4.0.0"}, audio_data=gap).flags == ("irregular_regions",)


def test_dropped_objects_are_said():
    assert parsed(difficulty_v3({"c": 5})).warnings == ("Expert.dat: unknown_color: 1",)
