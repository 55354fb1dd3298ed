from bgb_assets.modalities.beatmap.identities import song_hash
from bgb_assets.modalities.beatmap.song import difficulty_json, read_song, song_identity, song_json
from bgb_assets_tests.modalities.beatmap.map_files import NOTE_V3, difficulty_v3, info_v2, write_files


def files(*names):
    info = info_v2({("Standard", name): f"{name}.dat" for name in names})
    return {"Info.dat": info} | {f"{name}.dat": difficulty_v3(NOTE_V3) for name in names}


def test_difficulties_are_sorted_whatever_info_says(tmp_path):
    song = read_song(write_files(tmp_path, files("ExpertPlus", "Easy", "Hard")))
    assert [item.info.difficulty for item in song.difficulties] == ["Easy", "Hard", "ExpertPlus"]


def test_the_song_hash_covers_the_readable_difficulties(tmp_path):
    song = read_song(write_files(tmp_path, files("Easy", "Hard") | {"Hard.dat": b"{"}))
    (row, broken) = song_json(song)["difficulties"]
    assert (song.status, broken["status"]) == ("partial", "invalid")
    assert song_identity(song) == song_hash(None, [("Standard", "Easy", row["beatmap_id"], row["tempo_id"])])


def test_version_and_structure_that_disagree_are_a_warning(tmp_path):
    contents = files("Easy") | {"Easy.dat": {"version": "3.0.0", "_notes": [{}]}}
    song = read_song(write_files(tmp_path, contents))
    assert "Easy.dat: the version string says '3.0.0', the structure is that of version 2" in song.warnings


def test_unreadable_audio_data_beside_older_files_is_a_warning(tmp_path):
    song = read_song(write_files(tmp_path, files("Easy") | {"BPMInfo.dat": b"["}))
    assert any(warning.startswith("audio data is not used: BPMInfo.dat: invalid JSON") for warning in song.warnings)


def test_equal_objects_give_equal_files(tmp_path):
    first = read_song(write_files(tmp_path / "a", files("Easy")))
    v2 = {"_version": "2.2.0", "_notes": [{"_time": 10, "_lineIndex": 1, "_cutDirection": 1}]}
    second = read_song(write_files(tmp_path / "b", files("Easy") | {"Easy.dat": v2}))
    assert difficulty_json(first.readable[0]) == difficulty_json(second.readable[0])
