"""Two folders of annotation files: which belong together, and what stops them from being scored."""

from pathlib import Path

import pytest

from bgb_assets.modalities.eeg.scoring.folders import pair_folders
from bgb_assets.runtime.errors import BadInput

Rows = list[tuple[float, float]]


def write_csv_bi(path: Path, rows: Rows, duration_s: float | None = 300.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stated = [] if duration_s is None else [f"# duration = {duration_s:.4f} secs"]
    head = ["# version = csv_v1.0.0", f"# bname = {path.stem}", *stated, "#"]
    events = [f"TERM,{start:.4f},{stop:.4f},seiz,1.0000" for start, stop in rows]
    path.write_text("\n".join([*head, "channel,start_time,stop_time,label,confidence", *events]) + "\n")


def write_tsv(path: Path, rows: Rows, duration_s: float | str = 300.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    events = [f"{start}\t{stop - start}\tsz\t{duration_s}" for start, stop in rows]
    path.write_text("\n".join(["onset\tduration\teventType\trecordingDuration", *events]) + "\n")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    reference, hypothesis = tmp_path / "ref", tmp_path / "hyp"
    write_csv_bi(reference / "train" / "aaaaaaaa_s001_t000.csv_bi", [(10, 20)])
    write_tsv(reference / "sub-02" / "sub-02_run-1_events.tsv", [(30, 40)])
    write_tsv(hypothesis / "train" / "aaaaaaaa_s001_t000_events.tsv", [(12, 18)])
    write_csv_bi(hypothesis / "sub-02" / "sub-02_run-1.csv_bi", [])
    return reference, hypothesis


def test_files_belong_together_whatever_their_format(folders: tuple[Path, Path]) -> None:
    bids, tusz = pair_folders(*folders).recordings
    assert (bids.name, bids.patient, bids.duration_s) == ("sub-02/sub-02_run-1", "sub-02", 300.0)
    assert (bids.reference.tolist(), bids.hypothesis.tolist()) == ([[30, 40]], [])
    assert (tusz.patient, tusz.hypothesis.tolist()) == ("aaaaaaaa", [[12, 18]])


def test_two_label_files_of_one_bids_recording_count_once(tmp_path: Path) -> None:
    for folder, rows in (("ref", [(10.0, 20.0)]), ("hyp", [(11.0, 19.0)])):
        write_csv_bi(tmp_path / folder / "sub-1_run-1_eeg.csv_bi", rows)
        write_tsv(tmp_path / folder / "sub-1_run-1_events.tsv", rows)
    (one,) = pair_folders(tmp_path / "ref", tmp_path / "hyp").recordings
    assert (one.name, one.patient) == ("sub-1_run-1", "sub-1")
    (tmp_path / "hyp" / "sub-1_run-1_events.tsv").unlink()
    (tmp_path / "ref" / "sub-1_run-1_eeg.csv_bi").unlink()
    (one,) = pair_folders(tmp_path / "ref", tmp_path / "hyp").recordings
    assert (one.reference.tolist(), one.hypothesis.tolist()) == ([[10, 20]], [[11, 19]])


def test_a_flat_folder_of_hypotheses_is_matched_by_file_name(folders: tuple[Path, Path], tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    write_csv_bi(flat / "aaaaaaaa_s001_t000.csv_bi", [(1, 2)])
    write_csv_bi(flat / "sub-02_run-1.csv_bi", [])
    write_csv_bi(flat / "other.csv_bi", [])
    pairs = pair_folders(folders[0], flat)
    assert pairs.recordings[1].hypothesis.tolist() == [[1, 2]]
    assert pairs.unused == ("other.csv_bi",)
    write_csv_bi(flat / "again" / "sub-02_run-1.csv_bi", [])
    with pytest.raises(BadInput, match="are both for one recording"):
        pair_folders(folders[0], flat)


def test_equal_names_in_two_folders_are_never_mixed_up(tmp_path: Path) -> None:
    for place, rows in (("a", [(1.0, 2.0)]), ("b", [(3.0, 4.0)])):
        write_csv_bi(tmp_path / "ref" / place / "x.csv_bi", rows)
    write_csv_bi(tmp_path / "hyp" / "x.csv_bi", [])
    with pytest.raises(BadInput, match="2 of 2 recordings are missing"):
        pair_folders(tmp_path / "ref", tmp_path / "hyp")
    same = pair_folders(tmp_path / "ref", tmp_path / "ref").recordings
    assert [one.hypothesis.tolist() for one in same] == [[[1, 2]], [[3, 4]]]


def test_a_missing_hypothesis_is_an_error_unless_it_is_said_to_mean_nothing(folders: tuple[Path, Path]) -> None:
    (folders[1] / "sub-02" / "sub-02_run-1.csv_bi").unlink()
    with pytest.raises(BadInput, match=r"1 of 2 recordings are missing, the first is 'sub-02/.*--missing empty"):
        pair_folders(*folders)
    pairs = pair_folders(*folders, missing="empty")
    assert pairs.missing == ("sub-02/sub-02_run-1",)
    assert pairs.recordings[0].hypothesis.shape == (0, 2)


def test_durations_that_differ_are_both_named(folders: tuple[Path, Path]) -> None:
    write_csv_bi(folders[1] / "sub-02" / "sub-02_run-1.csv_bi", [], 290.0)
    with pytest.raises(BadInput, match=r"sub-02_run-1: 300 s in .*_events.tsv, 290 s in .*csv_bi; score what"):
        pair_folders(*folders)
    write_csv_bi(folders[1] / "sub-02" / "sub-02_run-1.csv_bi", [], 300.004)
    assert pair_folders(*folders).recordings[0].duration_s == 300.0


def test_somebody_must_say_how_long_the_recording_is(folders: tuple[Path, Path]) -> None:
    write_tsv(folders[0] / "sub-02" / "sub-02_run-1_events.tsv", [])
    assert pair_folders(*folders).recordings[0].duration_s == 300.0
    write_csv_bi(folders[1] / "sub-02" / "sub-02_run-1.csv_bi", [], None)
    with pytest.raises(BadInput, match="no file says how long"):
        pair_folders(*folders)


def test_one_file_for_two_recordings_is_refused(folders: tuple[Path, Path]) -> None:
    path = folders[1] / "train" / "aaaaaaaa_s001_t000_events.tsv"
    head = "onset\tduration\teventType\trecordingDuration\n"
    path.write_text(head + "1\t2\tsz\t300\n3\t4\tsz\t500\n")
    with pytest.raises(BadInput, match="says 300 s and 500 s; one file is for one recording"):
        pair_folders(*folders)


def test_an_event_beyond_the_end_is_refused(folders: tuple[Path, Path]) -> None:
    path = folders[1] / "sub-02" / "sub-02_run-1.csv_bi"
    write_csv_bi(path, [(290, 300.9)])
    assert pair_folders(*folders).recordings[0].hypothesis.tolist() == [[290, 300.9]]
    write_csv_bi(path, [(290, 310)])
    with pytest.raises(BadInput, match="ends at 310 s, the recording at 300 s"):
        pair_folders(*folders)


def test_a_folder_without_references_is_refused(tmp_path: Path) -> None:
    (tmp_path / "participants.tsv").write_text("participant_id\nsub-01\n")
    with pytest.raises(BadInput, match=r"no file that ends in \.csv_bi or _events.tsv"):
        pair_folders(tmp_path, tmp_path)
