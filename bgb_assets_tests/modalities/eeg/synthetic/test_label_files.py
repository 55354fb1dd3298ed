import dataclasses

import numpy as np
import pytest

from bgb_assets.modalities.eeg.annotations.events import seizure_times
from bgb_assets.modalities.eeg.annotations.sidecars import read_annotations
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.synth import write_recording
from bgb_assets.modalities.eeg.synthetic.plan import SEIZURE, SynthOptions


@dataclasses.dataclass(frozen=True)
class Params:
    unlabelled: str = "quarantine"
    trust: str = "labels"
    extra_labels: tuple = ()
    edf_text_patterns: tuple = ()


OPTIONS = {
    "plain": SynthOptions(),
    "bipolar": SynthOptions(bipolar=True),
    "without": SynthOptions(without=("Fz", "Pz", "T3", "F7", "T5", "Cz")),
    "gap": SynthOptions(gap_s=33),
}


@pytest.mark.parametrize("patient", range(6))
@pytest.mark.parametrize("kind", OPTIONS)
def test_the_three_layouts_give_identical_intervals_which_are_the_truth(tmp_path, kind, patient):
    options = dataclasses.replace(OPTIONS[kind], rate_hz=200)
    truth = write_recording(tmp_path, patient, 0, 2.0, 9, options)
    read = read_annotations(tmp_path, truth["path"], float(truth["seconds"]), Params())
    assert [source.source for source in read.sources] == ["csv_bi", "events.tsv", "csv"]
    assert read.trusted == "csv_bi"
    assert read.disagreement_s == 0.0
    assert read.warnings == ()
    expected = np.floor(np.array(truth["episodes"][SEIZURE]) * RATE_HZ).astype(int).tolist()
    for source in read.sources:
        times = np.array(seizure_times(source.events))
        assert np.floor(times * RATE_HZ).astype(int).tolist() == expected


def test_a_recording_without_a_seizure_is_labelled_so(tmp_path):
    truth = write_recording(tmp_path, 0, 0, 1.0, 9, SynthOptions(rate_hz=200, seizures=False))
    read = read_annotations(tmp_path, truth["path"], 60.0, Params())
    assert read.labelled == "yes"
    assert [len(source.events) for source in read.sources] == [1, 1, 0]
    assert not any(event.is_seizure for source in read.sources for event in source.events)
    assert SEIZURE not in truth["episodes"]


def test_rows_of_channels_start_when_the_seizure_comes_there(tmp_path):
    truth = write_recording(tmp_path, 0, 0, 2.0, 9, SynthOptions(rate_hz=200))
    [csv] = [
        source
        for source in read_annotations(tmp_path, truth["path"], 120.0, Params()).sources
        if source.source == "csv"
    ]
    onsets = {event.onset_s for event in csv.events}
    assert min(onsets) == truth["episodes"][SEIZURE][0][0]
    assert len(onsets) > 2
    assert {event.offset_s for event in csv.events} == {truth["episodes"][SEIZURE][0][1]}
    assert {event.label for event in csv.events} <= {"fnsz", "gnsz"}
    assert all(len(event.channels) == 1 for event in csv.events)
