import pytest

from bgb_assets.modalities.eeg.recordings.places import Place, place_of

TUSZ = "edf/dev/aaaaaaac/s001_2002/02_tcp_le/aaaaaaac_s001_t000.edf"
BIDS = "ds/sub-001/ses-01/eeg/sub-001_ses-01_task-szMonitoring_run-01_eeg.edf"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (TUSZ, Place("tusz", "aaaaaaac", "s001", "val")),
        (TUSZ.replace("dev", "train"), Place("tusz", "aaaaaaac", "s001", "train")),
        (TUSZ.replace("dev", "eval"), Place("tusz", "aaaaaaac", "s001", "test")),
        ("00000675_s012_t001.edf", Place("tusz", "00000675", "s012", None)),
        (BIDS, Place("bids", "sub-001", "ses-01", None)),
        ("sub-02/eeg/sub-02_task-rest_eeg.edf", Place("bids", "sub-02", None, None)),
        ("sub-03/ses-a/recording.edf", Place("bids", "sub-03", "ses-a", None)),
        ("test/sub-04/eeg/sub-04_eeg.edf", Place("bids", "sub-04", None, "test")),
        ("chb01/chb01_03.edf", Place("chb-mit", "chb01", None, None)),
        ("chb02/chb02_16+.edf", Place("chb-mit", "chb02", None, None)),
        ("chb17/chb17a_03.edf", Place("chb-mit", "chb17", None, None)),
        ("PN10/PN10-4.5.6.edf", Place("siena", "PN10", None, None)),
        ("PN00/PN00-1.edf", Place("siena", "PN00", None, None)),
        ("meier/night1.edf", Place("loose", "meier", None, None)),
        ("val/meier/night1.edf", Place("loose", "meier", None, "val")),
        ("train/p7_2.edf", Place("loose", "p7", None, "train")),
        ("p7-3.edf", Place("loose", "p7", None, None)),
        ("_x.edf", Place("loose", "_x", None, None)),
    ],
)
def test_a_path_says_patient_visit_and_split(path, place):
    assert place_of(path) == place


def test_two_cases_of_chb_mit_are_one_patient():
    assert place_of("chb21/chb21_19.edf").patient == place_of("chb01/chb01_03.edf").patient == "chb01"


def test_dev_and_val_are_one_split_and_so_are_eval_and_test():
    splits = {folder: place_of(f"{folder}/a/b.edf").split for folder in ("dev", "val", "DEV", "eval", "test", "devel")}
    assert splits == {"dev": "val", "val": "val", "DEV": "val", "eval": "test", "test": "test", "devel": None}


def test_the_innermost_folder_that_is_a_split_counts():
    assert place_of("test/train/p1/a.edf").split == "train"
