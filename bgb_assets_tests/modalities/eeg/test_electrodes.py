from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL, FLAT_POSITIONS

PAIRS = (
    "Fp1-F3 F3-C3 C3-P3 P3-O1 Fp1-F7 F7-T3 T3-T5 T5-O1 Fz-Cz Cz-Pz Fp2-F4 F4-C4 C4-P4 P4-O2 Fp2-F8 F8-T4 T4-T6 T6-O2"
)


def test_the_montages_are_those_of_the_field():
    assert " ".join(CANONICAL) == "Fp1 F3 C3 P3 F7 T3 T5 O1 Fz Cz Pz Fp2 F4 C4 P4 F8 T4 T6 O2"
    assert " ".join("-".join(pair) for pair in BIPOLAR18) == PAIRS


def test_every_electrode_has_a_place_and_the_right_side_mirrors_the_left():
    assert set(FLAT_POSITIONS) == set(CANONICAL)
    assert abs(sum(x for x, _ in FLAT_POSITIONS.values())) < 1e-12
    assert FLAT_POSITIONS["T6"] == (0.81, -0.59)
