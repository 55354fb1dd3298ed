"""`bgb convert beatmap` and `bgb repair beatmap` as a person types them, on real maps."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.audio_identity import identify_audio
from bgb_assets.modalities.beatmap.formats.identities import beatmap_id
from bgb_assets.modalities.beatmap.measures.swings import count_swings
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.converting import (
    EVENT_NEAR_S,
    SAMPLE_NEAR_S,
    check_equal_content,
    complete_journey,
    named,
    read_map,
    real_map,
)
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, simple_map, write_files
from bgb_assets_tests.test_cli import bgb

NEAR_S = {"v2": EVENT_NEAR_S, "v3": EVENT_NEAR_S, "v4": SAMPLE_NEAR_S}
STANDARD, ONE_SABER = ("Standard", "ExpertPlus"), ("OneSaber", "ExpertPlus")


@pytest.mark.parametrize(
    ("name", "versions", "difficulties"),
    [
        ("werewolf_howls", ("v2", "v4", "v3", "v2"), 5),
        ("JOURNEY Standard", ("v2", "v4", "v3", "v2"), 1),
        ("JOURNEY", ("v4", "v3", "v4", "v3"), 2),  # has angles, which version 2 cannot hold
    ],
)
def test_a_real_map_goes_through_all_versions_and_back(
    tmp_path: Path, name: str, versions: tuple[str, ...], difficulties: int
) -> None:
    folder, *characteristics = name.split()
    source = real_map(folder) if folder != "JOURNEY" else complete_journey(tmp_path / folder, *characteristics)
    first, before, near_s = read_map(source), source, 0.0
    assert len(first.readable) == difficulties
    for number, to in enumerate(versions):
        out = tmp_path / f"{number}.zip"
        said = bgb("convert", "beatmap", before, "--to", to, "-o", out)
        assert (said.code, said.err) == (0, "")
        assert f"{out}: {difficulties} difficulties as {to}\n" in said.out
        assert "lost" not in said.out
        near_s += NEAR_S[to]
        check_equal_content(first, read_map(out), near_s)
        before = out
    assert "left out" not in said.out  # all that versions share was carried by the first step


@pytest.mark.parametrize("to", ["v3", "v4"])
def test_arcs_and_angles_of_a_real_map_are_kept(tmp_path: Path, to: str) -> None:
    source = complete_journey(tmp_path / "JOURNEY")
    said = bgb("convert", "beatmap", source, "--to", to, "-o", tmp_path / "out", "--json")
    assert said.code == 0
    assert said.json()["lost"] == {}
    assert said.json()["difficulties"][0]["counts"] == {"arcs": 45, "bombs": 22, "notes": 1227, "walls": 435}
    check_equal_content(read_map(source), read_map(tmp_path / "out"), NEAR_S[to])


def test_angles_do_not_fit_version_2_and_are_counted(tmp_path: Path) -> None:
    source, out = complete_journey(tmp_path / "JOURNEY"), tmp_path / "out.zip"
    said = bgb("convert", "beatmap", source, "--to", "v2", "-o", out)
    assert said.code == 1
    assert said.err == (
        f"error: {source}: as v2 it would lose 96 angles; "
        "mend the map, choose another format, or allow losses with --lossy\n"
    )
    assert not out.exists()
    said = bgb("convert", "beatmap", source, "--to", "v2", "-o", out, "--lossy")
    assert said.code == 0
    assert "lost: 96 angles\n" in said.out
    before, after = named(read_map(source)), named(read_map(out))
    objects = before[ONE_SABER].parsed.objects
    notes = {**objects["notes"], "angle_deg": np.zeros_like(objects["notes"]["angle_deg"])}
    assert beatmap_id(after[ONE_SABER].parsed.objects) == beatmap_id({**objects, "notes": notes})
    assert beatmap_id(after[STANDARD].parsed.objects) == beatmap_id(before[STANDARD].parsed.objects)


def test_difficulties_that_cannot_be_read_are_refused_or_listed(tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    said = bgb("convert", "beatmap", real_map("JOURNEY"), "--to", "v3", "-o", out)
    assert said.code == 1
    assert "4 difficulties that cannot be read; Standard Easy: Info names the file 'EasyStandard.dat'" in said.err
    assert not out.exists()
    said = bgb("convert", "beatmap", real_map("JOURNEY"), "--to", "v3", "-o", out, "--lossy", "--json")
    assert said.json()["lost"] == {"difficulties that cannot be read": 4}
    listed = [(one["difficulty"], one["status"]) for one in said.json()["unreadable"]]
    assert listed == [(name, "missing_file") for name in ("Easy", "Normal", "Hard", "Expert")]
    assert list(named(read_map(out))) == [ONE_SABER, STANDARD]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    source = real_map("werewolf_howls")
    said = bgb("convert", "beatmap", source, "--to", "v3", "-o", tmp_path / "out", "--json")
    documents = [json.loads(path.read_text()) for path in source.glob("*Standard.dat")]
    objects = sum("_customData" in row for one in documents for row in one["_notes"] + one["_obstacles"])
    events = sum("_customData" in row for one in documents for row in one["_events"])
    left = said.json()["left"]
    assert objects > 0 < events
    assert (left["objects with custom data"], left["events with custom data"]) == (objects, events)
    assert left["custom values of difficulties"] == sum(len(one["_customData"]) for one in documents)
    assert set(left) == {
        "objects with custom data",
        "events with custom data",
        "custom values of difficulties",
        "custom values of Info",
    }


def with_song(folder: Path, audio: Path | None, cover: bytes = b"\xff\xd8 a picture") -> Path:
    """Copy a real map and put in the audio and the cover that its Info names."""
    shutil.copytree(real_map("werewolf_howls"), folder)
    (folder / "cover.jpg").write_bytes(cover)
    if audio is not None:
        shutil.copy(audio, folder / "ww.egg")
    return folder


@pytest.mark.parametrize("to", ["v2", "v3", "v4"])
def test_audio_is_copied_without_tags_and_the_cover_as_it_is(tmp_path: Path, to: str) -> None:
    clip = shared_data("beatmap") / "audio" / "Kevin_MacLeod_-_Vibe_Ace.hq.ogg"
    source = with_song(tmp_path / "map", clip)
    said = bgb("convert", "beatmap", source, "--to", to, "-o", tmp_path / "out", "--json")
    assert said.json()["warnings"] == []
    assert said.json()["audio"] == "song.egg"
    after = read_map(tmp_path / "out")
    assert after.warnings == ()
    assert after.audio == identify_audio(clip)
    content = (tmp_path / "out" / "song.egg").read_bytes()
    assert b"Kevin" in clip.read_bytes()
    assert b"Kevin" not in content
    assert (tmp_path / "out" / "cover.jpg").read_bytes() == b"\xff\xd8 a picture"
    check_equal_content(read_map(source), after, NEAR_S[to])


def test_other_audio_is_encoded_and_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", 0.3 * np.sin(np.arange(88_200) / 20), 44_100)
    source = with_song(tmp_path / "map", tmp_path / "a.mp3")
    said = bgb("convert", "beatmap", source, "--to", "v3", "-o", tmp_path / "out.zip")
    assert "warning: the audio 'ww.egg' (mp3) was encoded as Ogg Vorbis\n" in said.out
    assert "audio: song.ogg, without tags\n" in said.out
    after = read_map(tmp_path / "out.zip")
    assert after.warnings == ()
    assert after.audio is not None
    assert (after.audio.codec, after.audio.rate_hz) == ("vorbis", 44_100)


def test_a_map_without_audio_or_cover_is_converted_with_warnings(tmp_path: Path) -> None:
    said = bgb("convert", "beatmap", with_song(tmp_path / "map", None), "--to", "v4", "-o", tmp_path / "out.zip")
    assert said.code == 0
    assert "warning: no_audio: Info names 'ww.egg', which is not in the upload\n" in said.out
    said = bgb("convert", "beatmap", real_map("werewolf_howls"), "--to", "v4", "-o", tmp_path / "out.zip")
    assert "warning: Info names the cover 'cover.jpg', which is not in the map: a plain one is written\n" in said.out


def test_zips_are_flat_and_equal_on_repeat_whatever_the_map_came_in(tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", real_map("werewolf_howls"))
    written = []
    for name, source in (("a.zip", real_map("werewolf_howls")), ("b.zip", Path(packed))):
        assert bgb("convert", "beatmap", source, "--to", "v3", "-o", tmp_path / name).code == 0
        written.append((tmp_path / name).read_bytes())
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert not any("/" in entry for entry in archive.namelist())
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert written[0] == written[1]


def test_places_that_are_in_use_are_refused(tmp_path: Path) -> None:
    source = simple_map(tmp_path / "map")
    (tmp_path / "file").write_text("mine")
    for out, reason in (
        (source, "is the map to read"),
        (tmp_path, "is a folder with files in it"),
        (tmp_path / "file", "is a file"),
    ):
        said = bgb("convert", "beatmap", source, "--to", "v3", "-o", out)
        assert said.code == 2
        assert reason in said.err
    assert sorted(path.name for path in source.iterdir()) == ["Expert.dat", "Info.dat"]
    assert bgb("convert", "beatmap", source, "--to", "v5", "-o", tmp_path / "out").code == 2
    assert bgb("convert", "beatmap", tmp_path / "nothing", "--to", "v3", "-o", tmp_path / "out").code == 2


def files_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("verb", ["convert", "repair"])
def test_a_map_that_cannot_be_read_is_named(tmp_path: Path, verb: str) -> None:
    source = write_files(tmp_path / "map", {"notes.txt": b"no map"})
    said = bgb(verb, "beatmap", source, "--to", "v3", "-o", tmp_path / "out")
    assert said.code == 1
    assert said.err.startswith(f"error: {source}: no Info.dat or info.json among 1 files (notes.txt); ")
    (tmp_path / "a.zip").write_bytes(b"PK no zip")
    said = bgb(verb, "beatmap", tmp_path / "a.zip", "--to", "v3", "-o", tmp_path / "out")
    assert said.code == 1
    assert "a.zip" in said.err
    assert not (tmp_path / "out").exists()


def test_a_real_map_is_repaired_and_keeps_all_else(tmp_path: Path) -> None:
    source, out = with_song(tmp_path / "map", None), tmp_path / "out.zip"
    said = bgb("repair", "beatmap", source, "-o", out, "--json")
    assert said.code == 0
    rows = [
        tuple(one[key] for key in ("difficulty", "swings", "violations_before", "violations_after", "notes_turned"))
        for one in said.json()["difficulties"]
    ]
    assert rows == [
        ("Easy", 252, 2, 0, 2),
        ("Normal", 359, 2, 0, 2),
        ("Hard", 480, 5, 0, 5),
        ("Expert", 691, 2, 0, 2),
        ("ExpertPlus", 845, 0, 0, 0),
    ]
    assert (said.json()["lost"], said.json()["left"]) == ({}, {})
    written = files_of(out)
    assert set(written) == {path.name for path in source.iterdir()}
    for name in ("Info.dat", "cover.jpg", "ExpertPlusStandard.dat"):
        assert written[name] == (source / name).read_bytes()
    old_rows = json.loads((source / "HardStandard.dat").read_text())
    new_rows = json.loads(written["HardStandard.dat"])
    turned = [(old, new) for old, new in zip(old_rows["_notes"], new_rows["_notes"], strict=True) if old != new]
    assert len(turned) == 5
    assert all({**old, "_cutDirection": 0} == {**new, "_cutDirection": 0} for old, new in turned)
    assert {**old_rows, "_notes": 0} == {**new_rows, "_notes": 0}
    before, after = named(read_map(source)), named(read_map(out))
    assert [item.version.text for item in after.values()] == ["2.2.0"] * 5
    for name, item in after.items():
        notes, old = item.parsed.objects["notes"], before[name].parsed.objects["notes"]
        for column in ("beat", "x", "y", "color"):
            assert notes[column].tolist() == old[column].tolist()
        assert count_swings(notes, item.tempo.time(notes["beat"])).violations == 0
    best = ("Standard", "ExpertPlus")
    assert beatmap_id(after[best].parsed.objects) == beatmap_id(before[best].parsed.objects)


def test_each_difficulty_stays_in_its_version_unless_another_is_asked_for(tmp_path: Path) -> None:
    source = complete_journey(tmp_path / "JOURNEY")
    said = bgb("repair", "beatmap", source, "-o", tmp_path / "out.zip")
    assert said.code == 0
    assert f"{tmp_path / 'out.zip'}: 2 difficulties, in the version they came in\n" in said.out
    assert "OneSaber ExpertPlus: 26 notes turned, 25 -> 0 parity violations in 1097 swings\n" in said.out
    assert "Standard ExpertPlus: 1 notes turned, 1 -> 0 parity violations in 2135 swings\n" in said.out
    after = read_map(tmp_path / "out.zip").readable
    assert [item.version.text for item in after] == ["3.1.0", "2.6.0"]
    violations = [
        count_swings(item.parsed.objects["notes"], item.tempo.time(item.parsed.objects["notes"]["beat"])).violations
        for item in after
    ]
    assert violations == [0, 0]
    said = bgb("repair", "beatmap", source, "-o", tmp_path / "v4.zip", "--to", "v4")
    assert said.code == 0
    assert "Standard ExpertPlus: 1 notes turned, 1 -> 0" in said.out
    v4 = read_map(tmp_path / "v4.zip").readable
    ids = [[beatmap_id(item.parsed.objects) for item in readable] for readable in (after, v4)]
    assert ids[0] == ids[1]
    said = bgb("repair", "beatmap", source, "-o", tmp_path / "v2.zip", "--to", "v2")
    assert said.code == 1
    assert "angles" in said.err


def test_a_difficulty_that_is_broken_is_copied_or_stops_a_conversion(tmp_path: Path) -> None:
    files = {("Standard", "Expert"): "Expert.dat", ("Standard", "Hard"): "Hard.dat"}
    source = simple_map(tmp_path / "map", files=files)
    write_files(source, {"Hard.dat": b"{ not json", "Expert.dat": difficulty_v3({"b": 8, "d": 1})})
    said = bgb("repair", "beatmap", source, "-o", tmp_path / "same", "--json")
    assert said.code == 0
    assert [one["difficulty"] for one in said.json()["unreadable"]] == ["Hard"]
    assert (tmp_path / "same" / "Hard.dat").read_bytes() == b"{ not json"
    said = bgb("repair", "beatmap", source, "-o", tmp_path / "out", "--to", "v3")
    assert said.code == 1
    assert "1 difficulties that cannot be read; Standard Hard: Hard.dat: invalid JSON" in said.err
    said = bgb("repair", "beatmap", source, "-o", tmp_path / "out", "--to", "v3", "--lossy")
    assert said.code == 0
    assert "lost: 1 difficulties that cannot be read\n" in said.out
