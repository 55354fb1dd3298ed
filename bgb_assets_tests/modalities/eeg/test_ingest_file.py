"""One recording taken in by its file: its labels come along, whatever layout they have, and those of others do not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bgb_assets_tests.modalities.eeg.annotations.annotation_files import csv_event, csv_rows, tsv_event, write
from bgb_assets_tests.modalities.eeg.recordings.edf_files import write_edf
from bgb_assets_tests.modalities.eeg.uploads import write_upload
from bgb_assets_tests.test_cli import bgb, root_in_use

SUMMARY = "\n".join(
    (
        "File Name: chb01_03.edf",
        "File Start Time: 13:43:04",
        "File End Time: 13:43:08",
        "Number of Seizures in File: 1",
        "Seizure Start Time: 1 seconds",
        "Seizure End Time: 2 seconds",
        "",
    )
)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with root_in_use(tmp_path / "data") as held:
        yield held


def taken(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "inbox" / "eeg").iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize(
    ("recording", "labels", "rows"),
    [
        ("p1_a.edf", "p1_a.csv_bi", csv_rows(csv_event(1, 2))[-2:]),
        ("p1_a.edf", "p1_a.csv", csv_rows(csv_event(1, 2, channel="FP1-F7"))[-2:]),
        ("sub-01_run-00_eeg.edf", "sub-01_run-00_events.tsv", ["onset\tduration\teventType", tsv_event(1, 2)]),
        ("chb01_03.edf", "chb01-summary.txt", [SUMMARY]),
    ],
)
def test_labels_beside_a_recording_come_along(
    recording: str, labels: str, rows: list[str], tmp_path: Path, root: Path
) -> None:
    source = tmp_path / "delivered"
    write_edf(source / recording)
    write(source / labels, rows)
    write_upload(source, "p9_z")  # of another recording
    said = bgb("ingest", "eeg", source / recording)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == f"taken in together: {', '.join(sorted((recording, labels)))}"
    assert taken(root) == sorted((recording, labels))
    assert bgb("materialize", "eeg", "--through", "notes").code == 0
    (key,) = bgb("show", "eeg", "--json").json()
    assert Path(recording).stem in str(key)
    assert bgb("quarantine", "list", "eeg", "--json").json() == []


def test_what_would_be_taken_is_told_first(tmp_path: Path, root: Path) -> None:
    write_upload(tmp_path / "delivered", "p1_a")
    planned = bgb("ingest", "eeg", tmp_path / "delivered" / "p1_a.edf", "--dry-run", "--json").json()
    assert planned["to_copy"] == ["p1_a.csv_bi", "p1_a.edf"]
    assert not (root / "inbox").exists()
