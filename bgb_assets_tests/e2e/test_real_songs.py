"""Real maps and real recordings through the chain, from the inbox to tokens."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bgb_assets.engine.outcomes import UploadOutcome
from bgb_assets.engine.status import status_of
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.storage.table_reader import Tables
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import opened_below, outcomes, walk
from bgb_assets_tests.e2e.songs import (
    Counts,
    calls_through_tokens,
    counted_in_files,
    counted_in_table,
    entry_of,
    manifest_directory,
    manifest_rows,
    open_chain,
    write_real_map,
    write_real_recording,
)
from bgb_assets_tests.fixtures import shared_data

MAPS = {"werewolf_howls": (5, 2_762), "JOURNEY": (2, 3_540)}
"""Folder -> difficulties that are there and notes in all of them, as counted by hand for the fixtures' listing."""

RECORDINGS = 5
ABSENT = {("Standard", name) for name in ("Easy", "Normal", "Hard", "Expert")}
"""What JOURNEY's Info names and the set lacks."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root whose inbox holds every real map and recording, brought as far as tokens."""
    data = shared_data("beatmap")
    root = tmp_path_factory.mktemp("real")
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    inbox = root / "inbox" / "beatmap"
    for name in MAPS:
        write_real_map(data / "maps" / name, inbox / name)
    for number, recording in enumerate(sorted((data / "audio").glob("*.ogg"))):
        write_real_recording(recording, inbox / recording.stem, version=2 + number % 3, seed=number)
    calls = calls_through_tokens(open_chain(root))
    uploads = len(MAPS) + RECORDINGS
    assert {name: calls[name] for name in (*PER_UPLOAD_STAGES, "decodes")} == dict.fromkeys(
        (*PER_UPLOAD_STAGES, "decodes"), uploads
    )
    return root


@pytest.fixture(scope="module")
def uploads(root: Path) -> dict[str, Path]:
    """Upload key -> its folder in the inbox."""
    return {record.key: root / "inbox" / "beatmap" / record.path for record in open_chain(root).uploads.all()}


@pytest.fixture(scope="module")
def found(root: Path) -> dict[str, UploadOutcome]:
    return walk(open_chain(root))


def test_every_upload_goes_through_and_none_is_quarantined(root: Path, found: dict[str, UploadOutcome]) -> None:
    assert len(found) == len(MAPS) + RECORDINGS
    assert all(set(stages) == set(PER_UPLOAD_STAGES) for stages in outcomes(found).values())
    assert {outcome for stages in outcomes(found).values() for outcome in stages.values()} == {"hit"}
    assert list(open_chain(root).quarantine.rows()) == []


def test_every_difficulty_is_in_the_manifest_or_named_as_missing(root: Path, uploads: dict[str, Path]) -> None:
    rows = manifest_rows(open_chain(root)).to_pylist()
    assert len({row["row_id"] for row in rows}) == len(rows)
    for key, folder in uploads.items():
        present, missing = counted_in_files(folder)
        own = {(row["characteristic"], row["difficulty"]): row for row in rows if row["upload"] == key}
        assert set(own) == set(present) | missing
        assert all(own[name]["status"] == "ok" for name in present)
        for name in missing:
            assert (own[name]["status"], own[name]["reason"], own[name]["included"]) == (
                "missing_file",
                "missing_file",
                False,
            )
        assert missing == (ABSENT if key == "JOURNEY" else set())


def test_missing_files_are_reported_with_their_names(found: dict[str, UploadOutcome]) -> None:
    warnings = found["JOURNEY"].stages["raw"].warnings
    for _, difficulty in ABSENT:
        said = [line for line in warnings if f"Standard {difficulty}: missing_file" in line]
        assert len(said) == 1
        assert f"'{difficulty}Standard.dat'" in said[0]
        assert "add the file or remove the difficulty from Info" in said[0]
    assert found["JOURNEY"].stages["raw"].metadata["status"] == "partial"


def test_notes_in_parquet_are_those_in_the_files(
    root: Path, uploads: dict[str, Path], found: dict[str, UploadOutcome]
) -> None:
    chain = open_chain(root)
    for key, folder in uploads.items():
        counts, _ = counted_in_files(folder)
        directory = entry_of(chain, found[key], "notes")
        assert counted_in_table(pq.read_table(directory / "beatmaps.parquet")) == counts, key
        assert rows_by_difficulty(pq.read_table(directory / "notes.parquet")) == notes_of(counts), key
        if key in MAPS:
            assert (len(counts), sum(notes_of(counts).values())) == MAPS[key]


def test_notes_in_the_compacted_tables_are_those_in_the_files(root: Path, uploads: dict[str, Path]) -> None:
    chain = open_chain(root)
    rows = manifest_rows(chain)
    with Tables(manifest_directory(chain), root) as tables:
        total = 0
        for key, folder in uploads.items():
            counts, _ = counted_in_files(folder)
            notes = tables.of_upload("notes", key)
            assert rows_by_difficulty(notes) == notes_of(counts), key
            assert (np.diff(notes.column("time_s").to_numpy()) >= 0).sum() > 0
            total += len(notes)
        assert tables.read("notes").num_rows == total == sum(filter(None, rows.column("notes").to_pylist()))


def test_every_included_difficulty_has_tokens_and_its_mel(root: Path) -> None:
    chain = open_chain(root)
    included = [row for row in manifest_rows(chain).to_pylist() if row["included"]]
    assert included
    record = next(
        held.record for held in chain.catalog.entries("beatmap", "tokens") if "index.json" in held.record.outputs
    )
    samples = pq.read_table(chain.store.directory(record) / "samples.parquet")
    assert sorted(samples.column("sample").to_pylist()) == sorted(row["row_id"] for row in included)
    assert min(samples.column("source").to_pylist()) >= 0
    assert min(samples.column("length").to_pylist()) > 7, "more than a header"
    for row in included:
        mel = np.load(root / row["mel"], mmap_mode="r")
        assert mel.shape == (row["frames"], 81)
        assert np.isfinite(mel).all()


def test_clicks_are_found_on_the_beats_of_real_maps(root: Path, found: dict[str, UploadOutcome]) -> None:
    for key in MAPS:
        directory = entry_of(open_chain(root), found[key], "features")
        for path in directory.glob("mel_*.npy"):
            onset = np.load(path)[:, 80].astype(np.float32)
            on_beat = onset[: len(onset) // 16 * 16].reshape(-1, 16).mean(axis=0)
            assert int(on_beat.argmax()) in (0, 1, 2, 3), on_beat


def test_two_encodes_of_one_song_are_one_group(root: Path) -> None:
    rows = manifest_rows(open_chain(root)).to_pylist()
    audio = {row["upload"]: row["audio_id"] for row in rows}
    assert len(set(audio.values())) == len(audio), "their payloads differ"
    groups = {row["upload"]: row["group"] for row in rows}
    encodes = [key for key in groups if f"{key}.hq" in groups]
    assert len(encodes) == 2
    for key in encodes:
        assert groups[key] == groups[f"{key}.hq"] == min(audio[key], audio[f"{key}.hq"])
    assert len(set(groups.values())) == len(groups) - len(encodes), "no other two sound the same"


def test_second_run_calls_nothing_and_status_says_so(root: Path) -> None:
    chain = open_chain(root)
    with opened_below(root) as opened:
        assert calls_through_tokens(chain) == {}
    audio = [name for name in opened if name.endswith((".egg", ".ogg", ".wav", ".npy"))]
    assert audio == []
    said = status_of(open_chain(root))
    uploads = len(MAPS) + RECORDINGS
    for stage in PER_UPLOAD_STAGES:
        assert said["stages"][stage] == {"current": uploads, "to_do": 0, "quarantined": 0}
        assert (said["last_run"][stage]["called"], said["last_run"][stage]["hit"]) == (0, uploads)
    for stage in ("manifest", "tokens"):
        assert (said["last_run"][stage]["called"], said["last_run"][stage]["hit"]) == (0, 1)
    assert said["quarantine"] == []
    assert said["held"] is None


def rows_by_difficulty(table: pa.Table) -> Counter[tuple[str, str]]:
    """Return how many rows each difficulty has."""
    return Counter(zip(table.column("characteristic").to_pylist(), table.column("difficulty").to_pylist(), strict=True))


def notes_of(counts: Counts) -> dict[tuple[str, str], int]:
    """Return the notes of each difficulty."""
    return {name: kinds["notes"] for name, kinds in counts.items()}
