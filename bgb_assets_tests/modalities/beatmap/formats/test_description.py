import shutil

import pytest

from bgb_assets.modalities.beatmap.audio.audio_identity import identify_audio
from bgb_assets.modalities.beatmap.formats.description import describe, lines
from bgb_assets.modalities.beatmap.raw import RawParams, run
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import REPOSITORY, shared_data
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, info_v2, simple_map, write_files

SAMPLE = REPOSITORY / "data" / "samples" / "beatmap" / "song_0000"


def test_the_ids_are_those_of_stage_raw(tmp_path):
    made = run({"upload": SAMPLE}, RawParams(), tmp_path)
    found = describe(SAMPLE)
    assert found["song_hash"] == made.facets["song"]
    assert found["audio"]["audio_id"] == made.facets["audio"] == identify_audio(SAMPLE / "song.egg").audio_id
    for row in found["difficulties"]:
        assert row["beatmap_id"] == made.facets[f"difficulty.{row['characteristic']}.{row['difficulty']}"]
        assert row["tempo_id"] in found["tempo_maps"]


def test_audio_is_told_by_its_own_header():
    audio = describe(SAMPLE)["audio"]
    assert (audio["file"], audio["codec"]) == ("song.egg", "vorbis")
    assert audio["seconds"] == pytest.approx(audio["frames"] / audio["rate_hz"])


def test_a_real_map_with_all_counts():
    found = describe(shared_data("beatmap") / "maps" / "JOURNEY")
    assert (found["title"], found["artist"], found["mappers"]) == ("Vagueness & JOURNEY", "FELT", ["Kival Evan"])
    assert (found["status"], found["audio"], found["bpm"]) == ("partial", None, 185.0)
    rows = {(row["characteristic"], row["difficulty"]): row for row in found["difficulties"]}
    assert [row["status"] for row in rows.values()].count("missing_file") == 4
    one_saber = rows["OneSaber", "ExpertPlus"]
    counts = {"notes": 1227, "bombs": 22, "walls": 435, "arcs": 45, "chains": 0}
    assert counts.items() <= one_saber["counts"].items()
    assert (one_saber["version"], one_saber["njs"], round(one_saber["nps"], 3)) == ("3.1.0", 17.0, 3.667)
    assert (round(one_saber["first_s"], 6), round(one_saber["last_s"], 6)) == (1.925676, 336.486486)
    assert one_saber["length_s"] == one_saber["last_s"] - one_saber["first_s"]
    lost = rows["Standard", "Hard"]
    assert (lost["nps"], lost["length_s"], lost["njs"]) == (None, None, 15.0)
    assert lost["remedy"] == "add the file or remove the difficulty from Info"


def test_tempo_changes_are_listed(tmp_path):
    changes = difficulty_v3({"b": 4}, {"b": 10}, bpmEvents=[{"b": 8, "m": 60}, {"b": 12, "m": 240}])
    found = describe(write_files(tmp_path, {"Info.dat": info_v2(), "Expert.dat": changes}))
    (tempo,) = found["tempo_maps"].values()
    assert (tempo["changes"], tempo["min_bpm"], tempo["max_bpm"]) == (2, 60.0, 240.0)
    assert [(piece["beat"], piece["time_s"], piece["bpm"]) for piece in tempo["pieces"]] == [
        (0.0, 0.0, 120.0),
        (8.0, 4.0, 60.0),
        (12.0, 8.0, 240.0),
    ]
    assert any(line.endswith("60 to 240 BPM, 2 changes") for line in lines(found))


def test_every_file_has_its_own_version(tmp_path):
    audio_data = {"_version": "2.0.0", "_songFrequency": 44100, "_regions": []}
    folder = simple_map(tmp_path)
    write_files(folder, {"BPMInfo.dat": audio_data})
    assert describe(folder)["files"] == [
        {"file": "Info.dat", "version": "2.1.0"},
        {"file": "Expert.dat", "version": "3.3.0"},
        {"file": "BPMInfo.dat", "version": "2.0.0"},
    ]
    (folder / "BPMInfo.dat").write_bytes(b"{")
    assert describe(folder)["files"][-1] == {"file": "BPMInfo.dat", "version": "unreadable"}
    assert any("audio data is not used" in warning for warning in describe(folder)["warnings"])


def test_flags_and_requirements_are_told(tmp_path):
    folder = simple_map(tmp_path, {"b": 4}, _songTimeOffset=0.2, _shuffle=0.5)
    found = describe(folder)
    (row,) = found["difficulties"]
    assert row["flags"] == ["shuffle", "song_time_offset"]
    assert (found["song_time_offset_s"], found["shuffle"]) == (0.2, 0.5)


def test_a_map_without_notes_has_no_length(tmp_path):
    folder = write_files(tmp_path, {"Info.dat": info_v2(), "Expert.dat": difficulty_v3()})
    (row,) = describe(folder)["difficulties"]
    assert (row["status"], row["counts"]["notes"], row["length_s"], row["nps"]) == ("ok", 0, None, None)


def test_a_broken_map_says_why_as_stage_raw_does(tmp_path):
    folder = tmp_path / "map"
    shutil.copytree(SAMPLE, folder)
    for path in folder.glob("*Standard.dat"):
        path.write_bytes(b"{")
    with pytest.raises(BadInput) as described:
        describe(folder)
    with pytest.raises(BadInput) as ran:
        run({"upload": folder}, RawParams(), tmp_path)
    assert str(described.value) == str(ran.value)
    assert "invalid JSON" in str(ran.value)
