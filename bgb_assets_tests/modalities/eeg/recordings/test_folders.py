import pytest

from bgb_assets.modalities.eeg.recordings.folders import RecordingFiles, in_folder, only_recording, recordings_below
from bgb_assets.runtime.errors import BadInput


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            ["X.edf", "X.csv_bi", "X.csv", "X.txt", "XY.csv"],
            RecordingFiles("X.edf", ("X.edf",), (("csv_bi", "X.csv_bi"), ("csv", "X.csv"))),
        ),
        (
            ["sub-1_eeg.edf", "sub-1_events.tsv", "sub-1_events.json", "sub-1_channels.tsv"],
            RecordingFiles("sub-1_eeg.edf", ("sub-1_eeg.edf",), (("events.tsv", "sub-1_events.tsv"),)),
        ),
        (["a.vhdr", "a.eeg", "a.vmrk"], RecordingFiles("a.vhdr", ("a.vhdr", "a.vmrk", "a.eeg"), ())),
        (["a.VHDR", "A.EEG", "a.Vmrk"], RecordingFiles("a.VHDR", ("a.VHDR", "a.Vmrk", "A.EEG"), ())),
        (["a.set", "a.fdt"], RecordingFiles("a.set", ("a.set", "a.fdt"), ())),
        (["a.lay", "a.dat"], RecordingFiles("a.lay", ("a.lay", "a.dat"), ())),
        (["A.EEG", "A.PNT", "A.LOG", "A.21E"], RecordingFiles("A.EEG", ("A.EEG", "A.PNT", "A.LOG", "A.21E"), ())),
        (
            ["chb01_03.edf", "chb01-summary.txt", "chb02-summary.txt"],
            RecordingFiles("chb01_03.edf", ("chb01_03.edf",), (("summary", "chb01-summary.txt"),)),
        ),
        (
            ["PN00-1.edf", "Seizures-list-PN00.txt"],
            RecordingFiles("PN00-1.edf", ("PN00-1.edf",), (("summary", "Seizures-list-PN00.txt"),)),
        ),
    ],
)
def test_a_recording_is_found_with_its_files_and_its_annotations(files, expected):
    assert in_folder(sorted(files), []) == [expected]


def test_one_summary_belongs_to_every_recording_that_begins_like_it():
    files = ["chb17a_03.edf", "chb17b_57.edf", "chb17-summary.txt"]
    assert [dict(item.sidecars) for item in in_folder(files, [])] == [{"summary": "chb17-summary.txt"}] * 2


@pytest.mark.parametrize("name", ["notes.txt", "X.csv_bi", "X_events.tsv", "X.edf.seizures", "X.json", "X.vmrk"])
def test_what_is_no_recording_is_none(name):
    assert in_folder([name], []) == []


def test_the_data_of_a_brainvision_recording_is_no_recording_of_its_own():
    found = in_folder(["a.eeg", "a.vhdr", "a.vmrk", "b.eeg"], [])
    assert [item.main for item in found] == ["a.vhdr", "b.eeg"]


def test_an_egi_folder_is_one_recording(tmp_path):
    touch(tmp_path, "p/X.mff/info.xml", "p/X.mff/signal1.bin", "p/X.csv_bi", "p/.DS_Store")
    assert only_recording(tmp_path) == RecordingFiles(
        "p/X.mff", ("p/X.mff/info.xml", "p/X.mff/signal1.bin"), (("csv_bi", "p/X.csv_bi"),)
    )


def test_an_upload_is_found_at_any_depth(tmp_path):
    touch(tmp_path, "dev/a/X.edf", "dev/a/X.csv_bi", "dev/a/.X.edf", "dev/a/Y.edf.part", "__MACOSX/X.edf")
    assert only_recording(tmp_path) == RecordingFiles("dev/a/X.edf", ("dev/a/X.edf",), (("csv_bi", "dev/a/X.csv_bi"),))


def test_a_link_to_a_folder_is_not_followed(tmp_path):
    touch(tmp_path, "a/X.edf")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [(prefix, item.main) for prefix, item in recordings_below(tmp_path)] == [("a/", "X.edf")]


@pytest.mark.parametrize(
    ("names", "shown"),
    [([], "got 0 (none)"), (["X.csv_bi"], "got 0 (none)"), (["a/X.edf", "X.bdf"], "got 2 (X.bdf, a/")],
)
def test_one_recording_is_expected(tmp_path, names, shown):
    touch(tmp_path, *names)
    with pytest.raises(BadInput, match=r"deliver one file of \.edf, \.bdf") as refused:
        only_recording(tmp_path)
    assert shown in refused.value.reason


def test_a_recording_of_too_many_files_is_refused(tmp_path):
    touch(tmp_path, *(f"X.mff/{number}.bin" for number in range(65)))
    with pytest.raises(BadInput, match="65 files, at most 64"):
        only_recording(tmp_path)
