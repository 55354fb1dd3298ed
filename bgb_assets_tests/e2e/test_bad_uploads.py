"""Bad uploads: one quarantine row each with a reason and a remedy, and the rest goes on. An inbox that is gone."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from bgb_assets.chain import Chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.engine.status import status_of
from bgb_assets.modalities.beatmap.synth import synth
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, ArchiveLimits
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.errors import TooManyQuarantined
from bgb_assets.storage.quarantine import Rejection
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import fan_in, ingest, outcomes, outputs, walk
from bgb_assets_tests.e2e import spoiled
from bgb_assets_tests.e2e.songs import calls_through_tokens, manifest_rows, open_chain
from bgb_assets_tests.fixtures import shared_data

GOOD = "song_0000"
ALLOWED = f"[run]\nquarantine_count = {len(spoiled.EXPECTED)}\n"


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good song."""
    out = tmp_path_factory.mktemp("songs")
    synth(out, 1, seed=3)
    return out / GOOD


@pytest.fixture(scope="module")
def spoiled_root(tmp_path_factory: pytest.TempPathFactory, song: Path) -> Path:
    """A data root with the good song and each spoiled one, brought as far as tokens in one run."""
    root = tmp_path_factory.mktemp("spoiled") / "data"
    for spoil in spoiled.EXPECTED:
        folder = root / "inbox" / "beatmap" / spoil.__name__
        shutil.copytree(song, folder)
        spoil(folder, shared_data("beatmap"))
    shutil.copytree(song, root / "inbox" / "beatmap" / GOOD)
    (root / "config.toml").write_text(SETTLE_AT_ONCE + ALLOWED)
    assert calls_through_tokens(open_chain(root))["notes"] == 1
    return root


@pytest.fixture
def inbox(data_root: Path, song: Path) -> Path:
    """An inbox with the good song."""
    inbox = data_root / "inbox" / "beatmap"
    shutil.copytree(song, inbox / GOOD)
    return inbox


@pytest.mark.parametrize("spoil", spoiled.EXPECTED, ids=lambda spoil: spoil.__name__)
def test_bad_upload_has_one_row_with_reason_and_remedy(spoiled_root: Path, spoil: spoiled.Spoil) -> None:
    stage, reason, remedy = spoiled.EXPECTED[spoil]
    key = spoil.__name__
    (row,) = [row for row in open_chain(spoiled_root).rejections() if row.key == key]
    assert (row.stage, row.kind) == (stage, "input")
    assert row.reason.startswith(f"beatmap/{stage} {key!r}: ")
    assert reason in row.reason
    assert remedy in row.remedy
    assert str(spoiled_root) not in row.reason, "a reason names the upload's files, not where they were unpacked"
    assert "\n" not in row.reason


def test_rest_goes_on_and_nothing_is_tried_again(spoiled_root: Path) -> None:
    chain = open_chain(spoiled_root)
    assert calls_through_tokens(chain) == {}
    found = outcomes(walk(chain))
    assert set(found.pop(GOOD).values()) == {"hit"}
    assert set(found) == {spoil.__name__ for spoil in spoiled.EXPECTED}
    for spoil, (stage, _, _) in spoiled.EXPECTED.items():
        at = PER_UPLOAD_STAGES.index(stage)
        stages = found[spoil.__name__]
        assert [stages[name] for name in PER_UPLOAD_STAGES] == ["hit"] * at + ["quarantined"] * (4 - at)
    assert uploads_in_manifest(chain) == {GOOD}
    said = status_of(chain)
    assert said["uploads"]["present"] == len(spoiled.EXPECTED) + 1
    assert {row["key"] for row in said["quarantine"]} == {spoil.__name__ for spoil in spoiled.EXPECTED}
    assert all(row["reason"] and row["remedy"] for row in said["quarantine"])


def test_nothing_is_left_behind_and_nothing_escapes(spoiled_root: Path) -> None:
    assert [path for path in (spoiled_root / ".tmp").iterdir() if path.is_dir()] == []
    assert list(spoiled_root.parent.rglob("escaped.txt")) == []
    assert list(spoiled_root.rglob("zeros.dat")) == []


def test_more_bad_uploads_than_allowed_fail_the_run_after_all_others(spoiled_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(spoiled_root / "inbox", root / "inbox")
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    ingest(open_chain(root))
    bad = len(spoiled.EXPECTED)
    with pytest.raises(TooManyQuarantined, match=f"{bad} of {bad + 1} uploads were quarantined, 10 are allowed"):
        walk(open_chain(root))
    fan_in(open_chain(root), ["manifest"])
    assert uploads_in_manifest(open_chain(root)) == {GOOD}


def test_limits_of_a_song_s_archive() -> None:
    assert modality("beatmap").archive_limits == ArchiveLimits(max_entries=2_000, max_bytes=1 << 30, max_ratio=200.0)


@pytest.mark.slow
def test_zip_of_more_than_a_gibibyte_is_refused_and_leaves_nothing(data_root: Path, inbox: Path) -> None:
    (data_root / "config.toml").write_text(SETTLE_AT_ONCE + ALLOWED)
    zeros = bytes(1 << 20)
    with zipfile.ZipFile(inbox / "vast.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        # What is stored raises what the ratio allows above the bound on bytes.
        archive.writestr("stored.bin", os.urandom(8 << 20), zipfile.ZIP_STORED)
        with archive.open("zeros.dat", "w") as member:
            for _ in range(1 << 10):
                member.write(zeros)
    calls_through_tokens(open_chain(data_root))
    (row,) = rows_of(data_root)
    assert f"inflates to more than the {1 << 30} bytes allowed" in row.reason
    assert [path for path in (data_root / ".tmp").iterdir() if path.is_dir()] == []
    assert uploads_in_manifest(open_chain(data_root)) == {GOOD}


@pytest.mark.parametrize(
    "spoil",
    [spoiled.broken_vorbis, spoiled.climbing_zip, spoiled.empty_folder, spoiled.zero_bpm],
    ids=lambda spoil: spoil.__name__,
)
def test_mended_upload_is_taken_in_and_its_row_goes(spoiled_root: Path, tmp_path: Path, song: Path, spoil) -> None:
    root = Path(shutil.copytree(spoiled_root, tmp_path / "data"))
    lying = root / "inbox" / "beatmap" / spoil.__name__
    shutil.rmtree(lying) if lying.is_dir() else lying.with_suffix(".zip").unlink()
    shutil.copytree(song, lying)
    calls = calls_through_tokens(open_chain(root))
    assert not set(calls) & set(PER_UPLOAD_STAGES), "it is the good song by now, all of whose entries are there"
    assert uploads_in_manifest(open_chain(root)) == {GOOD, spoil.__name__}
    assert open_chain(root).uploads.require(spoil.__name__).problem is None
    assert spoil.__name__ not in {row.key for row in rows_of(root)}


def test_equal_bad_uploads_are_each_named(data_root: Path, inbox: Path) -> None:
    for key in ("empty", "empty_too"):
        (inbox / key).mkdir()
    calls_through_tokens(open_chain(data_root))
    first, second = rows_of(data_root)
    assert (first.key, second.key) == ("empty", "empty_too")
    assert first.identity == second.identity
    assert second.reason.startswith("beatmap/raw 'empty_too': the folder is empty")
    found = walk(open_chain(data_root))
    assert found["empty_too"].stages["raw"].metadata["reason"] == second.reason
    shutil.rmtree(inbox / "empty")
    ingest(open_chain(data_root))
    assert [row.key for row in rows_of(data_root)] == ["empty_too"]


def test_bad_difficulty_is_a_row_of_the_manifest_and_its_upload_goes_on(data_root: Path, inbox: Path) -> None:
    shutil.copyfile(shared_data("beatmap") / spoiled.INVALID_JSON, inbox / GOOD / "HardStandard.dat")
    ingest(open_chain(data_root))
    found = walk(open_chain(data_root))
    assert set(outcomes(found)[GOOD].values()) == {"built"}
    fan_in(open_chain(data_root), ["manifest"])
    rows = {row["difficulty"]: row for row in manifest_rows(open_chain(data_root)).to_pylist()}
    assert (rows["Hard"]["status"], rows["Hard"]["reason"], rows["Hard"]["included"]) == ("invalid", "invalid", False)
    assert {row["status"] for name, row in rows.items() if name != "Hard"} == {"ok"}
    (said,) = [line for line in found[GOOD].stages["raw"].warnings if "line 91 column 3" in line]
    assert said.startswith("Standard Hard: invalid: HardStandard.dat: invalid JSON")
    assert said.endswith("fix or remove the difficulty")


def test_difficulty_of_an_impossible_tempo_is_left_out_and_its_upload_goes_on(data_root: Path, inbox: Path) -> None:
    path = inbox / GOOD / "HardStandard.dat"
    document = json.loads(path.read_bytes())
    changes = {"_time": 4, "_type": 100, "_floatValue": 5e6}, {"b": 4, "m": 5e6}
    events = "_events" if "_events" in document else "bpmEvents"
    document[events].append(changes[events == "bpmEvents"])
    path.write_text(json.dumps(document))
    calls_through_tokens(open_chain(data_root))
    assert rows_of(data_root) == []
    rows = {row["difficulty"]: row for row in manifest_rows(open_chain(data_root)).to_pylist()}
    assert (rows["Hard"]["included"], rows["Hard"]["mel"]) == (False, "")
    assert rows["Hard"]["reason"]
    assert all(row["included"] and row["mel"] for name, row in rows.items() if name != "Hard")


def test_map_without_audio_is_absent_and_no_error(data_root: Path, inbox: Path, song: Path) -> None:
    shutil.copytree(song, inbox / "mute")
    (inbox / "mute" / "song.egg").unlink()
    assert calls_through_tokens(open_chain(data_root))["decodes"] == 1
    found = walk(open_chain(data_root))
    assert outcomes(found)["mute"] == {"raw": "hit", "cache": "absent", "features": "absent", "notes": "hit"}
    assert found["mute"].stages["cache"].record.absent == "no audio"
    assert rows_of(data_root) == []
    rows = [row for row in manifest_rows(open_chain(data_root)).to_pylist() if row["upload"] == "mute"]
    assert {(row["reason"], row["mel"], row["included"]) for row in rows} == {("no_audio", "", False)}
    assert calls_through_tokens(open_chain(data_root)) == {}


def test_good_upload_turned_bad_leaves_the_manifest(data_root: Path, inbox: Path, song: Path) -> None:
    shutil.copytree(song, inbox / "turning")
    calls_through_tokens(open_chain(data_root))
    assert uploads_in_manifest(open_chain(data_root)) == {GOOD, "turning"}
    spoiled.broken_vorbis(inbox / "turning", inbox)
    assert set(calls_through_tokens(open_chain(data_root))) >= {"raw", "cache", "manifest", "tokens"}
    assert uploads_in_manifest(open_chain(data_root)) == {GOOD}
    assert [row.key for row in rows_of(data_root)] == ["turning"]


@pytest.mark.parametrize("gone", ["renamed away", "an empty folder in its place"])
def test_unmounted_inbox_deletes_nothing_and_says_so(data_root: Path, inbox: Path, song: Path, gone: str) -> None:
    shutil.copytree(song, inbox / "second")
    calls_through_tokens(open_chain(data_root))
    before = outputs(data_root, "beatmap")
    inbox.rename(data_root / "unmounted")
    if gone != "renamed away":
        inbox.mkdir()
    report = ingest(open_chain(data_root))
    assert (report.vanished, set(report.held_keys)) == ((), {GOOD, "second"})
    held = Ingest(open_chain(data_root)).hold()
    assert held is not None
    assert ("is missing" if gone == "renamed away" else "is a disk unmounted?") in held
    assert held.endswith("2 uploads are kept until `bgb ingest beatmap --confirm-deletions`")
    assert [place.missing for place in Ingest(open_chain(data_root)).roots()] != [None]
    assert status_of(open_chain(data_root))["held"] == held
    assert status_of(open_chain(data_root))["uploads"]["present"] == 2
    assert calls_through_tokens(open_chain(data_root)) == {}
    assert uploads_in_manifest(open_chain(data_root)) == {GOOD, "second"}
    assert outputs(data_root, "beatmap") == before
    if inbox.exists():
        inbox.rmdir()
    (data_root / "unmounted").rename(inbox)
    assert calls_through_tokens(open_chain(data_root)) == {}
    assert Ingest(open_chain(data_root)).hold() is None
    assert set(outcomes(walk(open_chain(data_root)))["second"].values()) == {"hit"}


def test_deletion_that_is_confirmed_is_believed(data_root: Path, inbox: Path) -> None:
    calls_through_tokens(open_chain(data_root))
    shutil.rmtree(inbox)
    ingest(open_chain(data_root))
    assert Ingest(open_chain(data_root)).hold() is not None
    assert ingest(open_chain(data_root), confirm_deletions=True).vanished == (GOOD,)
    assert Ingest(open_chain(data_root)).hold() is None
    calls_through_tokens(open_chain(data_root))
    assert uploads_in_manifest(open_chain(data_root)) == set()


def rows_of(root: Path) -> list[Rejection]:
    return list(open_chain(root).rejections())


def uploads_in_manifest(chain: Chain) -> set[str]:
    return set(manifest_rows(chain).column("upload").to_pylist())
