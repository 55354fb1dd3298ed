"""`bgb evaluate beatmap` from end to end, on maps as people have them."""

import json
import shutil
from pathlib import Path

import pytest
import soundfile

from bgb_assets.modalities.beatmap.measures.evaluation import MEASURES
from bgb_assets_tests.commands.map_verbs import SAMPLE, exported, oldest, zipped
from bgb_assets_tests.driving import fan_in, ingest, walk
from bgb_assets_tests.e2e.songs import open_chain
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, info_v2, simple_map, write_files
from bgb_assets_tests.test_cli import CONFIG, bgb

AUDIO = [name for name in MEASURES if name.startswith("audio_onset_")]
REFERENCE = [name for name in MEASURES if name.startswith("onset_")]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root in which there is nothing."""
    path = tmp_path / "data"
    path.mkdir()
    (path / "config.toml").write_text(CONFIG)
    monkeypatch.setenv("BGB_DATA_ROOT", str(path))
    return path


@pytest.fixture
def howls() -> Path:
    return shared_data("beatmap") / "maps" / "werewolf_howls"


def measured(*arguments: object) -> dict[str, dict[str, float | None]]:
    """Return difficulty -> measures."""
    said = bgb("evaluate", "beatmap", *arguments, "--json")
    assert said.code == 0, said.err
    return {one["difficulty"]: one["measures"] for one in said.json()["difficulties"]}


def test_a_map_with_audio_is_heard_and_nothing_else_is_asked_for() -> None:
    said = bgb("evaluate", "beatmap", SAMPLE, "--json").json()
    assert (said["map"], said["reference"], said["audio"]) == (str(SAMPLE), None, "song.egg")
    assert said["warnings"] == []
    for one in said["difficulties"]:
        assert list(one["measures"]) == sorted(MEASURES)
        assert set(one["missing"]) == {*REFERENCE, "nps_error", "seam_ratio", "total_variation"}
        # The sample's notes lie on its sounds.
        assert one["measures"]["audio_onset_precision"] > 0.8


def test_a_real_map_without_audio_has_null_and_the_reason(howls: Path) -> None:
    said = bgb("evaluate", "beatmap", howls, "--json").json()
    assert said["audio"] is None
    assert len(said["difficulties"]) == 5
    for one in said["difficulties"]:
        assert [one["measures"][name] for name in AUDIO] == [None] * 3
        assert {one["missing"][name] for name in AUDIO} == {"the map has no audio and no --audio was given"}
        assert one["missing"]["onset_f1"] == "no --reference was given"
    expert_plus = said["difficulties"][-1]["measures"]
    assert (expert_plus["notes"], expert_plus["swings"], expert_plus["parity_violations"]) == (909, 845, 0)
    assert said["warnings"] == ["no_audio: Info names 'ww.egg', which is not in the upload"]


def test_a_folder_and_its_zip_are_measured_alike_and_agree_with_themselves(howls: Path, tmp_path: Path) -> None:
    packed = zipped(howls, tmp_path / "howls.zip")
    as_folder, as_zip = measured(howls, "--reference", packed), measured(packed, "--reference", howls)
    assert as_folder == as_zip
    for measures in as_folder.values():
        assert [measures[name] for name in REFERENCE] == [1.0] * 6


@pytest.mark.parametrize("version", ["v2", "v3", "v4"])
def test_every_version_of_a_map_is_measured_alike(howls: Path, tmp_path: Path, version: str) -> None:
    again = exported(howls, tmp_path / "again.zip", version)  # type: ignore[arg-type]
    original, written = measured(howls, "--reference", howls), measured(again, "--reference", howls)
    for difficulty, measures in original.items():
        assert written[difficulty] == pytest.approx(measures)


def test_version_1_is_measured_too(howls: Path, tmp_path: Path) -> None:
    old = oldest(howls, tmp_path / "old", "Hard")
    assert measured(old, "--reference", howls)["Hard"] == pytest.approx(measured(howls, "--reference", howls)["Hard"])


def test_audio_that_is_named_counts_before_the_maps_own(tmp_path: Path) -> None:
    mute = zipped(SAMPLE, tmp_path / "mute.zip", without="song.egg")
    assert all(measures["audio_onset_f1"] is None for measures in measured(mute).values())
    assert measured(mute, "--audio", SAMPLE / "song.egg") == measured(SAMPLE)
    samples, rate_hz = soundfile.read(SAMPLE / "song.egg")
    soundfile.write(tmp_path / "silence.wav", samples * 0, rate_hz)
    said = bgb("evaluate", "beatmap", SAMPLE, "--audio", tmp_path / "silence.wav", "--json").json()
    assert said["audio"] == str(tmp_path / "silence.wav")
    assert {one["missing"]["audio_onset_f1"] for one in said["difficulties"]} == {"the audio has no onsets"}


def test_bad_audio_is_a_reason_in_a_map_and_an_error_where_it_was_named(tmp_path: Path) -> None:
    folder = tmp_path / "map"
    shutil.copytree(SAMPLE, folder)
    (folder / "song.egg").write_bytes(b"no audio at all")
    for one in bgb("evaluate", "beatmap", folder, "--json").json()["difficulties"]:
        assert one["measures"]["audio_onset_f1"] is None
        assert one["missing"]["audio_onset_f1"].startswith("song.egg: cannot be decoded as audio")
        assert one["measures"]["notes"] > 0
    said = bgb("evaluate", "beatmap", folder, "--audio", folder / "song.egg")
    assert (said.code, said.out) == (1, "")
    assert "song.egg: cannot be decoded as audio" in said.err


def test_pace_and_seams_that_are_told_are_measured(howls: Path) -> None:
    journey = howls.parent / "JOURNEY"
    said = bgb("evaluate", "beatmap", journey, "--nps", "3.5", "--seams", "40,80,120", "--json").json()
    found = {(one["characteristic"], one["difficulty"]): one for one in said["difficulties"]}
    one_saber = found["OneSaber", "ExpertPlus"]["measures"]
    assert one_saber["nps_error"] == pytest.approx(abs(one_saber["nps"] - 3.5) / 3.5)
    assert one_saber["seam_ratio"] >= 0.0
    assert found["Standard", "Hard"]["status"] == "missing_file"
    assert found["Standard", "Hard"]["measures"] == {}


def test_a_reference_without_the_difficulty_says_so(howls: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(howls, other)
    (other / "HardStandard.dat").unlink()
    for one in bgb("evaluate", "beatmap", howls, "--reference", other, "--json").json()["difficulties"]:
        reason = one["missing"].get("onset_f1")
        hard = one["difficulty"] == "Hard"
        assert reason == ("the reference has no readable Standard Hard" if hard else None)


def test_a_reference_of_another_recording_is_a_warning() -> None:
    said = bgb("evaluate", "beatmap", SAMPLE, "--reference", SAMPLE.parent / "song_0001", "--json").json()
    assert said["warnings"] == ["the reference's audio is not the map's: times may not agree"]


def test_notes_are_held_against_the_training_maps_of_the_store_and_against_nothing_that_was_freed(root: Path) -> None:
    for key in ("song_0000", "song_0001"):
        shutil.copytree(SAMPLE.parent / key, root / "inbox" / "beatmap" / key)
    (root / "config.toml").write_text(CONFIG + "[beatmap.manifest.split]\nval = 0.0\ntest = 0.0\n")
    assert {one["total_variation"] for one in measured(SAMPLE).values()} == {None}
    chain = open_chain(root)
    ingest(chain)
    walk(chain)
    fan_in(chain, ["manifest"])
    distances = [one["total_variation"] for one in measured(SAMPLE).values()]
    assert all(0.0 < (distance or 0.0) < 0.9 for distance in distances)
    for entry in (root / "notes" / "beatmap").iterdir():
        shutil.rmtree(entry)
    assert [one["total_variation"] for one in measured(SAMPLE).values()] == distances
    shutil.rmtree(root / "manifest")
    for one in bgb("evaluate", "beatmap", SAMPLE, "--json").json()["difficulties"]:
        assert one["measures"]["total_variation"] is None
        assert "no tables.json in" in one["missing"]["total_variation"]


def test_a_store_is_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BGB_DATA_ROOT")
    monkeypatch.chdir(tmp_path)
    for one in bgb("evaluate", "beatmap", SAMPLE, "--json").json()["difficulties"]:
        assert one["missing"]["total_variation"].startswith("no data root")


def test_the_table_has_every_measure_and_every_reason(howls: Path) -> None:
    said = bgb("evaluate", "beatmap", howls, "--reference", howls)
    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[0].split() == ["Standard"] * 5
    assert lines[1].split()[:6] == ["measure", "Easy", "Normal", "Hard", "Expert", "ExpertPlus"]
    rows = {line.split()[0]: line.split()[1:6] for line in lines[3:] if line.strip()}
    assert set(MEASURES) <= set(rows)
    assert rows["notes"] == ["258", "371", "495", "729", "909"]
    assert rows["nps"] == ["2.492", "3.584", "4.782", "6.969", "8.690"]
    assert rows["onset_f1"] == ["1.000"] * 5
    assert rows["audio_onset_f1"] == ["-"] * 5
    assert f"not told: {', '.join(AUDIO)}: the map has no audio and no --audio was given" in lines
    assert "warning: no_audio: Info names 'ww.egg', which is not in the upload" in lines


def test_what_is_no_map_ends_with_1_and_the_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"<html>not found</html>")
    said = bgb("evaluate", "beatmap", tmp_path / "bad.zip")
    assert (said.code, said.out) == (1, "")
    assert said.err == "error: archive 'bad.zip' is damaged: File is not a zip file; copy or pack it again\n"
    broken = write_files(tmp_path / "broken", {"Info.dat": info_v2(), "Expert.dat": b"{"})
    said = bgb("evaluate", "beatmap", broken)
    assert said.code == 1
    assert "invalid JSON" in said.err
    # The map is read, the reference is not.
    good = simple_map(tmp_path / "good")
    assert bgb("evaluate", "beatmap", good, "--reference", broken).code == 1


def test_a_map_whose_numbers_are_nothing_a_player_could_meet_is_measured(tmp_path: Path) -> None:
    wild = [{"b": 1, "x": 1000, "y": -3000, "d": 1045}, {"b": 2, "x": 3, "d": 8}, {"b": 2, "x": -1, "c": 1}]
    folder = write_files(tmp_path / "wild", {"Info.dat": info_v2(), "Expert.dat": difficulty_v3(*wild)})
    assert measured(folder)["Expert"]["notes"] == 3
    empty = write_files(tmp_path / "empty", {"Info.dat": info_v2(), "Expert.dat": difficulty_v3()})
    assert measured(empty)["Expert"]["notes"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--nps", "0"), "--nps takes a pace above 0, got 0.0"),
        (("--nps", "nan"), "--nps takes a pace above 0, got nan"),
        (("--seams", "4,x"), "--seams takes beats with commas between them, got '4,x'"),
        (("--audio", "nowhere.ogg"), "nowhere.ogg: no such file; give an Ogg, WAV, FLAC or MP3 file"),
        (("--reference", "nowhere"), "nowhere: no such map; give a folder or a zip"),
    ],
)
def test_wrong_use_ends_with_2(options: tuple[str, ...], message: str) -> None:
    said = bgb("evaluate", "beatmap", SAMPLE, *options)
    assert (said.code, said.out, said.err) == (2, "", f"error: {message}\n")


def test_json_holds_no_number_that_json_has_not(howls: Path) -> None:
    said = bgb("evaluate", "beatmap", howls, "--reference", howls, "--json")
    assert json.loads(said.out, parse_constant=pytest.fail)
