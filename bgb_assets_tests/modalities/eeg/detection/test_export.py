import json
from datetime import datetime
from pathlib import Path

import edfio
import numpy as np
import pytest
from epilepsy2bids.annotations import Annotations
from hypothesis import given
from hypothesis import strategies as st
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from bgb_assets.modalities.eeg.annotations.bids_events import read_events_tsv
from bgb_assets.modalities.eeg.annotations.csv_bi import read_csv
from bgb_assets.modalities.eeg.annotations.edf_texts import read_texts
from bgb_assets.modalities.eeg.detection.export import csv_bi, edf_annotations, events_tsv, write_all
from bgb_assets.modalities.eeg.detection.findings import Findings, Timeline

CLOSE_S = 1e-4


def findings(events, duration_s=3_600.0, start="2020-05-06T07:08:09", name="rec") -> Findings:
    events = np.asarray(events, dtype=np.float64).reshape(-1, 2)
    timeline = Timeline(0.0, duration_s, np.full(int(np.ceil(duration_s * 16)), 0.25, np.float32))
    confidence = np.linspace(0.8, 0.9, len(events))
    return Findings(name, start, duration_s, (timeline,), events, confidence)


@st.composite
def found(draw) -> Findings:
    edges = sorted(draw(st.lists(st.integers(1, 57_599), max_size=8, unique=True)))
    events = np.asarray(edges[: len(edges) // 2 * 2]).reshape(-1, 2) / 16 + draw(st.sampled_from([0.0, 0.03, 1 / 3]))
    return findings(events, duration_s=3_601.2345)


def seizures(parsed_events) -> list[list[float]]:
    return [[event.onset_s, event.offset_s] for event in parsed_events if event.is_seizure]


def same(read, written: Findings) -> bool:
    read = np.asarray(read, dtype=np.float64).reshape(-1, 2)
    return read.shape == written.events.shape and bool((np.abs(read - written.events) < CLOSE_S).all())


@given(found())
def test_every_layout_is_read_back_as_the_same_events(tmp_path_factory, written: Findings) -> None:
    paths = write_all(written, tmp_path_factory.mktemp("out"))
    assert same(seizures(read_csv(paths["csv_bi"], "rec").events), written)
    assert same(seizures(read_events_tsv(paths["events.tsv"]).events), written)
    texts = [tuple(text) for text in edfio.read_edf(paths["edf"]).annotations]
    assert same(seizures(read_texts(texts)), written)
    listed = json.loads(paths["json"].read_text())["events"]
    assert [[event["onset_s"], event["offset_s"]] for event in listed] == written.events.tolist()


@given(found())
def test_epilepsy2bids_reads_the_tsv(tmp_path_factory, written: Findings) -> None:
    paths = write_all(written, tmp_path_factory.mktemp("out"))
    read = Annotations.loadTsv(str(paths["events.tsv"]))
    assert same(read.getEvents(), written)
    assert all(event["dateTime"] == datetime(2020, 5, 6, 7, 8, 9) for event in read.events)
    assert all(event["recordingDuration"] == 3_601.2345 for event in read.events)


def test_timescoring_scores_the_tsv_as_perfect_against_itself(tmp_path: Path) -> None:
    written = findings([[100, 160], [1_000.5, 1_060]])
    read = Annotations.loadTsv(str(write_all(written, tmp_path)["events.tsv"]))
    mask = Annotation(read.getMask(10), 10)
    assert mask.events == [(100.0, 160.0), (1_000.5, 1_060.0)]
    score = EventScoring(mask, mask)
    assert (score.tp, score.fp, score.refTrue) == (2, 0, 2)


def test_csv_bi_covers_the_recording_in_turn() -> None:
    assert csv_bi(findings([[42.2786, 81.776], [3_000, 3_600]])).splitlines() == [
        "# version = csv_v1.0.0",
        "# bname = rec",
        "# duration = 3600.0000 secs",
        "# montage_file = nedc_eas_default_montage.txt",
        "#",
        "channel,start_time,stop_time,label,confidence",
        "TERM,0.0000,42.2786,bckg,0.7500",
        "TERM,42.2786,81.7760,seiz,0.8000",
        "TERM,81.7760,3000.0000,bckg,0.7500",
        "TERM,3000.0000,3600.0000,seiz,0.9000",
    ]


def test_a_recording_without_seizure_has_one_background_row() -> None:
    quiet = findings([], duration_s=1_275.0, start=None)
    assert csv_bi(quiet).splitlines()[6:] == ["TERM,0.0000,1275.0000,bckg,0.7500"]
    assert events_tsv(quiet).splitlines() == [
        "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration",
        "0.0000\t1275.0000\tbckg\t0.7500\tn/a\tn/a\t1275.0000",
    ]


def test_edf_annotations_carry_the_start() -> None:
    written = edfio.read_edf(edf_annotations(findings([[1.5, 9.25]])))
    assert written.startdatetime == datetime(2020, 5, 6, 7, 8, 9)
    assert written.annotations == (edfio.EdfAnnotation(1.5, 7.75, "seizure"),)


def test_names_follow_the_recording(tmp_path: Path) -> None:
    name = "sub-01_ses-02_task-szMonitoring_run-00_eeg"
    write_all(findings([[10, 20]], name=name), tmp_path)
    stem = "sub-01_ses-02_task-szMonitoring_run-00"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [
            f"{name}.csv_bi",
            *(f"{stem}{end}" for end in ("_annotations.edf", ".json", "_events.json", "_events.tsv")),
            f"{stem}_probabilities.npy",
        ]
    )
    columns = json.loads((tmp_path / f"{stem}_events.json").read_text())
    assert list(columns) == (tmp_path / f"{stem}_events.tsv").read_text().splitlines()[0].split("\t")
    probabilities = np.load(tmp_path / f"{stem}_probabilities.npy")
    assert probabilities.dtype == np.dtype("<f2")
    assert probabilities.shape == (57_600,)


def test_two_writings_give_the_same_bytes() -> None:
    written = findings([[10, 20]])
    assert edf_annotations(written) == edf_annotations(written)
    assert events_tsv(written) == events_tsv(written)


@pytest.mark.parametrize("start", ["2020-05-06T07:08:09", "2020-05-06T07:08:09.250000"])
def test_the_start_is_written_to_the_second(start: str) -> None:
    assert "\t2020-05-06 07:08:09\t" in events_tsv(findings([[10, 20]], start=start))
