import pytest

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.recordings.channels import choose
from bgb_assets.modalities.eeg.recordings.recording import Signal
from bgb_assets.runtime.errors import BadInput

CHB_MIT = (
    *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    *("FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8"),
)


def signal(label, index=0, rate_hz=256.0, unit="uV", problem=None):
    return Signal(index, label, rate_hz, unit, 0.25, 0.0, problem)


def signals(labels, **kwargs):
    return [signal(label, index, **kwargs) for index, label in enumerate(labels)]


def names(choice):
    return tuple(channel.name for channel in choice.channels)


def test_channels_come_in_montage_order_whatever_the_file_has():
    choice = choose(signals([f"EEG {name}-LE" for name in reversed(CANONICAL)]))
    assert (choice.kind, names(choice), choice.reference) == ("referential", CANONICAL, None)
    assert choice.channels[0].signal.index == 18


def test_chb_mit_is_the_whole_double_banana():
    choice = choose(signals(CHB_MIT))
    assert choice.kind == "bipolar"
    assert names(choice) == tuple("-".join(pair) for pair in BIPOLAR18)
    assert {channel.sign for channel in choice.channels} == {1}
    assert [label for label, _ in choice.not_used] == ["P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8"]
    assert any("'P7-T7' is T3-T5 again" in warning for warning in choice.warnings)


def test_a_reversed_pair_is_turned():
    labels = ["F7-FP1" if label == "FP1-F7" else label for label in CHB_MIT]
    turned = {channel.name: channel.sign for channel in choose(signals(labels)).channels}
    assert turned["Fp1-F7"] == -1
    assert sum(turned.values()) == 16


def test_pairs_outside_the_double_banana_come_after_it():
    labels = [*CHB_MIT, "C4-C3"]
    choice = choose(signals(labels))
    assert names(choice)[18:] == ("C3-C4",)
    assert choice.channels[18].sign == -1


def test_eight_labels_with_one_second_electrode_are_a_recording_against_it():
    labels = [f"{name}-Cz" for name in CANONICAL if name != "Cz"]
    choice = choose(signals(labels))
    assert (choice.kind, choice.reference) == ("referential", "Cz")
    assert names(choice) == tuple(name for name in CANONICAL if name != "Cz")


def test_a_reference_outside_the_19_is_no_electrode_of_ours():
    choice = choose(signals([f"{name}-CPz" for name in CANONICAL]))
    assert (choice.kind, choice.reference, names(choice)) == ("referential", None, CANONICAL)


def test_seven_labels_with_one_second_electrode_are_pairs():
    labels = [f"{name}-Cz" for name in ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3")]
    choice = choose(signals(labels))
    assert (choice.kind, choice.reference, len(choice.channels)) == ("bipolar", None, 7)


def test_of_two_signals_of_one_electrode_the_first_is_used_and_it_is_said():
    choice = choose(signals(["T7", *CANONICAL]))
    assert names(choice) == CANONICAL
    assert choice.channels[CANONICAL.index("T3")].signal.index == 0
    assert choice.not_used == (("T3", "T3 again, 'T7' is used"),)
    assert choice.warnings == ("'T3' is T3 again: 'T7', the first in the file, is used",)


def test_a_channel_that_cannot_be_read_is_absent_and_the_rest_goes_on():
    listed = signals(CANONICAL)
    listed[0] = signal("Fp1", 0, problem="digital range [0, 0] is empty")
    listed[1] = signal("F3", 1, unit="DegC")
    listed[2] = signal("C3", 2, rate_hz=1.0)
    choice = choose(listed)
    assert names(choice) == CANONICAL[3:]
    assert dict(choice.not_used) == {
        "Fp1": "digital range [0, 0] is empty",
        "F3": "unit 'DegC' is no voltage",
        "C3": "1 Hz, less than 100 Hz",
    }
    assert len(choice.warnings) == 3


def test_a_duplicate_takes_the_place_of_a_channel_that_cannot_be_read():
    listed = [*signals(CANONICAL), signal("P7", 19)]
    listed[CANONICAL.index("T5")] = signal("T5", 6, problem="no sample in a record")
    choice = choose(listed)
    assert choice.channels[CANONICAL.index("T5")].signal.label == "P7"


def test_no_unit_is_read_as_microvolts_with_one_warning():
    choice = choose(signals(CANONICAL, unit=""))
    assert {channel.unit_to_uv for channel in choice.channels} == {1.0}
    assert len(choice.warnings) == 1
    assert choice.warnings[0].startswith("no unit, read as uV: 'Fp1'")


def test_the_rate_is_that_of_most_channels():
    listed = [signal(name, index, 512.0 if index < 2 else 256.0) for index, name in enumerate(CANONICAL)]
    assert choose([*listed, signal("marker", 19, 1.0)]).rate_hz == 256.0


@pytest.mark.parametrize("labels", [[], ["EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal"], CANONICAL[:7]])
def test_fewer_than_eight_electrodes_are_refused_with_what_was_found(labels):
    with pytest.raises(BadInput) as refused:
        choose(signals(labels))
    assert f"{len(labels) if labels == CANONICAL[:7] else 0} of the 19" in refused.value.reason
    assert "missing" in refused.value.reason
    assert "O2" in refused.value.reason


def test_a_slow_recording_is_refused_with_its_rate():
    with pytest.raises(BadInput, match="99 Hz, less than 100 Hz"):
        choose(signals(CANONICAL, rate_hz=99.0))


def test_pairs_beside_a_referential_recording_are_left_out():
    choice = choose(signals([*CANONICAL, "Fp1-F7"]))
    assert choice.not_used == (("Fp1-F7", "a bipolar signal among referential ones"),)
