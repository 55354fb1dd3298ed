import pickle

import pytest

from bgb_assets.modalities.mri.scans.flags import REJECTS, WARNS, BadScan, Flag, bad, refuse


def test_a_flag_is_as_grave_as_its_code():
    assert {Flag(code, "").level for code in REJECTS} == {"reject"}
    assert {Flag(code, "").level for code in WARNS} == {"warn"}
    assert not set(REJECTS) & WARNS


def test_a_code_that_nobody_knows_is_a_bug():
    with pytest.raises(ValueError, match="no such code: 'mask_gird'"):
        Flag("mask_gird", "")


def test_only_grave_flags_refuse_and_all_of_them_are_named():
    refuse([Flag("oblique", "13 degrees")])
    with pytest.raises(BadScan) as refused:
        refuse([Flag("oblique", "a"), Flag("mask_grid", "b"), Flag("mask_empty", "c")])
    assert refused.value.code == "mask_grid"
    assert refused.value.reason == "mask_grid: b; mask_empty: c"
    assert refused.value.remedy == f"{REJECTS['mask_grid']}; {REJECTS['mask_empty']}"


def test_a_setting_makes_a_warning_of_a_grave_flag_and_says_so():
    flag = Flag("mask_grid", "10 mm apart", 10.0).allowed("resample_mismatched").about("mask")
    refuse([flag])
    assert flag.as_json() == {
        "code": "mask_grid",
        "message": "mask: 10 mm apart; allowed by resample_mismatched",
        "value": 10.0,
        "level": "warn",
    }


def test_the_error_comes_back_from_a_worker_as_it_went():
    error = pickle.loads(pickle.dumps(bad("not_3d", "20 volumes", 20)))
    assert (error.code, error.flags, str(error)) == ("not_3d", (Flag("not_3d", "20 volumes", 20),), str(error))
    assert "--volume K" in error.remedy
