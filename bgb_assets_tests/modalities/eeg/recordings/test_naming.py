import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.recordings.naming import Electrode, Pair, Unused, parse_label

ELECTRODES = {
    "Fp1": "Fp1",
    "FP1": "Fp1",
    "fp1": "Fp1",
    "fP2": "Fp2",
    "F3": "F3",
    "f4": "F4",
    "CZ": "Cz",
    "cz": "Cz",
    "Pz": "Pz",
    "T3": "T3",
    "t4": "T4",
    "T7": "T3",
    "t7": "T3",
    "T8": "T4",
    "P7": "T5",
    "p7": "T5",
    "P8": "T6",
    "EEG Fp1": "Fp1",
    "eeg fp1": "Fp1",
    "Eeg T7": "T3",
    "EEG  O2": "O2",
    " EEG O1 ": "O1",
    "EEG FP1-REF": "Fp1",
    "EEG FP1-Ref": "Fp1",
    "eeg fp1-ref": "Fp1",
    "EEG FP1-LE": "Fp1",
    "EEG C3-le": "C3",
    "C4-RE": "C4",
    "C4-AR": "C4",
    "Fp1-Avg": "Fp1",
    "Fp1-AVG": "Fp1",
    "P8-avg": "T6",
    "C3-A2": "C3",
    "C4-A1": "C4",
    "c3-m2": "C3",
    "EEG C4-M1": "C4",
    "F3-A1A2": "F3",
    "F3-A1+A2": "F3",
    "f3-a1+a2": "F3",
    "EEG T8-A1+A2": "T4",
    "EEG P7-LE": "T5",
    "C3.": "C3",
    "Fz..": "Fz",
    "EEG Cz.": "Cz",
    "\uff26\uff13": "F3",
    "F\u2083": "F3",
    "EEG\u00a0Pz": "Pz",
    "EEG F7 -REF": "F7",
    "F8 - Ref": "F8",
}
PAIRS = {
    "FP1-F7": ("Fp1", "F7"),
    "fp1-f7": ("Fp1", "F7"),
    "Fp1 - F7": ("Fp1", "F7"),
    "F7-T7": ("F7", "T3"),
    "T7-P7": ("T3", "T5"),
    "P7-T7": ("T5", "T3"),
    "EEG FZ-CZ": ("Fz", "Cz"),
    "EEG C3-P3": ("C3", "P3"),
    "EEG Fpz-Cz": ("Fpz", "Cz"),
    "T7-FT9": ("T3", "FT9"),
    "FT9-FT10": ("FT9", "FT10"),
    "EEG T3-Fz-REF": ("T3", "Fz"),
}
NEITHER = (
    *("T9", "T10", "FT9", "FT10", "T1", "T2", "FC3", "CP3", "AF3", "PO3", "FC4", "CP4", "F1", "F5", "C1", "C33"),
    *("TP7", "Fpz", "Oz", "A1", "M1", "EEG FC3-REF", "eeg cp3-le", "AF3-REF", "EEG T1-REF", "EEG A2-REF", "Fp11"),
    *("POL F3", "ECG F3", "EOG Fp1", "EMG C3", "RESP O1", "SAO2 O2", "ekg f3", "pol Fp1-Ref", "EEG EKG1-REF", "EEG"),
    *("", " ", ".", "-", "-REF", "F3-", "-F3", "F3-REF-REF", "F3-XYZ", "REF_EEG REF_EEG", "xF3", "F3x", "F 3", "EEGF3"),
    *("IBI", "BURSTS", "PHOTIC-REF", "sine 8 Hz", "EEG ROC-REF", "EEG 26-REF", "EDF Annotations", "Fp1-F7-T3"),
)


@pytest.mark.parametrize(("label", "name"), ELECTRODES.items())
def test_a_label_is_its_electrode(label, name):
    assert parse_label(label) == Electrode(name)


@pytest.mark.parametrize(("label", "names"), PAIRS.items())
def test_two_electrodes_are_a_pair_in_the_order_of_the_file(label, names):
    assert parse_label(label) == Pair(*names)


@pytest.mark.parametrize("label", NEITHER)
def test_what_is_no_electrode_is_none(label):
    assert isinstance(parse_label(label), Unused)


def test_a_word_that_names_another_kind_of_signal_is_told_apart():
    assert parse_label("ECG F3") == Unused("not EEG")
    assert parse_label("ECG1") == Unused("none of the 19 electrodes")


@given(
    name=st.sampled_from(CANONICAL), before=st.text("abcxyzFCTP0", max_size=2), after=st.text("abcxyz09", max_size=2)
)
def test_a_name_within_a_longer_word_is_not_that_electrode(name, before, after):
    meaning = parse_label(before + name + after)
    if isinstance(meaning, Electrode):
        known = {"t7": "t3", "t8": "t4", "p7": "t5", "p8": "t6"}
        word = (before + name + after).casefold()
        assert meaning.name.casefold() == known.get(word, word)


@given(name=st.sampled_from(CANONICAL), suffix=st.sampled_from(("", "-REF", "-le", "-Avg", "-A1+A2")), data=st.data())
def test_case_means_nothing(name, suffix, data):
    label = f"EEG {name}{suffix}"
    flips = data.draw(st.lists(st.booleans(), min_size=len(label), max_size=len(label)))
    mixed = "".join(letter.swapcase() if flip else letter for letter, flip in zip(label, flips, strict=True))
    assert parse_label(mixed) == Electrode(name)
