from bgb_assets.modalities.mri.pairing.facts import KEYS, with_stated_facts
from bgb_assets.modalities.mri.pairing.folders import Scan
from bgb_assets.modalities.mri.pairing.pairs import Pair
from bgb_assets.modalities.mri.scans.flags import Flag

SCAN = Scan(Pair("i.nii", "m.nii", "stem", (Flag("pair_by_stem", "x"),)), "sub-1", None, "T2w", "a", {"sex": "F"})


def test_nothing_stated_changes_nothing():
    assert with_stated_facts(SCAN, {}) == SCAN


def test_what_a_source_states_goes_before_names():
    stated = {"subject": "M1", "session": "7", "modality": "FLAIR", "acquisition_label": "spc3", "pair_method": "row"}
    stated["participant"] = {"wab_type": " Broca ", "age": "n/a"}
    assert set(stated) <= set(KEYS)
    assert with_stated_facts(SCAN, stated).facts == {
        "subject": "sub-M1",
        "session": "ses-7",
        "modality": "FLAIR",
        "acquisition_label": "spc3",
        "pair_method": "row",
        "status": "paired",
        "participant": {"sex": "F", "wab_type": "Broca"},
        "flags": [],
    }


def test_a_scan_without_a_pair_has_no_way_of_pairing():
    alone = Scan(Pair(None, "m.nii", "none"), "sub-1", None, None, None)
    assert with_stated_facts(alone, {"pair_method": "row"}).pair.method == "none"
