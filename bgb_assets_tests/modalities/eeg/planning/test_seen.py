"""What is known of a folder without its samples: headers, labels, labels without recordings, and what is refused."""

import shutil
from pathlib import Path

import edfio
import numpy as np
import pytest

from bgb_assets.modalities.eeg import raw, synth
from bgb_assets.modalities.eeg.planning.seen import look
from bgb_assets.modalities.eeg.raw import RawParams
from bgb_assets.modalities.eeg.recordings import edf
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.modalities.eeg.annotations.annotation_files import csv_event, csv_rows, tsv_event, write
from bgb_assets_tests.modalities.eeg.recordings.edf_files import make_discontinuous, write_edf
from bgb_assets_tests.modalities.eeg.uploads import run_cache, run_raw, write_upload


def only(path: Path, **params):
    (one,) = look(path, RawParams(**params)).recordings
    return one


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of each kind that `synth` writes."""
    out = tmp_path_factory.mktemp("made")
    synth.synth(out, len(synth.KINDS), 3)
    return out


def test_what_is_seen_is_what_the_stages_make(made: Path, tmp_path: Path) -> None:
    seen = {one.name: one for one in look(made, RawParams()).recordings}
    uploads = list(raw.discover(made))
    assert sorted(seen) == sorted(upload.path for upload in uploads)
    for number, upload in enumerate(uploads):
        directory = tmp_path / f"upload{number}"
        for file in upload.files:
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made / file, directory / file)
        result = run_raw(directory, tmp_path / f"raw{number}")
        stored = run_cache(directory, tmp_path / f"raw{number}", tmp_path / f"cache{number}")
        one = seen[upload.path]
        assert one.native_bytes == stored.metadata["bytes"]
        assert (one.place.patient, one.duration_s) == (result.metadata["patient"], result.metadata["duration_s"])
        assert one.trusted == "csv_bi"


def test_no_sample_is_read_where_labels_lie_beside(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("samples were read")

    monkeypatch.setattr(edf.EdfRecording, "blocks", refused)
    monkeypatch.setattr(edf.EdfRecording, "texts", refused)
    assert len(look(made, RawParams()).recordings) == len(synth.KINDS)


def test_labels_whose_recording_is_not_there_count_by_their_length(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    write(tmp_path / "dev" / "aaaaaaaa_s001_t000.csv_bi", csv_rows(csv_event(1, 2.5)))
    one = only(tmp_path)
    assert (one.name, one.place.patient, one.place.split) == ("dev/aaaaaaaa_s001_t000", "aaaaaaaa", "val")
    assert (one.native_bytes, one.duration_s, one.trusted) == (None, 1275.0, "csv_bi")
    assert one.segments.samples.tolist() == [1275 * 256]
    assert one.seizures.tolist() == [[256, 640]]


def test_csv_bi_is_trusted_above_events_and_each_recording_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "p1_a.csv_bi", csv_rows(csv_event(1, 2)))
    columns = "onset\tduration\teventType\trecordingDuration"
    write(tmp_path / "p1_a_events.tsv", [columns, f"{tsv_event(5, 6)}\t1275"])
    assert only(tmp_path).trusted == "csv_bi"
    (tmp_path / "p1_a.csv_bi").rename(tmp_path / "p1_a_eeg.csv_bi")
    assert only(tmp_path).trusted == "csv_bi"


def test_labels_that_do_not_say_how_long_are_refused_and_others_go_on(tmp_path: Path) -> None:
    write(tmp_path / "a_events.tsv", ["onset\tduration\teventType", tsv_event(1, 2)])
    write(tmp_path / "b.csv_bi", csv_rows(csv_event(1, 2, label="what")))
    write(tmp_path / "c.csv_bi", csv_rows())
    seen = look(tmp_path, RawParams())
    assert [one.name for one in seen.recordings] == ["c"]
    assert "says nothing about the length" in seen.refused["a"].reason
    assert "got 'what', expected a known label" in seen.refused["b"].reason


def test_a_recording_without_labels_is_told_as_raw_would_take_it(tmp_path: Path) -> None:
    write_edf(tmp_path / "p1_a.edf")
    assert "no annotation" in look(tmp_path, RawParams()).refused["p1_a"].reason
    assert only(tmp_path, unlabelled="inference_only").labelled == "inference_only"


def test_texts_inside_a_recording_label_it_where_nothing_lies_beside(tmp_path: Path) -> None:
    write_edf(tmp_path / "p1_a.edf", annotations=[edfio.EdfAnnotation(1, 2, "seizure")])
    one = only(tmp_path)
    assert (one.trusted, one.seizures.tolist()) == ("edf_texts", [[256, 768]])


def test_a_gap_makes_segments(tmp_path: Path) -> None:
    make_discontinuous(
        write_upload(tmp_path, rows="TERM,1.0000,9.0000,seiz,1.0000\n", annotations=[]) / "p1_a.edf", {2: 5}
    )
    text = (tmp_path / "p1_a.csv_bi").read_text().replace("4.0000 secs", "9.0000 secs")
    (tmp_path / "p1_a.csv_bi").write_text(text)
    one = only(tmp_path)
    assert one.segments.samples.tolist() == [512, 512]
    assert one.duration_s == 9.0
    assert one.seizures.tolist() == [[256, 512], [512, 1024]]


def test_one_file_is_looked_at_with_what_lies_beside_it(tmp_path: Path) -> None:
    write_upload(tmp_path, "p1_a")
    write_upload(tmp_path, "p1_b")
    assert only(tmp_path / "p1_a.edf").name == "p1_a"
    assert np.array_equal(only(tmp_path / "p1_b.edf").seizures, [[256, 512]])


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        look(tmp_path / "none", RawParams())
    with pytest.raises(UsageError, match=r"no recording, and no file that ends in \.csv_bi or _events\.tsv"):
        look(tmp_path, RawParams())
    (tmp_path / "all.zip").write_bytes(b"")
    assert look(tmp_path, RawParams()).archives == ("all.zip",)
