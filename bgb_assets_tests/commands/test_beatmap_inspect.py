"""`bgb inspect beatmap` from end to end, on maps as people have them."""

from pathlib import Path

import pytest

from bgb_assets_tests.commands.map_verbs import SAMPLE, exported, oldest, zipped
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import info_v2, write_files
from bgb_assets_tests.test_cli import bgb


@pytest.fixture
def journey() -> Path:
    return shared_data("beatmap") / "maps" / "JOURNEY"


def test_a_map_with_audio(tmp_path: Path) -> None:
    found = bgb("inspect", "beatmap", SAMPLE, "--json").json()
    assert (found["map"], found["status"], found["audio"]["file"]) == (str(SAMPLE), "ok", "song.egg")
    assert found["files"][0] == {"file": "Info.dat", "version": "2.1.0"}
    packed = bgb("inspect", "beatmap", zipped(SAMPLE, tmp_path / "sample.zip"), "--json").json()
    assert packed | {"map": ""} == found | {"map": ""}
    said = bgb("inspect", "beatmap", SAMPLE)
    assert said.code == 0
    assert f"song_hash {found['song_hash']}, status ok" in said.out
    assert f"audio_id {found['audio']['audio_id']}" in said.out


def test_a_real_map_of_which_files_are_missing(journey: Path) -> None:
    said = bgb("inspect", "beatmap", journey)
    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[0] == "Vagueness & JOURNEY by FELT, mapped by Kival Evan"
    assert lines[2] == "audio: none"
    assert lines[4] == "files: Info.dat (2.0.0), ExpertPlusOneSaber.dat (3.1.0), ExpertPlusStandard.dat (2.6.0)"
    (row,) = (line.split() for line in lines if line.startswith("OneSaber ExpertPlus"))
    assert row == ["OneSaber", "ExpertPlus", "1227", "22", "435", "45", "0", "334.6", "3.667", "17", "ok"]
    (lost,) = (line.split() for line in lines if line.startswith("Standard Hard"))
    assert lost[2:] == ["-", "-", "-", "-", "-", "-", "-", "15", "missing_file"]
    reason = "Info names the file 'HardStandard.dat', which is not in the upload"
    assert any(line.startswith(f"warning: Standard Hard: missing_file: {reason}") for line in lines)
    assert any(line.startswith("warning: no_audio: ") for line in lines)


@pytest.mark.parametrize("version", ["v2", "v3", "v4"])
def test_the_same_objects_have_the_same_id_in_every_version(journey: Path, tmp_path: Path, version: str) -> None:
    howls = journey.parent / "werewolf_howls"
    again = bgb("inspect", "beatmap", exported(howls, tmp_path / "again.zip", version), "--json").json()  # type: ignore[arg-type]
    original = bgb("inspect", "beatmap", howls, "--json").json()
    ids = [[row["beatmap_id"] for row in found["difficulties"]] for found in (original, again)]
    assert ids[0] == ids[1]
    assert again["difficulties"][0]["version"].startswith(version[1])


def test_the_oldest_version(journey: Path, tmp_path: Path) -> None:
    found = bgb("inspect", "beatmap", oldest(journey.parent / "werewolf_howls", tmp_path, "Easy"), "--json").json()
    (row,) = found["difficulties"]
    assert (found["title"], row["difficulty"], row["counts"]["notes"]) == ("Old", "Easy", 258)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "the folder is empty, expected an Info.dat"),
        ({"Info.dat": b""}, "Info.dat: the file is empty, expected JSON"),
        ({"Info.dat": info_v2(_beatsPerMinute=0)}, "beats per minute must be a positive number, got 0"),
        ({"Info.dat": info_v2()}, "Info names the file 'Expert.dat', which is not in the upload"),
        ({"Info.dat": info_v2(), "Expert.dat": b"{"}, "Expert.dat: invalid JSON"),
        ({"Info.dat": info_v2({})}, "names no difficulty"),
    ],
)
def test_a_broken_map_ends_with_1_and_the_reason(tmp_path: Path, files: dict[str, object], message: str) -> None:
    folder = tmp_path / "map"
    folder.mkdir()
    said = bgb("inspect", "beatmap", write_files(folder, files))
    assert (said.code, said.out) == (1, "")
    assert message in said.err
    assert said.err.count("\n") == 1


def test_garbage_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 and then nothing")
    said = bgb("inspect", "beatmap", tmp_path / "bad.zip")
    assert said.code == 1
    assert "archive 'bad.zip' is damaged" in said.err
    said = bgb("inspect", "beatmap", tmp_path / "none")
    assert (said.code, said.err) == (2, f"error: {tmp_path / 'none'}: no such map; give a folder or a zip\n")
