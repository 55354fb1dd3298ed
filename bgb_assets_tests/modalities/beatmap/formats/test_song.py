import gzip
import json

from bgb_assets.modalities.beatmap import raw
from bgb_assets.modalities.beatmap.formats.identities import song_hash
from bgb_assets.modalities.beatmap.formats.song import difficulty_json, read_song, song_identity, song_json
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


def test_maps_that_no_server_knows_are_songs_of_their_own(tmp_path):
    contents = [files("Easy") | {"Easy.dat": difficulty_v3(NOTE_V3 | {"b": beat})} for beat in range(3)]
    songs = [read_song(write_files(tmp_path / str(number), held)) for number, held in enumerate(contents)]
    assert len({song_identity(song) for song in songs}) == 3


def test_the_song_hash_is_of_the_music_and_notes_not_of_the_files_in_the_folder(tmp_path):
    wanted = song_identity(read_song(write_files(tmp_path / "as it was", files("Easy", "Hard"))))
    # Names that Windows and Linux sort differently, files that Info does not name, another Info.
    info = info_v2({("Standard", "Easy"): "b.dat", ("Standard", "Hard"): "A.dat"}, _songName="Other", _customData={})
    held = {"Info.dat": info, "b.dat": difficulty_v3(NOTE_V3), "A.dat": difficulty_v3(NOTE_V3)}
    held |= {"Stray.dat": b"not read", "autosaves/Easy.dat": difficulty_v3()}
    assert song_identity(read_song(write_files(tmp_path / "renamed", held))) == wanted


def test_the_clock_in_a_gzip_header_is_no_part_of_a_song(tmp_path):
    def extracted(folder, clock_s):
        held = {name: json.dumps(content).encode() for name, content in files("Easy", "Hard").items()}
        return write_files(folder, {name: gzip.compress(content, mtime=clock_s) for name, content in held.items()})

    first, second = (extracted(tmp_path / str(clock_s), clock_s) for clock_s in (0, 1_700_000_000))
    assert (first / "Easy.dat").read_bytes() != (second / "Easy.dat").read_bytes()
    assert raw.fingerprint(first) == raw.fingerprint(second)
    assert song_identity(read_song(first)) == song_identity(read_song(second))
