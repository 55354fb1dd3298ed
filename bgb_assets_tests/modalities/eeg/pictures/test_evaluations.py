import numpy as np
import pytest

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.pictures.evaluations import (
    all_steps,
    features_of,
    lines_of,
    points_of,
    read_by_patient,
    read_evaluated,
)
from bgb_assets.modalities.eeg.synthetic.plan import SEIZURE
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus
from bgb_assets_tests.modalities.eeg.report_case import heard_of, write_model

TRUTHS = {
    f"r{number}": {
        "patient": f"p{number // 2}", "seconds": 320, "gap_s": [100, 20] if number == 1 else None,
        "episodes": {SEIZURE: [[50.0, 90.0], [200.0, 240.0]]},
    }
    for number in range(4)
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    write_model(directory, TRUTHS)
    return directory


def test_what_was_written_is_read_back(model):
    split, evaluated = read_evaluated(model)
    assert split == 1
    for number, (one, (key, truth)) in enumerate(zip(evaluated, TRUTHS.items(), strict=True)):
        heard = heard_of(key, truth, number)
        assert (one.name, one.patient, one.duration_s) == (key, heard.patient, heard.duration_s)
        np.testing.assert_array_equal(one.true, heard.reference)
        np.testing.assert_array_equal(one.probabilities, heard.probabilities)
        np.testing.assert_array_equal(one.steps.row, heard.steps.row)
    assert evaluated[1].true.tolist() == [[50.0, 90.0], [180.0, 220.0]]
    assert [line.split for line in lines_of(split, evaluated)] == [1] * 4
    assert all_steps(evaluated).steps.sum() == (3 * 320 + 300) * 16


def test_other_thresholds_find_more_for_more_false_alarms(model):
    _, evaluated = read_evaluated(model)
    points = points_of(evaluated, PostprocessParams(tau_on=0.6, tau_off=0.5))
    assert points.table.shape[0] == 2
    assert points.table[:, 0, 2].sum() == 8
    assert points.sensitivity[0] == 1.0
    alarms = points.false_alarms_per_day
    assert alarms.max() > alarms[-1]


def test_counts_are_by_patient(model):
    found = read_by_patient(model, "szcore_event")
    assert set(found) == {"p0", "p1"}
    assert {counts["reference"] for counts in found.values()} == {4.0}
    assert {counts["duration_s"] for counts in found.values()} == {640.0, 620.0}


def test_without_an_evaluation_there_is_nothing(tmp_path):
    assert read_evaluated(tmp_path) == (-1, [])
    assert read_by_patient(tmp_path, "szcore_event") == {}


def test_features_are_found_through_the_manifest(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("p1_a", [100 * 256])
    corpus.add("p2_a", [100 * 256], written=False)
    manifest, _ = corpus.manifest()
    assert features_of(manifest, tmp_path, "p1_a") == corpus.members["p1_a"].entries["features"].directory
    assert features_of(manifest, tmp_path, "p2_a") is None
    assert features_of(manifest, tmp_path, "nobody") is None
