import gzip
import hashlib
import json
import os
import shutil

import orjson
import pytest

from bgb_assets.modalities.beatmap import raw
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_json
from bgb_assets.modalities.contract import Found
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import NOTE_V3, difficulty_v3, info_v2, simple_map, write_files

FIRST_LAST_SUM_S = {
    ("werewolf_howls", "Standard.Easy"): (258, 9.729730, 113.243243, 15793.7838),
    ("werewolf_howls", "Standard.Normal"): (371, 9.729730, 113.243243, 22507.7027),
    ("werewolf_howls", "Standard.Hard"): (495, 9.729730, 113.243243, 30821.0219),
    ("werewolf_howls", "Standard.Expert"): (729, 8.648649, 113.251622, 44970.4249),
    ("werewolf_howls", "Standard.ExpertPlus"): (909, 8.648649, 113.251622, 56056.8899),
    ("JOURNEY", "Standard.ExpertPlus"): (2313, 1.925838, 336.486486, 425748.2301),
    ("JOURNEY", "OneSaber.ExpertPlus"): (1227, 1.925676, 336.486486, 230095.0135),
}


def run(folder, out):
    out.mkdir()
    return raw.run({"upload": folder}, None, out)


def song_of(out):
    return orjson.loads((out / "song.json").read_bytes())


@pytest.mark.parametrize(("folder", "name"), FIRST_LAST_SUM_S)
def test_note_times_of_real_maps(tmp_path, folder, name):
    result = run(shared_data("beatmap") / "maps" / folder, tmp_path / "out")
    count, first, last, total = FIRST_LAST_SUM_S[folder, name]
    (row,) = [row for row in song_of(tmp_path / "out")["difficulties"] if row.get("entry_file") == f"{name}.json"]
    beats = orjson.loads((tmp_path / "out" / f"{name}.json").read_bytes())["objects"]["notes"]["beat"]
    tempo = orjson.loads((tmp_path / "out" / "tempo.json").read_bytes())["tempo_maps"][row["tempo_id"]]
    times_s = tempo_from_json(tempo).time(beats)
    assert len(times_s) == count == row["counts"]["notes"]
    assert times_s.min() == pytest.approx(first, abs=5e-7)
    assert times_s.max() == pytest.approx(last, abs=5e-7)
    assert times_s.sum() == pytest.approx(total, abs=5e-5)
    assert result.facets[f"difficulty.{name}"] == row["beatmap_id"]


def test_journey_has_two_good_and_four_missing_difficulties(tmp_path):
    result = run(shared_data("beatmap") / "maps" / "JOURNEY", tmp_path / "out")
    song = song_of(tmp_path / "out")
    assert song["status"] == result.metadata["status"] == "partial"
    statuses = [row["status"] for row in song["difficulties"]]
    assert (statuses.count("ok"), statuses.count("missing_file")) == (2, 4)
    assert result.metadata["notes"] == {"OneSaber ExpertPlus": 1227, "Standard ExpertPlus": 2313}
    assert result.references == {}
    assert "audio" not in result.facets
    assert result.warnings[0] == "no_audio: Info names 'JOURNEY.egg', which is not in the upload"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "OneSaber.ExpertPlus.json",
        "Standard.ExpertPlus.json",
        "song.json",
        "tempo.json",
    ]


def with_audio(folder):
    simple_map(folder)
    source = shared_data("beatmap") / "audio" / "sorohanro_-_solo-trumpet-06.ogg"
    shutil.copyfile(source, folder / "Song.egg")
    return folder


def test_audio_is_referred_to_and_a_name_in_another_case_is_used_with_a_warning(tmp_path):
    result = run(with_audio(tmp_path / "in"), tmp_path / "out")
    assert result.references == {"audio": "Song.egg"}
    assert result.warnings == ("Info names the audio 'song.egg', the file is 'Song.egg'",)
    audio = orjson.loads((tmp_path / "out" / "audio.json").read_bytes())
    assert audio["audio_id"] == result.facets["audio"]
    assert (audio["codec"], audio["frames"], audio["rate_hz"], audio["channels"]) == ("vorbis", 117601, 22050, 1)
    assert audio["file"] == "Song.egg"


def test_a_rerun_writes_equal_bytes(tmp_path):
    upload = shared_data("beatmap") / "maps" / "JOURNEY"
    first, second = run(upload, tmp_path / "1"), run(upload, tmp_path / "2")
    assert first == second
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


NEUTRAL = {
    "white space": lambda text: json.dumps(json.loads(text), indent=3).encode(),
    "key order": lambda text: json.dumps(dict(reversed(json.loads(text).items()))).encode(),
    "mark": lambda text: b"\xef\xbb\xbf" + text,
    "line ends": lambda text: json.dumps(json.loads(text), indent=1).replace("\n", "\r\n").encode(),
    "gzip": lambda text: gzip.compress(text),
}


@pytest.mark.parametrize("change", NEUTRAL)
def test_how_files_are_written_changes_nothing_below_raw(tmp_path, change):
    before = run(simple_map(tmp_path / "a", NOTE_V3, {"b": 3, "c": 1}), tmp_path / "1")
    for name in ("Info.dat", "Expert.dat"):
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / name).write_bytes(NEUTRAL[change]((tmp_path / "a" / name).read_bytes()))
    after = run(tmp_path / "b", tmp_path / "2")
    assert after.facets == before.facets
    prints = raw.fingerprint(tmp_path / "a"), raw.fingerprint(tmp_path / "b")
    assert (prints[0] == prints[1]) == (change == "gzip")


def test_another_file_name_or_order_of_objects_changes_nothing_below_raw(tmp_path):
    notes = [NOTE_V3, {"b": 3, "c": 1}]
    before = run(simple_map(tmp_path / "a", *notes), tmp_path / "1")
    files = {"Info.dat": info_v2({("Standard", "ex pert"): "x.dat"}), "x.dat": difficulty_v3(*notes[::-1])}
    info = files["Info.dat"]
    info["_difficultyBeatmapSets"][0]["_difficultyBeatmaps"][0]["_difficultyRank"] = 7
    assert run(write_files(tmp_path / "b", files), tmp_path / "2").facets == before.facets


CHANGES = {
    "a moved note": (difficulty_v3(NOTE_V3 | {"b": 10.5}), {}, {"song", "objects", "difficulty.Standard.Expert"}),
    "a tempo event": (difficulty_v3(NOTE_V3, bpmEvents=[{"b": 41, "m": 99}]), {}, {"song", "objects", "tempo"}),
    "a rotation": (difficulty_v3(NOTE_V3, rotationEvents=[{"b": 4, "r": 15}]), {}, {"objects"}),
    "a title": (difficulty_v3(NOTE_V3), {"_songName": "Other"}, {"meta"}),
    "a preview": (difficulty_v3(NOTE_V3), {"_previewStartTime": 9}, set()),
    "an offset": (difficulty_v3(NOTE_V3), {"_songTimeOffset": 1}, {"objects"}),
    "the tempo": (difficulty_v3(NOTE_V3), {"_beatsPerMinute": 121}, {"song", "objects", "tempo", "meta"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_shows_in_its_own_facets(tmp_path, change):
    difficulty, info, changed = CHANGES[change]
    before = run(simple_map(tmp_path / "a"), tmp_path / "1").facets
    files = {"Info.dat": info_v2(**info), "Expert.dat": difficulty}
    after = run(write_files(tmp_path / "b", files), tmp_path / "2").facets
    assert {name for name in before | after if before.get(name) != after.get(name)} == changed


def test_fingerprints_name_the_part_that_changed(tmp_path):
    folder = with_audio(tmp_path / "in")
    before = raw.fingerprint(folder)
    assert set(before) == {"info", "difficulties", "audio"}
    assert before["audio"] == hashlib.sha256((folder / "Song.egg").read_bytes()).hexdigest()

    def changed(name, content):
        copy = tmp_path / f"copy{name}"
        shutil.copytree(folder, copy)
        (copy / name).write_bytes(content)
        after = raw.fingerprint(copy)
        return {facet for facet in before if before[facet] != after[facet]}

    assert changed("Expert.dat", b"{}") == {"difficulties"}
    assert changed("Song.egg", b"x") == {"audio"}
    assert changed("Info.dat", json.dumps(info_v2(_songName="B")).encode()) == {"info"}
    assert changed("BPMInfo.dat", b"{}") == {"info"}
    assert changed("cover.jpg", b"x") == set()
    (folder / "Expert.dat").unlink()
    assert raw.fingerprint(folder)["difficulties"] != before["difficulties"]


def test_a_damaged_difficulty_has_a_fingerprint_and_a_row(tmp_path):
    files = {("Standard", "Easy"): "a.dat", ("Standard", "Hard"): "b.dat"}
    contents = {"Info.dat": info_v2(files), "a.dat": gzip.compress(b"{}" * 99)[:-9], "b.dat": difficulty_v3(NOTE_V3)}
    folder = write_files(tmp_path / "in", contents)
    assert set(raw.fingerprint(folder)) == {"info", "difficulties"}
    result = run(folder, tmp_path / "out")
    assert result.metadata["difficulties"] == {"Standard Easy": "invalid", "Standard Hard": "ok"}
    assert song_of(tmp_path / "out")["difficulties"][0]["reason"] == "a.dat: gzip data ends early"


def test_a_map_in_a_sub_folder_keeps_its_place_in_the_identity(tmp_path):
    outer = with_audio(tmp_path / "flat")
    shutil.copytree(outer, tmp_path / "nested" / "song")
    flat, nested = run(outer, tmp_path / "1"), run(tmp_path / "nested", tmp_path / "2")
    assert flat.facets == nested.facets
    assert nested.references == {"audio": "song/Song.egg"}
    assert raw.fingerprint(outer)["info"] != raw.fingerprint(tmp_path / "nested")["info"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "the folder is empty, expected an Info.dat"),
        ({"Info.dat": b""}, "Info.dat: the file is empty, expected JSON; repair the map's Info file"),
        ({"Info.dat": b"{]"}, "Info.dat: invalid JSON at line 1 column 2; repair the map's Info file"),
        ({"Info.dat": info_v2(_beatsPerMinute=0)}, "Info.dat: beats per minute must be a positive number, got 0"),
        ({"Info.dat": info_v2({})}, "Info.dat: names no difficulty"),
        ({"Info.dat": info_v2()}, "Info names the file 'Expert.dat', which is not in the upload; add the file or"),
        ({"Info.dat": info_v2(), "INFO.dat": b"{}"}, "more than one Info file: ['INFO.dat', 'Info.dat']"),
    ],
)
def test_an_unusable_upload_says_why(tmp_path, files, message):
    (tmp_path / "in").mkdir()
    with pytest.raises(BadInput) as caught:
        run(write_files(tmp_path / "in", files), tmp_path / "out")
    assert str(caught.value).startswith(message)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_only_difficulty_being_no_json_is_the_uploads_fault(tmp_path):
    source = shared_data("beatmap") / "wiki_snippets" / "beatmap" / "4.1.0.dat"
    files = {"Info.dat": info_v2({("Standard", "Easy"): "beatmap/4.1.0.dat"}), "beatmap/4.1.0.dat": source.read_bytes()}
    with pytest.raises(BadInput) as caught:
        run(write_files(tmp_path / "in", files), tmp_path / "out")
    assert str(caught.value) == "beatmap/4.1.0.dat: invalid JSON at line 91 column 3; fix or remove the difficulty"


def test_a_difficulty_named_twice_counts_once(tmp_path):
    files = {("Standard", "Expert"): "a.dat", ("standard", "expert"): "b.dat"}
    contents = {"Info.dat": info_v2(files), "a.dat": difficulty_v3(NOTE_V3), "b.dat": difficulty_v3()}
    result = run(write_files(tmp_path / "in", contents), tmp_path / "out")
    assert result.metadata["status"] == "partial"
    assert result.metadata["notes"] == {"Standard Expert": 1}


def test_a_characteristic_cannot_write_outside_its_entry(tmp_path):
    files = {"Info.dat": info_v2({("../../x", "Easy"): "a.dat"}), "a.dat": difficulty_v3(NOTE_V3)}
    result = run(write_files(tmp_path / "in", files), tmp_path / "out")
    assert (tmp_path / "out" / "%2E%2E%2F%2E%2E%2Fx.Easy.json").is_file()
    assert "difficulty.%2E%2E%2F%2E%2E%2Fx.Easy" in result.facets


def test_a_light_show_is_kept(tmp_path):
    files = {"Info.dat": info_v2({("Lightshow", "Easy"): "a.dat"}), "a.dat": difficulty_v3()}
    assert run(write_files(tmp_path / "in", files), tmp_path / "out").metadata["notes"] == {"Lightshow Easy": 0}


def test_discover_finds_folders_zips_and_what_is_no_map(tmp_path):
    write_files(
        tmp_path,
        {
            "b/Info.dat": b"",
            "b/song.egg": b"",
            "b/extra/x.dat": b"",
            "b/.hidden": b"",
            "b/song.egg.part": b"",
            "a/one.zip": b"",
            "a/deep/info.json": b"",
            "a/readme.txt": b"",
            "c/nothing.txt": b"",
            ".git/Info.dat": b"",
            "late.zip.part": b"",
            "Z.ZIP": b"",
            "notes.txt": b"",
        },
    )
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert list(raw.discover(tmp_path)) == [
        Found("Z.ZIP", ("Z.ZIP",)),
        Found("a/deep", ("a/deep/info.json",)),
        Found("a/one.zip", ("a/one.zip",)),
        Found("b", ("b/Info.dat", "b/extra/x.dat", "b/song.egg")),
        Found("c", ("c/nothing.txt",)),
        Found("d", ()),
    ]


def test_discover_opens_no_file(tmp_path, monkeypatch):
    simple_map(tmp_path / "a")
    monkeypatch.setattr("builtins.open", lambda *args, **kwargs: pytest.fail("a file was opened"))
    monkeypatch.setattr(os, "open", lambda *args, **kwargs: pytest.fail("a file was opened"))
    assert [found.path for found in raw.discover(tmp_path)] == ["a"]


def test_an_empty_root_holds_nothing_and_a_map_itself_is_one_upload(tmp_path):
    assert list(raw.discover(tmp_path)) == []
    simple_map(tmp_path / "mine")
    assert list(raw.discover(tmp_path / "mine")) == [Found("mine", ("Expert.dat", "Info.dat"))]


def test_discover_on_the_real_fixtures():
    found = {item.path: len(item.files) for item in raw.discover(shared_data("beatmap") / "maps")}
    assert found == {"JOURNEY": 3, "werewolf_howls": 6}


def test_cost_grows_with_what_must_be_parsed_and_decoded(tmp_path):
    folder = with_audio(tmp_path / "in")
    plain = raw.cost_bytes(folder)
    assert plain > 30 * 27019
    (folder / "Expert.dat").write_bytes(gzip.compress(bytes(1_000_000)))
    assert raw.cost_bytes(folder) > plain + 10_000_000
