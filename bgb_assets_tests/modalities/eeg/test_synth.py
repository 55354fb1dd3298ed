import json

import edfio
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bgb_assets.modalities.eeg.recordings.places import place_of
from bgb_assets.modalities.eeg.synth import (
    KINDS,
    SAMPLES,
    make_signal,
    synth,
    synthesise,
    write_samples,
)
from bgb_assets.modalities.eeg.synthetic.plan import DISTRACTORS, SEIZURE, SynthOptions, draw_episodes
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.modalities.eeg.rms_detector import STEP_HZ, event_f1, line_length, rms, tuned_threshold

TRACKED = REPOSITORY / "data" / "samples" / "eeg"
MAX_SAMPLES_BYTES = 2_000_000
PATIENTS, SECONDS = 6, 1_200


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("synth")
    return out, synth(out, len(KINDS), 1)


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_equal_seeds_give_equal_bytes_and_a_shorter_run_its_beginning(made, tmp_path):
    out, truth = made
    shorter = synth(tmp_path, 5, 1)
    assert shorter["recordings"] == truth["recordings"][:5]
    again = files_below(tmp_path)
    assert len(again) == 4 * 5
    assert again == {name: content for name, content in files_below(out).items() if name in again}


def test_other_seeds_and_other_recordings_of_a_patient_differ(tmp_path):
    first = synthesise(tmp_path / "1", 1, 1.0, 1, recordings=2)["recordings"]
    second = synthesise(tmp_path / "2", 1, 1.0, 2)["recordings"]
    assert first[0]["patient"] == first[1]["patient"] != second[0]["patient"]
    assert len({json.dumps(one["episodes"]) for one in (*first, *second)}) == 3
    assert len({one["path"] for one in (*first, *second)}) == 3


def test_the_tracked_samples_are_what_the_seed_gives(tmp_path):
    write_samples(tmp_path)
    tracked = {name: content for name, content in files_below(TRACKED).items() if name != "README.md"}
    again = files_below(tmp_path)
    assert tracked.keys() == again.keys()
    labels = [name for name in again if not name.endswith(".edf")]
    assert [name for name in labels if again[name] != tracked[name]] == []
    for name in again.keys() - set(labels):
        expected, got = edfio.read_edf(TRACKED / name), edfio.read_edf(tmp_path / name)
        assert (got.labels, got.reserved, got.num_data_records) == (
            expected.labels,
            expected.reserved,
            expected.num_data_records,
        )
        for one, other in zip(got.signals, expected.signals, strict=True):
            # Another machine's Fourier transform may round the last bit otherwise.
            assert np.abs(one.digital.astype(int) - other.digital.astype(int)).max() <= 1


def test_the_samples_stay_small_and_fall_into_all_splits():
    assert sum(len(content) for content in files_below(TRACKED).values()) < MAX_SAMPLES_BYTES
    places = [place_of(path.relative_to(TRACKED).as_posix()) for path in TRACKED.rglob("*.edf")]
    assert sorted(place.split for place in places) == ["test", "train", "train", "val"]
    assert len({place.patient for place in places}) == len(SAMPLES)


def test_recordings_say_that_they_are_made_up(made):
    out, truth = made
    for recording in truth["recordings"]:
        edf = edfio.read_edf(out / recording["path"])
        assert edf.patient.additional == ("synthetic",)
        assert edf.recording.additional == ("synthetic",)
        assert edf.recording.equipment_code == "bgb_assets_synth"
        assert edf.patient.name == "X"


def test_the_truth_names_patients_as_paths_do_and_is_plain_json(made):
    _, truth = made
    assert [place_of(one["path"]).patient for one in truth["recordings"]] == [
        one["patient"] for one in truth["recordings"]
    ]
    json.dumps(truth)


def test_the_kinds_differ_as_deliveries_do(made):
    _, truth = made
    held = truth["recordings"]
    assert {one["rate_hz"] for one in held} == {200, 250, 256, 400, 512}
    assert [one["gap_s"] for one in held if one["gap_s"]] == [[60, 20]]
    assert [one["seconds"] for one in held if one["gap_s"]] == [140]
    assert [SEIZURE in one["episodes"] for one in held].count(False) == 1


def test_folders_deal_patients(tmp_path):
    folders = ("train", "train", "dev", "eval")
    held = synthesise(tmp_path, 5, 1.0, 3, SynthOptions(folders=folders))["recordings"]
    assert [place_of(one["path"]).split for one in held] == ["train", "train", "val", "test", "train"]


@pytest.mark.parametrize(
    ("patients", "minutes", "recordings", "told"),
    [(-1, 2, 1, "-1 patients"), (1, 0.5, 1, "0.5 minutes"), (1, 2, 0, "0 recordings")],
)
def test_impossible_numbers_are_refused(tmp_path, patients, minutes, recordings, told):
    with pytest.raises(UsageError, match=told):
        synthesise(tmp_path, patients, minutes, 0, recordings=recordings)


def draw(patient):
    return make_signal(7, patient, 0, SECONDS, SynthOptions())


def seizures_of(episodes):
    held = [(one.onset_s, one.offset_s) for one in episodes if one.kind == SEIZURE]
    return np.array(held, np.float64).reshape(-1, 2)


def labels_of(seizures):
    labels = np.zeros(SECONDS * STEP_HZ, bool)
    for first, last in (seizures * STEP_HZ).astype(int):
        labels[first:last] = True
    return labels


def test_it_is_neither_easy_nor_impossible_to_tell_seizures_by_size():
    drawn = [draw(patient) for patient in range(PATIENTS)]
    labels = np.concatenate([labels_of(seizures_of(episodes)) for _, episodes in drawn])
    assert 0.05 < labels.mean() < 0.14
    assert 0.80 < roc_auc_score(labels, np.concatenate([rms(signal) for signal, _ in drawn])) < 0.93
    assert 0.50 < roc_auc_score(labels, np.concatenate([line_length(signal) for signal, _ in drawn])) < 0.72


@pytest.mark.slow
def test_a_threshold_on_size_tuned_on_eight_patients_does_poorly_on_eight_others():
    drawn = [draw(patient) for patient in range(16)]
    values = [rms(signal) for signal, _ in drawn]
    seizures = [seizures_of(episodes) for _, episodes in drawn]
    threshold = tuned_threshold(values[:8], seizures[:8])
    assert 0.45 < event_f1(values[8:], seizures[8:], threshold) < 0.72
    labels = np.concatenate([labels_of(one) for one in seizures[8:]])
    assert roc_auc_score(labels, np.concatenate(values[8:])) == pytest.approx(0.87, abs=0.04)


@pytest.mark.parametrize("patient", range(16))
def test_twenty_minutes_hold_two_seizures_and_every_distractor(patient):
    kinds = [one.kind for one in draw_episodes(np.random.default_rng([7, patient, 0]), SECONDS)]
    assert kinds.count(SEIZURE) == 2
    assert len(kinds) == 7
    assert set(kinds) == {SEIZURE, *DISTRACTORS}
