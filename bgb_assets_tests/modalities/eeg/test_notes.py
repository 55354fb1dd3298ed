import shutil
import subprocess
import sys

import orjson
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.eeg import notes, synth
from bgb_assets.modalities.eeg.annotations.sidecars import read_annotations
from bgb_assets.modalities.eeg.synthetic.plan import SynthOptions
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.annotations.annotation_files import (
    TSV_COLUMNS,
    Params,
    csv_event,
    csv_rows,
    tsv_event,
    write,
)
from bgb_assets_tests.modalities.eeg.uploads import run_raw

DURATION_S = 1275.0
RECORDING = {"kind": "referential", "rate_hz": 250.0, "samples": 318_750, "segments": [[0, 318_750, 0.0]]}
META = {"patient": "aaaaaaac", "visit": "s001_2002", "split": "val"}


def raw_folder(folder, annotations, recording=RECORDING):
    folder.mkdir(parents=True)
    files = {"annotations": annotations.as_json(), "recording": recording, "meta": META}
    for name, content in files.items():
        (folder / f"{name}.json").write_bytes(orjson.dumps(content))
    return folder


def run(raw, out):
    out.mkdir(parents=True)
    return notes.run({"raw": raw}, notes.NotesParams(), out), {path.stem: pq.read_table(path) for path in out.iterdir()}


def noted(folder, *rows, name="X.csv_bi", params=None, duration_s=DURATION_S):
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / name, csv_rows(*rows))
    return read_annotations(folder, "X.edf", duration_s, params or Params())


@pytest.mark.parametrize("options", [SynthOptions(rate_hz=200), SynthOptions(rate_hz=250, gap_s=33)])
def test_each_layout_alone_gives_the_same_bytes_of_intervals(tmp_path, options):
    synth.write_recording(tmp_path / "made", 1, 0, 4.0, 9, options)
    [edf] = (tmp_path / "made").rglob("*.edf")
    found = {}
    for ending in (".csv_bi", ".csv", "_events.tsv"):
        upload, out = tmp_path / f"upload{ending}", tmp_path / f"raw{ending}"
        upload.mkdir()
        [sidecar] = [path for path in edf.parent.iterdir() if path.name.endswith(ending)]
        for path in (edf, sidecar):
            shutil.copy(path, upload)
        run_raw(upload, out)
        result, _ = run(out, tmp_path / f"notes{ending}")
        found[ending] = (tmp_path / f"notes{ending}" / "intervals.parquet").read_bytes()
        assert (result.metadata["trusted"], result.metadata["labelled"]) == (
            {"_events.tsv": "events.tsv"}.get(ending, ending[1:]),
            "yes",
        )
    assert len(set(found.values())) == 1


def test_all_sources_are_rows_and_the_trusted_one_gives_the_samples(tmp_path):
    write(tmp_path / "X_events.tsv", (TSV_COLUMNS, tsv_event(50, 60, "sz_foc"), tsv_event(5, 6, "impd")))
    found = noted(tmp_path, csv_event(0, 42.2786, "bckg"), csv_event(42.2786, 81.776))
    result, tables = run(raw_folder(tmp_path / "raw", found), tmp_path / "out")
    events = tables["events"].to_pylist()
    assert [(row["event"], row["source"], row["line"], row["label"]) for row in events] == [
        (0, "csv_bi", 7, 0),
        (1, "csv_bi", 8, 1),
        (2, "events.tsv", 3, 13),
        (3, "events.tsv", 2, 14),
    ]
    assert events[3] == {
        "event": 3,
        "onset_s": 50.0,
        "offset_s": 60.0,
        "label": 14,
        "label_text": "sz_foc",
        "is_seizure": True,
        "channels": [],
        "confidence": None,
        "source": "events.tsv",
        "line": 2,
    }
    assert tables["intervals"].to_pylist() == [{"start_sample": 10823, "stop_sample": 20934}]
    assert tables["segments"].to_pylist() == [{"start_sample": 0, "samples": 326_400, "onset_s": 0.0}]
    assert tables["recording"].to_pylist() == [
        META
        | {"kind": "referential", "labelled": "yes", "trusted": "csv_bi", "duration_s": 1275.0, "samples": 326_400}
        | {"seizures": 1, "ictal_s": pytest.approx(39.4974), "clipped_events": 0, "disagreement_s": None}
    ]
    assert result.metadata["events"] == 4
    assert result.warnings == ()


def test_schemas_are_those_declared(tmp_path):
    _, tables = run(raw_folder(tmp_path / "raw", noted(tmp_path, csv_event(1, 2))), tmp_path / "out")
    assert set(tables) == set(notes.TABLES)
    for name, table in tables.items():
        assert table.schema.equals(notes.TABLES[name]), name


def test_a_recording_without_seizure_writes_no_empty_table(tmp_path):
    _, tables = run(raw_folder(tmp_path / "raw", noted(tmp_path)), tmp_path / "out")
    assert set(tables) == {"segments", "recording"}
    (row,) = tables["recording"].to_pylist()
    assert (row["seizures"], row["ictal_s"], row["labelled"]) == (0, 0.0, "yes")


def test_where_nobody_looked_seizures_are_not_none_but_unknown(tmp_path):
    tmp_path.joinpath("upload").mkdir()
    for unlabelled, seizures in (("inference_only", None), ("background", 0)):
        found = read_annotations(tmp_path / "upload", "X.edf", DURATION_S, Params(unlabelled=unlabelled))
        _, tables = run(raw_folder(tmp_path / unlabelled, found), tmp_path / f"{unlabelled}-out")
        (row,) = tables["recording"].to_pylist()
        assert (row["labelled"], row["seizures"], row["trusted"]) == (unlabelled, seizures, None)


def test_what_reaches_beyond_the_recording_is_clipped_and_counted(tmp_path):
    rows = (csv_event(-0.5, 2), csv_event(10, 20), csv_event(1270, 1275.75), csv_event(1274, 1275.5, "bckg"))
    result, tables = run(raw_folder(tmp_path / "raw", noted(tmp_path, *rows)), tmp_path / "out")
    assert result.metadata["clipped_events"] == 2
    assert tables["intervals"].to_pylist()[-1] == {"start_sample": 325_120, "stop_sample": 326_400}
    assert result.metadata["ictal_s"] == 17.0
    assert tables["events"]["offset_s"].to_pylist()[2] == 1275.75, "the event stays as noted"


def test_gaps_hold_no_samples(tmp_path):
    recording = RECORDING | {"rate_hz": 256.0, "segments": [[0, 25_600, 0.0], [25_600, 25_600, 200.0]]}
    found = noted(tmp_path, csv_event(90, 210), csv_event(120, 130), params=Params(trust="signal"), duration_s=300.0)
    result, tables = run(raw_folder(tmp_path / "raw", found, recording), tmp_path / "out")
    pairs = [tuple(row.values()) for row in tables["intervals"].to_pylist()]
    assert pairs == [(23_040, 25_600), (25_600, 28_160)]
    assert (result.metadata["ictal_s"], result.metadata["samples"], result.metadata["segments"]) == (20.0, 51_200, 2)


def test_bytes_and_facet_depend_on_the_content_alone(tmp_path):
    first = noted(tmp_path / "1", csv_event(1, 2), csv_event(5, 9))
    same = noted(tmp_path / "2", csv_event(1, 2), csv_event(5, 9))
    other = noted(tmp_path / "3", csv_event(1, 2), csv_event(5, 9.01))
    results = []
    for number, found in enumerate((first, same, other)):
        result, _ = run(raw_folder(tmp_path / f"raw{number}", found), tmp_path / f"out{number}")
        contents = {path.name: path.read_bytes() for path in (tmp_path / f"out{number}").iterdir()}
        results.append((result.facets["notes"], contents))
    assert results[0] == results[1]
    assert results[0][0] != results[2][0]


def test_the_real_labels_of_44_recordings(tmp_path):
    seizures, ictal_s, samples = 0, 0.0, 0
    for number, path in enumerate(sorted((shared_data("eeg") / "seizeit2").rglob("*_events.tsv"))):
        duration_s = float(path.read_text().split("\n")[1].split("\t")[9])
        found = read_annotations(path.parent, path.name.replace("_events.tsv", "_eeg.edf"), duration_s, Params())
        native = int(duration_s * 256)
        recording = RECORDING | {"rate_hz": 256.0, "segments": [[0, native, 0.0]]}
        result, tables = run(raw_folder(tmp_path / f"raw{number}", found, recording), tmp_path / f"out{number}")
        seizures += result.metadata["seizures"]
        ictal_s += result.metadata["ictal_s"]
        if "intervals" in tables:
            samples += sum(row["stop_sample"] - row["start_sample"] for row in tables["intervals"].to_pylist())
    assert (number + 1, seizures, ictal_s, samples) == (44, 68, 4375.0, 4375 * 256)


def test_describing_the_stage_imports_no_pyarrow():
    code = "import sys, bgb_assets.modalities.eeg.notes; sys.exit('pyarrow' in sys.modules or 'scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_there_is_nothing_else_by_another_name():
    with pytest.raises(AttributeError, match="has no attribute 'TABLE'"):
        notes.TABLE  # noqa: B018
