import subprocess
import sys

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.beatmap import notes, raw
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import NOTE_V3, difficulty_v3, info_v2, simple_map, write_files

HOP_S = 512 / 22050
REAL = {
    ("werewolf_howls", "Standard", "Easy"): (258, 144, 324, 2.492, 252, 2),
    ("werewolf_howls", "Standard", "Normal"): (371, 140, 324, 3.584, 359, 2),
    ("werewolf_howls", "Standard", "Hard"): (495, 154, 324, 4.782, 480, 5),
    ("werewolf_howls", "Standard", "Expert"): (729, 121, 263, 6.969, 691, 2),
    ("werewolf_howls", "Standard", "ExpertPlus"): (909, 102, 261, 8.690, 845, 0),
    ("JOURNEY", "Standard", "ExpertPlus"): (2313, 16, 236, 6.914, 2135, 1),
    ("JOURNEY", "OneSaber", "ExpertPlus"): (1227, 22, 435, 3.667, 1097, 25),
}


def read_raw(folder, work):
    (work / "raw").mkdir(parents=True)
    raw.run({"upload": folder}, None, work / "raw")
    return work / "raw"


def run(folder, work, features=None):
    inputs = {"raw": read_raw(folder, work)} | ({"features": features} if features else {})
    (work / "notes").mkdir()
    result = notes.run(inputs, notes.NotesParams(), work / "notes")
    return result, {path.stem: pq.read_table(path) for path in (work / "notes").iterdir()}


def beatmaps(tables):
    rows = tables["beatmaps"].to_pylist()
    return {(row["characteristic"], row["difficulty"]): row for row in rows}


@pytest.mark.parametrize("folder", ["werewolf_howls", "JOURNEY"])
def test_measures_of_real_maps(tmp_path, folder):
    result, tables = run(shared_data("beatmap") / "maps" / folder, tmp_path)
    rows = beatmaps(tables)
    for (name, characteristic, difficulty), expected in REAL.items():
        if name != folder:
            continue
        row = rows[characteristic, difficulty]
        found = (row["notes"], row["bombs"], row["walls"], round(row["nps"], 3), row["swings"], row["parity_errors"])
        assert found == expected
    assert tables["notes"].num_rows == sum(item[0] for key, item in REAL.items() if key[0] == folder)
    assert result.metadata["notes"] == tables["notes"].num_rows
    assert len(set(tables["notes"]["song_hash"].to_pylist())) == 1


def test_unreadable_difficulties_are_rows_with_a_reason(tmp_path):
    _, tables = run(shared_data("beatmap") / "maps" / "JOURNEY", tmp_path)
    row = beatmaps(tables)["Standard", "Hard"]
    assert (row["status"], row["rank"], row["njs"]) == ("missing_file", 5, 15)
    assert row["reason"] == "Info names the file 'HardStandard.dat', which is not in the upload"
    assert row["beatmap_id"] is row["notes"] is row["nps"] is None


def test_times_follow_the_tempo_and_bpm_is_that_at_the_note(tmp_path):
    document = difficulty_v3({"b": 10}, {"b": 16}, bpmEvents=[{"b": 8, "m": 60}, {"b": 12, "m": 240}])
    files = {"Info.dat": info_v2(), "Expert.dat": document}
    _, tables = run(write_files(tmp_path / "in", files), tmp_path)
    assert tables["notes"]["time_s"].to_pylist() == [6.0, 9.0]
    assert tables["notes"]["bpm"].to_pylist() == [60.0, 240.0]
    row = beatmaps(tables)["Standard", "Expert"]
    assert (row["bpm_base"], row["tempo_changes"], row["first_s"], row["last_s"]) == (120.0, 2, 6.0, 9.0)


def test_a_difficulty_without_notes_divides_by_nothing(tmp_path):
    result, tables = run(write_files(tmp_path / "in", {"Info.dat": info_v2(), "Expert.dat": difficulty_v3()}), tmp_path)
    row = beatmaps(tables)["Standard", "Expert"]
    assert (row["notes"], row["swings"], row["status"]) == (0, 0, "ok")
    assert row["nps"] is row["first_s"] is row["off_grid_share"] is row["timing_ratio"] is None
    assert "notes" not in tables
    assert result.metadata["notes"] == 0


def onset_folder(folder, times_s, seconds=60.0):
    folder.mkdir()
    frames_s = np.arange(int(seconds / HOP_S)) * HOP_S
    strength = np.exp(-((np.abs(frames_s[:, None] - np.asarray(times_s)).min(axis=1) / 0.03) ** 2))
    np.save(folder / "onset.npy", strength.astype(np.float32))
    (folder / "features.json").write_bytes(orjson.dumps({"hop_s": HOP_S}))
    return folder


def test_the_timing_audit_reads_the_onsets_of_the_song(tmp_path):
    beats = np.arange(4, 100, 1.25)
    folder = simple_map(
        tmp_path / "in", *({"b": float(beat)} for beat in beats), {"b": 7.7, "customData": {"uninteractable": True}}
    )
    features = onset_folder(tmp_path / "features", beats / 2 + 0.04)
    result, tables = run(folder, tmp_path, features)
    row = beatmaps(tables)["Standard", "Expert"]
    assert row["timing_shift_ms"] == pytest.approx(40, abs=5)
    assert row["timing_ratio"] > 3
    assert result.metadata["timing_ratio"]["Standard Expert"] == pytest.approx(row["timing_ratio"])


def test_onsets_are_in_the_facet_through_what_they_change(tmp_path):
    folder = simple_map(tmp_path / "in", {"b": 8}, {"b": 16})
    without, _ = run(folder, tmp_path / "1")
    (tmp_path / "absent").mkdir()
    absent, _ = run(folder, tmp_path / "2", tmp_path / "absent")
    heard, _ = run(folder, tmp_path / "3", onset_folder(tmp_path / "features", [4.0]))
    assert without.facets == absent.facets != heard.facets


def test_flags_are_the_reason_of_a_readable_difficulty(tmp_path):
    folder = simple_map(tmp_path / "in", _shuffle=1, _songTimeOffset=0.2)
    _, tables = run(folder, tmp_path)
    row = beatmaps(tables)["Standard", "Expert"]
    assert (row["status"], row["reason"]) == ("ok", "shuffle,song_time_offset")


def test_notes_behind_the_audio_are_flagged(tmp_path):
    source = shared_data("beatmap") / "audio" / "sorohanro_-_solo-trumpet-06.ogg"  # 5.333 s
    for beat, reason in ((14.6, None), (14.7, "notes_after_audio")):
        files = {"Info.dat": info_v2(), "Expert.dat": difficulty_v3({"b": beat}), "song.egg": source.read_bytes()}
        _, tables = run(write_files(tmp_path / f"{beat}", files), tmp_path / f"work{beat}")
        assert beatmaps(tables)["Standard", "Expert"]["reason"] == reason


def test_requirements_counts_of_fakes_and_out_of_grid(tmp_path):
    info = info_v2()
    entry = info["_difficultyBeatmapSets"][0]["_difficultyBeatmaps"][0]
    entry["_customData"] = {"_requirements": ["Noodle Extensions"]}
    document = difficulty_v3(NOTE_V3, {"x": 4}, {"y": -1}, bombNotes=[{"x": 9, "customData": {"uninteractable": True}}])
    _, tables = run(write_files(tmp_path / "in", {"Info.dat": info, "Expert.dat": document}), tmp_path)
    row = beatmaps(tables)["Standard", "Expert"]
    assert (row["out_of_grid"], row["fake"], row["requirements"]) == (3, 1, ["Noodle Extensions"])


def test_notes_before_beat_0_are_rows_and_those_without_a_beat_are_not(tmp_path):
    times = [{"b": beat} for beat in (-2.0, 4.0, float("nan"), float("inf"), 1_000_001)]
    result, tables = run(simple_map(tmp_path / "in", *times), tmp_path)
    assert tables["notes"]["beat"].to_pylist() == [-2.0, 4.0]
    assert tables["notes"]["time_s"].to_pylist() == [-1.0, 2.0]
    song = orjson.loads((tmp_path / "raw" / "song.json").read_bytes())
    assert song["difficulties"][0]["issues"] == {"beyond_last_beat": 1, "not_finite": 2}
    assert result.metadata["notes"] == 2


def test_clamped_values_are_counted_and_said(tmp_path):
    result, _ = run(simple_map(tmp_path / "in", {"x": 40_000}), tmp_path)
    assert result.metadata["clamped"] == 1
    assert result.warnings == ("1 values do not fit into their columns and were clamped",)


def test_a_rerun_writes_equal_bytes(tmp_path):
    upload = shared_data("beatmap") / "maps" / "JOURNEY"
    first, _ = run(upload, tmp_path / "1")
    second, _ = run(upload, tmp_path / "2")
    assert first == second
    for path in (tmp_path / "1" / "notes").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / "notes" / path.name).read_bytes()


def test_describing_the_modality_imports_no_pyarrow():
    code = (
        "import sys; import bgb_assets.modalities.beatmap.notes as notes; assert 'pyarrow' not in sys.modules; "
        "assert 'notes' in notes.TABLES; assert 'pyarrow' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_of_the_module_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'TABELS'"):
        notes.TABELS  # noqa: B018
