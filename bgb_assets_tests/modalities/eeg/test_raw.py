import json
import os
import shutil
import sys

import edfio
import pytest

from bgb_assets.modalities.contract import Found
from bgb_assets.modalities.eeg import raw
from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.recordings.edf_files import (
    RECORDS,
    START,
    make_discontinuous,
    patch,
    signal_field,
    write_edf,
)
from bgb_assets_tests.modalities.eeg.uploads import run_cache, run_raw, write_upload

INVENTED = b"Hans_Muller"


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def read(out, name):
    return json.loads((out / name).read_text())


def test_recordings_are_found_with_their_sidecars_in_every_layout(tmp_path):
    touch(
        tmp_path,
        "edf/dev/aaaaaaac/s001/01_tcp_ar/aaaaaaac_s001_t000.edf",
        "edf/dev/aaaaaaac/s001/01_tcp_ar/aaaaaaac_s001_t000.csv",
        "edf/dev/aaaaaaac/s001/01_tcp_ar/aaaaaaac_s001_t000.csv_bi",
        "ds/dataset_description.json",
        "ds/sub-01/eeg/sub-01_task-x_eeg.edf",
        "ds/sub-01/eeg/sub-01_task-x_events.tsv",
        "chb01/chb01-summary.txt",
        "chb01/chb01_03.edf",
        "chb01/chb01_04.edf",
        "PN00/PN00-1.edf",
        "PN00/Seizures-list-PN00.txt",
        "loose.vhdr",
        "loose.eeg",
        "loose.vmrk",
        "all.zip",
        "egi/X.mff/info.xml",
    )
    found = {item.path: item.files for item in raw.discover(tmp_path)}
    tusz = "edf/dev/aaaaaaac/s001/01_tcp_ar/aaaaaaac_s001_t000"
    assert found == {
        "all.zip": ("all.zip",),
        "loose": ("loose.eeg", "loose.vhdr", "loose.vmrk"),
        "PN00/PN00-1": ("PN00/PN00-1.edf", "PN00/Seizures-list-PN00.txt"),
        "chb01/chb01_03": ("chb01/chb01-summary.txt", "chb01/chb01_03.edf"),
        "chb01/chb01_04": ("chb01/chb01-summary.txt", "chb01/chb01_04.edf"),
        "ds/sub-01/eeg/sub-01_task-x_eeg": (
            "ds/sub-01/eeg/sub-01_task-x_eeg.edf",
            "ds/sub-01/eeg/sub-01_task-x_events.tsv",
        ),
        tusz: (f"{tusz}.csv", f"{tusz}.csv_bi", f"{tusz}.edf"),
        "egi/X": ("egi/X.mff/info.xml",),
    }


def test_equal_stems_in_two_folders_are_two_recordings(tmp_path):
    touch(tmp_path, "a/X.edf", "a/X.csv_bi", "b/X.edf")
    assert list(raw.discover(tmp_path)) == [Found("a/X", ("a/X.csv_bi", "a/X.edf")), Found("b/X", ("b/X.edf",))]


def test_two_recordings_of_one_stem_have_two_names(tmp_path):
    touch(tmp_path, "X.bdf", "X.edf", "x.vhdr", "Y.edf", "Y/Z.edf")
    assert [item.path for item in raw.discover(tmp_path)] == ["X", "X.bdf", "Y.edf", "x.vhdr", "Y/Z"]


def test_a_recording_is_not_named_as_the_folder_that_is_looked_at(tmp_path):
    touch(tmp_path, "X/X.edf")
    assert [item.path for item in raw.discover(tmp_path / "X")] == ["X.edf"]
    assert [item.path for item in raw.discover(tmp_path)] == ["X/X"]


def test_an_egi_folder_that_is_looked_at_is_one_upload(tmp_path):
    touch(tmp_path, "X.mff/info.xml", "X.mff/signal1.bin")
    assert list(raw.discover(tmp_path / "X.mff")) == [Found("X.mff", ("info.xml", "signal1.bin"))]


def test_discovery_opens_no_file(tmp_path):
    touch(tmp_path, *(f"p{i}/r{j}.{end}" for i in range(5) for j in range(5) for end in ("edf", "csv_bi", "csv")))
    opened = []
    sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
    assert len(list(raw.discover(tmp_path))) == 25
    assert [path for path in opened if str(tmp_path) in str(path)] == []


def test_annotations_without_a_recording_are_no_upload():
    seizeit2 = shared_data("eeg") / "seizeit2"
    assert list(raw.discover(seizeit2)) == []


def test_the_fingerprint_tells_signal_labels_and_place_apart(tmp_path):
    upload = write_upload(tmp_path / "a")
    before = raw.fingerprint(upload)
    (upload / "p1_a.csv_bi").write_text((upload / "p1_a.csv_bi").read_text().replace("2.0000", "3.0000"))
    labels = raw.fingerprint(upload)
    assert {name for name in before if before[name] != labels[name]} == {"sidecars"}
    patch(upload / "p1_a.edf", START, "07.05.2107.08.09")
    assert {name for name in before if raw.fingerprint(upload)[name] != labels[name]} == {"recording"}
    moved = write_upload(tmp_path / "b" / "train", "p1_a").parent
    assert {name for name in before if raw.fingerprint(moved)[name] != before[name]} == {"place"}


def test_touching_and_moving_an_upload_changes_no_fingerprint(tmp_path):
    upload = write_upload(tmp_path / "a")
    before = raw.fingerprint(upload)
    shutil.copytree(upload, tmp_path / "b")
    os.utime(tmp_path / "b" / "p1_a.edf", (1, 1))
    assert raw.fingerprint(tmp_path / "b") == before


def test_memory_is_bounded_by_the_size_of_the_recording(tmp_path):
    small = raw.cost_bytes(write_upload(tmp_path / "a"))
    large = raw.cost_bytes(write_upload(tmp_path / "b", seconds=40))
    assert 64 << 20 < small < large < 70 << 20


def test_a_recording_is_described_with_its_annotations(tmp_path):
    upload = write_upload(tmp_path / "in" / "dev", "aaaaaaac_s001_t000").parent
    result = run_raw(upload, tmp_path / "out")
    recording = read(tmp_path / "out", "recording.json")
    assert [channel["name"] for channel in recording["channels"]] == list(CANONICAL)
    assert recording["channels"][0] == {
        "name": "Fp1",
        "label": "EEG FP1-REF",
        "index": 0,
        "sign": 1,
        "unit_to_uv": 1.0,
        "rate_hz": 256.0,
    }
    assert {
        name: recording[name] for name in ("format", "kind", "rate_hz", "samples", "bits", "segments", "start")
    } == {
        "format": "edf",
        "kind": "referential",
        "rate_hz": 256.0,
        "samples": 1024,
        "bits": 16,
        "segments": [[0, 1024, 0.0]],
        "start": "2021-05-06T07:08:09",
    }
    annotations = read(tmp_path / "out", "annotations.json")
    assert (annotations["trusted"], annotations["duration_s"]) == ("csv_bi", 4.0)
    place = {"patient": "aaaaaaac", "visit": "s001", "split": "val"}
    assert read(tmp_path / "out", "meta.json") == place
    assert {name: result.metadata[name] for name in place} == place
    assert result.references == {"recording": "dev/aaaaaaac_s001_t000.edf"}
    assert result.warnings == ()


def test_what_is_known_of_the_signal_does_not_depend_on_its_labels(tmp_path):
    upload = write_upload(tmp_path / "in")
    before = run_raw(upload, tmp_path / "1").facets
    (upload / "p1_a.csv_bi").write_text((upload / "p1_a.csv_bi").read_text().replace("2.0000", "3.0000"))
    after = run_raw(upload, tmp_path / "2").facets
    assert {name for name in before if before[name] != after[name]} == {"labels"}


def test_a_patients_name_is_part_of_the_bytes_and_of_nothing_else(tmp_path):
    upload = write_upload(tmp_path / "in")
    before = run_raw(upload, tmp_path / "1")
    first = run_cache(upload, tmp_path / "1", tmp_path / "1c")
    patch(upload / "p1_a.edf", slice(8, 88), "X X X Another")
    after = run_raw(upload, tmp_path / "2")
    second = run_cache(upload, tmp_path / "2", tmp_path / "2c")
    assert {name for name in before.facets if before.facets[name] != after.facets[name]} == {"recording"}
    assert first.facets == second.facets


def test_no_name_of_a_patient_goes_further(tmp_path):
    source = shared_data("eeg") / "edf" / "test_generator.edf"
    assert INVENTED in source.read_bytes()
    upload = tmp_path / "in"
    upload.mkdir()
    path = upload / "p1.edf"
    shutil.copy(source, path)
    path.chmod(0o644)
    with pytest.raises(BadInput) as refused:
        run_raw(upload, tmp_path / "refused", unlabelled="background")
    assert "0 of the 19" in refused.value.reason
    assert "squarewave" in refused.value.reason
    said = [str(refused.value)]
    for index, name in enumerate(CANONICAL[:11]):
        patch(path, signal_field(12, index, "label"), name)
    patch(path, RECORDS, "700")
    patch(path, START, "04:04:1112.57.02")
    result = run_raw(upload, tmp_path / "raw", unlabelled="background")
    cached = run_cache(upload, tmp_path / "raw", tmp_path / "cache")
    said += [repr(result), repr(cached)]
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file != path]
    assert len(written) >= 5
    for content in (*written, *(text.encode() for text in said)):
        for word in (INVENTED, b"Muller", b"abcxyz99", b"30-JUN-1969", b"Spotty", b"Dr._X"):
            assert word not in content
    assert len(result.warnings) == 3


def test_repairs_are_named_and_change_no_file(tmp_path):
    upload = write_upload(tmp_path / "in")
    path = patch(patch(upload / "p1_a.edf", RECORDS, "-1"), START, "06:05:2107.08.09")
    delivered = path.read_bytes()
    result = run_raw(upload, tmp_path / "out")
    repairs = read(tmp_path / "out", "recording.json")["repairs"]
    assert repairs == [
        "number of records '-1': 4 by the size of the file",
        "start '06:05:2107.08.09' has other separators than '.': read as 2021-05-06T07:08:09",
    ]
    assert set(repairs) <= set(result.warnings)
    assert path.read_bytes() == delivered


def test_gaps_are_in_the_timeline_and_in_the_duration(tmp_path):
    upload = tmp_path / "in"
    write_upload(upload, annotations=[])
    make_discontinuous(upload / "p1_a.edf", {2: 3})
    with pytest.raises(BadInput, match="4 s, the signal has 7 s"):
        run_raw(upload, tmp_path / "refused")
    result = run_raw(upload, tmp_path / "out", trust="signal")
    assert read(tmp_path / "out", "recording.json")["segments"] == [[0, 512, 0.0], [512, 512, 5.0]]
    assert result.metadata["duration_s"] == 7.0


def test_texts_in_the_recording_are_labels_where_there_are_no_others(tmp_path):
    texts = [edfio.EdfAnnotation(1, None, "Seizure start"), edfio.EdfAnnotation(2.5, None, "seizure end")]
    write_edf(tmp_path / "in" / "a.edf", annotations=texts)
    run_raw(tmp_path / "in", tmp_path / "out")
    (source,) = read(tmp_path / "out", "annotations.json")["sources"]
    assert (source["source"], source["events"][0]["onset_s"], source["events"][0]["offset_s"]) == (
        "edf_texts",
        1.0,
        2.5,
    )


def test_a_recording_that_nobody_labelled_waits_for_a_word(tmp_path):
    write_edf(tmp_path / "in" / "a.edf")
    with pytest.raises(BadInput, match=r"no annotation; add a\.csv_bi"):
        run_raw(tmp_path / "in", tmp_path / "refused")
    run_raw(tmp_path / "in", tmp_path / "out", unlabelled="inference_only")
    assert read(tmp_path / "out", "annotations.json")["labelled"] == "inference_only"


def test_a_patient_that_is_only_guessed_is_told(tmp_path):
    result = run_raw(write_upload(tmp_path / "in"), tmp_path / "out")
    assert result.warnings == ("patient 'p1' is taken from the path: recordings of one patient belong in one folder",)


@pytest.mark.parametrize("name", ["short_psg.edf", "duplicate_channel_labels.edf", "test_uneven_samp.edf"])
def test_real_recordings_without_the_electrodes_are_refused_with_what_they_have(tmp_path, name):
    upload = tmp_path / "in"
    upload.mkdir()
    shutil.copy(shared_data("eeg") / "edf" / name, upload)
    with pytest.raises(BadInput, match="0 of the 19 electrodes") as refused:
        run_raw(upload, tmp_path / "out", unlabelled="background")
    assert "missing Fp1" in refused.value.reason
    assert list((tmp_path / "out").iterdir()) == []


def test_equal_uploads_write_equal_bytes(tmp_path):
    upload = write_upload(tmp_path / "in")
    first, second = run_raw(upload, tmp_path / "1"), run_raw(upload, tmp_path / "2")
    assert first == second
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert names == ["annotations.json", "meta.json", "recording.json"]
    assert all((tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes() for name in names)
