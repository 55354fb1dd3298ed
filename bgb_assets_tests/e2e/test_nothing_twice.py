"""What a change of real input makes again, what it does not, and that `why` names the cause."""

import gzip
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import soundfile

from bgb_assets.engine.explain import Explanation, why_fan_in, why_upload
from bgb_assets.engine.status import status_of
from bgb_assets.modalities.beatmap.audio import ogg
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets_tests import driving
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import data_versions, outcomes, outputs, walk
from bgb_assets_tests.e2e.songs import (
    WORK,
    calls_through_tokens,
    manifest_rows,
    open_chain,
    write_real_map,
    write_real_recording,
    write_wav_song,
)
from bgb_assets_tests.fixtures import shared_data

UPLOADS = ("howls", "trumpet", "trumpet_wav")
FAN_INS = {"manifest", "tokens"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a real map, a real recording and the same recording as WAV, brought as far as tokens."""
    data = shared_data("beatmap")
    root = tmp_path_factory.mktemp("finished")
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    inbox = root / "inbox" / "beatmap"
    write_real_map(data / "maps" / "werewolf_howls", inbox / "howls")
    recording = data / "audio" / "sorohanro_-_solo-trumpet-06.ogg"
    write_real_recording(recording, inbox / "trumpet", version=3)
    write_wav_song(inbox / "trumpet", inbox / "trumpet_wav")
    calls = calls_through_tokens(open_chain(root))
    assert {stage: calls[stage] for stage in PER_UPLOAD_STAGES} == dict.fromkeys(PER_UPLOAD_STAGES, 3)
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished data root in another place: its paths, times and inodes are all new."""
    return Path(shutil.copytree(finished, tmp_path / "moved", copy_function=shutil.copyfile))


@pytest.fixture
def inbox(root: Path) -> Path:
    return root / "inbox" / "beatmap"


def rebuilt(root: Path, only: Iterable[str]) -> dict[str, int]:
    """Run the chain; check that no upload but those named had a stage called; return the calls."""
    return driving.rebuilt(open_chain(root), only, WORK)


def why(root: Path, stage: str, key: str = "") -> Explanation:
    chain = open_chain(root)
    return why_upload(chain, stage, key) if key else why_fan_in(chain, stage)


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file in place, written anew as another editor would."""
    document = json.loads(path.read_text("utf-8-sig"))
    change(document)
    path.write_text(json.dumps(document, indent=1))


def test_moved_data_root_rebuilds_nothing(finished: Path, root: Path) -> None:
    before = outputs(finished, "beatmap")
    assert rebuilt(root, ()) == {}
    assert outputs(root, "beatmap") == before
    assert data_versions(root, "beatmap") == data_versions(finished, "beatmap")
    said = status_of(open_chain(root))
    for stage in PER_UPLOAD_STAGES:
        assert said["stages"][stage] == {"current": 3, "to_do": 0, "quarantined": 0}
        assert {name: said["last_run"][stage][name] for name in ("built", "hit", "called")} == {
            "built": 0,
            "hit": 3,
            "called": 0,
        }
    assert {said["last_run"][stage]["called"] for stage in FAN_INS} == {0}


def test_touched_files_rebuild_nothing(root: Path, inbox: Path) -> None:
    for path in inbox.rglob("*"):
        os.utime(path, (1, 1))
    assert rebuilt(root, ()) == {}


def test_copied_files_rebuild_nothing(root: Path, inbox: Path) -> None:
    for key in UPLOADS:
        shutil.copytree(inbox / key, inbox / ".again", copy_function=shutil.copyfile)
        shutil.rmtree(inbox / key)
        (inbox / ".again").rename(inbox / key)
    assert rebuilt(root, ()) == {}


def test_zipped_upload_rebuilds_nothing_whatever_the_zip_is_like(root: Path, inbox: Path) -> None:
    folder = Path(shutil.move(inbox / "trumpet", root.parent / "trumpet"))
    names = sorted(path.name for path in folder.iterdir())
    for level, order, year in ((1, names, 1990), (9, names[::-1], 2020), (None, names, 2003)):
        zip_folder(folder, inbox / "trumpet.zip", order, level, year)
        assert rebuilt(root, ()) == {}, (level, year)
    assert [record.key for record in open_chain(root).uploads.all()] == list(UPLOADS)
    assert open_chain(root).uploads.require("trumpet").archive is not None
    zip_folder(folder, inbox / "trumpet.zip", names, 6, 2003, prefix="Trumpet/")
    assert rebuilt(root, ["trumpet"]) == {"raw": 1}, "where the files lie is a part of raw, and of nothing else"


def test_map_files_written_in_another_way_reach_raw_only(root: Path, inbox: Path) -> None:
    for path in (inbox / "howls").glob("*.dat"):
        path.write_bytes(b"\xef\xbb\xbf" + json.dumps(json.loads(path.read_bytes()), indent=3, sort_keys=True).encode())
    assert rebuilt(root, ["howls"]) == {"raw": 1}
    assert why(root, "raw", "howls").lines[0] == "last change:"
    assert {line.split()[0] for line in why(root, "raw", "howls").lines[1:]} == {"info", "difficulties"}
    assert why(root, "notes", "howls").lines == ("as first made",)


def test_gzipped_map_files_rebuild_nothing_at_all(root: Path, inbox: Path) -> None:
    for clock_s in (0, 1_700_000_000):
        for path in (inbox / "howls").glob("*.dat"):
            content = path.read_bytes()
            plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
            path.write_bytes(gzip.compress(plain, mtime=clock_s))
        assert rebuilt(root, ()) == {}, clock_s


@pytest.mark.parametrize("way", ["mark", "line ends", "white space", "key order", "object order"])
def test_each_way_of_writing_map_files_reaches_raw_only(root: Path, inbox: Path, way: str) -> None:
    for path in (inbox / "trumpet").glob("*.dat"):
        document = json.loads(path.read_bytes())
        written = {
            "mark": b"\xef\xbb\xbf" + path.read_bytes(),
            "line ends": json.dumps(document, indent=1).replace("\n", "\r\n").encode(),
            "white space": json.dumps(document, indent=7).encode(),
            "key order": json.dumps(dict(reversed(document.items()))).encode(),
            "object order": json.dumps({name: turned_around(value) for name, value in document.items()}).encode(),
        }
        path.write_bytes(written[way])
    assert rebuilt(root, ["trumpet"]) == {"raw": 1}


def test_renamed_folder_is_all_hits_but_for_what_lists_uploads(root: Path, inbox: Path) -> None:
    (inbox / "trumpet").rename(inbox / "another name")
    calls = rebuilt(root, ["trumpet", "another%20name"])
    assert set(calls) <= FAN_INS, "its entries are there: they know no name"
    assert set(outcomes(walk(open_chain(root)))["another%20name"].values()) == {"hit"}


def test_changed_sample_rebuilds_one_upload_and_what_is_downstream(root: Path, inbox: Path) -> None:
    audio = inbox / "trumpet_wav" / "song.egg"
    content = bytearray(audio.read_bytes())
    content[len(content) // 2] ^= 1
    audio.write_bytes(content)
    explained = why(root, "features", "trumpet_wav")
    assert (explained.state, explained.lines[0]) == ("stale", "beatmap/raw is to be made first:")
    assert explained.lines[1].startswith("audio ")
    calls = rebuilt(root, ["trumpet_wav"])
    assert {stage: calls[stage] for stage in PER_UPLOAD_STAGES} == dict.fromkeys(PER_UPLOAD_STAGES, 1)
    assert set(calls) == {*PER_UPLOAD_STAGES, *FAN_INS, "decodes", "spectrograms"}
    assert [line.split()[0] for line in why(root, "cache", "trumpet_wav").lines] == ["last", "audio"]
    assert [line.split()[0] for line in why(root, "features", "trumpet_wav").lines] == ["last", "wav"]
    assert why(root, "manifest").lines[-1] == "upload trumpet_wav changed"
    assert why(root, "features", "trumpet").lines == ("as first made",)


def test_changed_packet_of_an_ogg_rebuilds_one_upload(root: Path, inbox: Path) -> None:
    audio = inbox / "trumpet" / "song.egg"
    samples, rate_hz = soundfile.read(audio, dtype="float32")
    soundfile.write(audio, samples * 0.5, rate_hz, format="OGG", subtype="VORBIS")
    calls = rebuilt(root, ["trumpet"])
    assert {stage: calls[stage] for stage in PER_UPLOAD_STAGES} == dict.fromkeys(PER_UPLOAD_STAGES, 1)
    assert (calls["decodes"], calls["spectrograms"]) == (1, 1)


def test_other_tags_in_an_ogg_reach_raw_only(root: Path, inbox: Path) -> None:
    audio = inbox / "trumpet" / "song.egg"
    audio.write_bytes(with_other_comment(audio.read_bytes()))
    assert soundfile.info(audio).frames > 0
    assert rebuilt(root, ["trumpet"]) == {"raw": 1}
    lines = why(root, "raw", "trumpet").lines
    assert (lines[0], lines[1].split()[0], len(lines)) == ("last change:", "audio", 2)
    assert why(root, "cache", "trumpet").lines == ("as first made",)


def test_moved_note_rebuilds_raw_and_notes_of_one_upload(root: Path, inbox: Path) -> None:
    def move(document: dict) -> None:
        document["_notes"][100]["_lineIndex"] ^= 1

    edit_json(inbox / "howls" / "HardStandard.dat", move)
    assert [line.split()[0] for line in why(root, "raw", "howls").lines] == ["difficulties"]
    calls = rebuilt(root, ["howls"])
    assert set(calls) == {"raw", "notes", *FAN_INS}, "no decode, no spectrogram"
    assert (calls["raw"], calls["notes"]) == (1, 1)
    assert [line.split()[0] for line in why(root, "notes", "howls").lines] == ["last", "objects"]
    assert why(root, "features", "howls").lines == ("as first made",)
    assert why(root, "manifest").lines[-1] == "upload howls changed"


def test_tempo_event_rebuilds_features_and_notes_of_one_upload_without_a_decode(root: Path, inbox: Path) -> None:
    def change_tempo(document: dict) -> None:
        document["bpmEvents"].append({"b": 5, "m": 99.0})

    for path in (inbox / "trumpet").glob("*Standard.dat"):
        edit_json(path, change_tempo)
    calls = rebuilt(root, ["trumpet"])
    assert set(calls) == {"raw", "features", "notes", "spectrograms", *FAN_INS}
    assert {calls[name] for name in ("raw", "features", "notes", "spectrograms")} == {1}
    assert [line.split()[0] for line in why(root, "features", "trumpet").lines] == ["last", "tempo"]
    assert {line.split()[0] for line in why(root, "notes", "trumpet").lines} == {"last", "objects", "tempo"}


def test_title_reaches_no_signal(root: Path, inbox: Path) -> None:
    edit_json(inbox / "howls" / "Info.dat", lambda info: info.update(_songName="another"))
    calls = rebuilt(root, ["howls"])
    assert not {"cache", "features", "decodes", "spectrograms"} & set(calls)
    assert calls["raw"] == 1


@pytest.mark.parametrize(
    ("table", "per_upload", "fan_ins", "cause"),
    [
        ("[beatmap.cache]\nsilence_db = -50.0", {"cache"}, set(), ("cache", "params.silence_db -60.0 -> -50.0")),
        ("[beatmap.features]\nn_mels = 40", {"features"}, FAN_INS, ("features", "params.n_mels 80 -> 40")),
        (
            "[beatmap.features]\nhop_length = 256",
            {"features", "notes"},
            FAN_INS,
            ("features", "params.hop_length 512 -> 256"),
        ),
        (
            "[beatmap.manifest.filters]\nmin_notes = 300",
            set(),
            FAN_INS,
            ("manifest", "params.filters.min_notes 16 -> 300"),
        ),
        ("[beatmap.manifest]\nfile_bytes = 1000", set(), {"manifest"}, ("manifest", "params.file_bytes")),
        ("[beatmap.tokens]\nkinds = ['notes']", set(), {"tokens"}, ("tokens", "params.kinds")),
        ("[beatmap.model.tiny]\nseed = 1", set(), set(), None),
        ("[run]\nworkers = 1", set(), set(), None),
    ],
)
def test_param_reaches_the_stages_that_read_it(
    root: Path, table: str, per_upload: set[str], fan_ins: set[str], cause: tuple[str, str] | None
) -> None:
    (root / "config.toml").write_text(f"{SETTLE_AT_ONCE}{table}\n")
    if cause is not None:
        stage, line = cause
        explained = why(root, stage, "howls" if stage in PER_UPLOAD_STAGES else "")
        assert explained.state == "stale"
        assert [said for said in explained.lines if said.startswith(line)], explained.lines
    calls = calls_through_tokens(open_chain(root))
    assert set(calls) & {*PER_UPLOAD_STAGES, *FAN_INS} == per_upload | fan_ins
    assert {calls[stage] for stage in per_upload} <= {3}
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    assert calls_through_tokens(open_chain(root)) == {}, "the entries of before are still there"


def test_two_uploads_of_one_recording_share_its_cache_entry(root: Path, inbox: Path) -> None:
    shutil.copytree(inbox / "trumpet", inbox / "trumpet_again")

    def move(document: dict) -> None:
        document["colorNotes"][0]["x"] ^= 1

    edit_json(inbox / "trumpet_again" / "HardStandard.dat", move)
    calls = rebuilt(root, ["trumpet_again"])
    assert set(calls) == {"raw", "notes", *FAN_INS}
    chain = open_chain(root)
    found = walk(chain)
    for stage in ("cache", "features"):
        assert found["trumpet"].stages[stage].identity == found["trumpet_again"].stages[stage].identity
    assert found["trumpet"].stages["notes"].identity != found["trumpet_again"].stages["notes"].identity
    rows = {row["upload"]: row for row in manifest_rows(chain).to_pylist()}
    audio = {key: rows[key]["audio_id"] for key in ("trumpet", "trumpet_again", "trumpet_wav")}
    assert audio["trumpet"] == audio["trumpet_again"] != audio["trumpet_wav"]
    assert {rows[key]["group"] for key in audio} == {min(audio.values())}, "another file of it sounds the same"


def test_two_uploads_of_one_recording_at_two_tempi_share_its_decode_only(root: Path, inbox: Path) -> None:
    shutil.copytree(inbox / "trumpet", inbox / "trumpet_again")
    for path in (inbox / "trumpet_again").glob("*Standard.dat"):
        edit_json(path, lambda document: document["bpmEvents"].append({"b": 5, "m": 99.0}))
    calls = rebuilt(root, ["trumpet_again"])
    assert set(calls) == {"raw", "features", "notes", "spectrograms", *FAN_INS}
    found = walk(open_chain(root))
    first, again = found["trumpet"].stages, found["trumpet_again"].stages
    assert first["cache"].identity == again["cache"].identity
    assert first["features"].identity != again["features"].identity


def test_upload_that_left_and_came_back_is_all_hits(root: Path, inbox: Path) -> None:
    away = shutil.move(inbox / "trumpet", root.parent / "away")
    calls = calls_through_tokens(open_chain(root))
    assert set(calls) == FAN_INS
    assert why(root, "raw", "trumpet").state == "vanished"
    assert why(root, "manifest").lines[-1] == "upload trumpet left"
    shutil.move(away, inbox / "trumpet")
    assert rebuilt(root, ()) == {}
    assert set(outcomes(walk(open_chain(root)))["trumpet"].values()) == {"hit"}


def turned_around(value: Any) -> Any:
    """Return a list of objects from the last to the first, anything else as it is."""
    return value[::-1] if isinstance(value, list) and all(isinstance(item, dict) for item in value) else value


def zip_folder(folder: Path, out: Path, names: Sequence[str], level: int | None, year: int, prefix: str = "") -> None:
    """Write a zip of some files; level None stores them as they are."""
    method = zipfile.ZIP_STORED if level is None else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out.with_suffix(".tmp"), "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(prefix + name, (year, 1, 2, 3, 4, 6))
            archive.writestr(entry, (folder / name).read_bytes(), method, level)
    out.with_suffix(".tmp").replace(out)


def with_other_comment(stream: bytes) -> bytes:
    """Return an Ogg Vorbis stream with another text in its comment packet, on a page of the same lacing."""
    pages = list(ogg.pages(stream))
    assert b"\x03vorbis" in stream[pages[1].start : pages[1].start + 8]
    made = []
    for number, page in enumerate(pages):
        payload = bytearray(stream[page.start : page.end])
        if number == 1:
            at = payload.index(b"vorbis", 1) + 10  # after the length of the vendor's name
            payload[at : at + 5] = b"Other"
        made.append(ogg.assemble_page(page.lacing, bytes(payload), page.granule, 77, number, page.flags))
    return b"".join(made)
