import pytest

from bgb_assets.modalities.eeg.annotations.labels import LABEL_IDS, check_extra_labels, label_of
from bgb_assets.runtime.errors import ConfigError

TABLE = {
    "bckg": (0, False),
    "seiz": (1, True),
    "sz": (1, True),
    "fnsz": (2, True),
    "gnsz": (3, True),
    "spsz": (4, True),
    "cpsz": (5, True),
    "absz": (6, True),
    "tnsz": (7, True),
    "cnsz": (8, True),
    "tcsz": (9, True),
    "atsz": (10, True),
    "mysz": (11, True),
    "nesz": (12, False),
    "impd": (13, False),
    "sz_foc_ia_nm": (14, True),
    "sz_anything": (14, True),
}


@pytest.mark.parametrize("text", TABLE)
def test_each_label_has_its_number_and_is_a_seizure_or_not(text):
    label = label_of(text)
    assert (label.label_id, label.is_seizure, label.text) == (*TABLE[text], text)


def test_the_table_has_no_other_labels():
    assert set(LABEL_IDS) == set(TABLE) - {"sz_foc_ia_nm", "sz_anything"}


@pytest.mark.parametrize("text", ["SEIZ", "Bckg", "szx", "artf", "", "n/a", "seizure", "bckg "])
def test_nothing_is_guessed(text):
    assert label_of(text) is None


def test_a_further_label_is_what_the_params_say():
    extra = (("artf", False), ("spasm", True))
    assert [label_of(text, extra).label_id for text in ("artf", "spasm")] == [0, 14]
    assert [label_of(text, extra).is_seizure for text in ("artf", "spasm")] == [False, True]
    check_extra_labels((*extra, ("seiz", True), ("artf", False)))


@pytest.mark.parametrize("extra", [(("nesz", True),), (("sz_foc", False),), (("artf", True), ("artf", False))])
def test_a_further_label_cannot_contradict_the_table(extra):
    with pytest.raises(ConfigError, match=f"extra_labels: '{extra[0][0]}' is said to be"):
        check_extra_labels(extra)
