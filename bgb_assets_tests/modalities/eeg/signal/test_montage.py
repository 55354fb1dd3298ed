import numpy as np
import pytest

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.signal.interpolation import spline_weights
from bgb_assets.modalities.eeg.signal.montage import (
    ABSENT,
    DERIVED,
    INTERPOLATED,
    MEASURED,
    build_montage,
)
from bgb_assets.runtime.errors import BadInput

PAIRS = tuple("-".join(pair) for pair in BIPOLAR18)
VOLTAGES = np.random.default_rng(0).normal(size=(19, 50))


def without(*absent):
    return [name for name in CANONICAL if name not in absent]


def rows(names):
    return VOLTAGES[[CANONICAL.index(name) for name in names]]


def bipolar(pairs):
    return np.stack([rows([pair.split("-")[0]])[0] - rows([pair.split("-")[1]])[0] for pair in pairs])


def test_recorded_electrodes_are_put_in_order():
    names = list(reversed(CANONICAL))
    montage = build_montage(names, "referential", "referential19")
    assert (montage.names, set(montage.states)) == (CANONICAL, {MEASURED})
    np.testing.assert_array_equal(montage.apply(rows(names)), VOLTAGES)


def test_up_to_four_absent_electrodes_are_filled():
    absent = ["Fz", "Pz", "T3", "O2"]
    montage = build_montage(without(*absent), "referential", "referential19")
    given = dict(zip(CANONICAL, montage.apply(rows(without(*absent))), strict=True))
    filled = spline_weights(without(*absent), absent) @ rows(without(*absent))
    for name, expected in zip(absent, filled, strict=True):
        assert montage.states[CANONICAL.index(name)] == INTERPOLATED
        np.testing.assert_allclose(given[name], expected, atol=1e-12)
    np.testing.assert_array_equal(given["Cz"], rows(["Cz"])[0])


@pytest.mark.parametrize(("absent", "most"), [(5, 4), (1, 0)])
def test_more_absent_electrodes_stay_zero(absent, most):
    names = CANONICAL[absent:]
    montage = build_montage(names, "referential", "referential19", max_interpolated=most)
    assert montage.states == (ABSENT,) * absent + (MEASURED,) * (19 - absent)
    assert not montage.apply(rows(names))[:absent].any()


def test_fewer_than_eight_electrodes_are_refused_by_name():
    with pytest.raises(BadInput, match=r"7 electrodes .* at least 8; found \['Fp1', 'F3'.*missing \['O1', 'Fz'"):
        build_montage(CANONICAL[:7], "referential", "referential19")
    with pytest.raises(BadInput, match="6 electrodes"):
        build_montage(["Fp1-F3", "F3-C3", "Fp2-F4", "F4-C4"], "bipolar", "bipolar18")


def test_the_average_is_that_of_measured_electrodes():
    names = without("Fz", "Pz")
    montage = build_montage(names, "referential", "average19")
    given = montage.apply(rows(names))
    mean = rows(names).mean(axis=0)
    np.testing.assert_allclose(given[CANONICAL.index("Cz")], rows(["Cz"])[0] - mean, atol=1e-10)
    filled = spline_weights(names, ["Fz"])[0] @ rows(names)
    np.testing.assert_allclose(given[CANONICAL.index("Fz")], filled - mean, atol=1e-10)


def test_the_average_leaves_absent_electrodes_zero():
    given = build_montage(CANONICAL[6:], "referential", "average19").apply(rows(CANONICAL[6:]))
    assert not given[:6].any()
    np.testing.assert_allclose(given[6:].sum(axis=0), 0.0, atol=1e-10)


def test_the_reference_itself_is_measured_and_zero():
    names = without("Cz")
    montage = build_montage(names, "referential", "referential19", reference="Cz")
    assert set(montage.states) == {MEASURED}
    assert not montage.apply(rows(names))[CANONICAL.index("Cz")].any()
    average = build_montage(names, "referential", "average19", reference="Cz").apply(rows(names))
    np.testing.assert_allclose(average[CANONICAL.index("Cz")], -rows(names).sum(axis=0) / 19, atol=1e-10)


def test_pairs_of_electrodes_are_differences():
    montage = build_montage(without("Fz"), "referential", "bipolar18")
    given = dict(zip(PAIRS, montage.apply(rows(without("Fz"))), strict=True))
    assert montage.names == PAIRS
    np.testing.assert_array_equal(given["Fp1-F3"], bipolar(["Fp1-F3"])[0])
    states = dict(zip(PAIRS, montage.states, strict=True))
    assert [pair for pair in PAIRS if states[pair] == INTERPOLATED] == ["Fz-Cz"]
    assert set(states.values()) == {MEASURED, INTERPOLATED}


def test_pairs_without_their_electrodes_are_absent():
    montage = build_montage(CANONICAL[5:], "referential", "bipolar18")
    states = dict(zip(PAIRS, montage.states, strict=True))
    assert states["Fp1-F3"] == states["P3-O1"] == ABSENT
    assert states["T3-T5"] == MEASURED


def test_recorded_pairs_are_exact_in_any_order():
    names = list(reversed(PAIRS))
    montage = build_montage(names, "bipolar", "bipolar18")
    assert set(montage.states) == {MEASURED}
    np.testing.assert_array_equal(montage.apply(bipolar(names)), bipolar(PAIRS))


def test_a_pair_that_others_tell_is_derived_and_one_that_none_tells_is_absent():
    names = [pair for pair in PAIRS if pair not in ("Fp1-F3", "F4-C4", "Fp2-F8")]
    montage = build_montage(names, "bipolar", "bipolar18")
    states = dict(zip(PAIRS, montage.states, strict=True))
    given = dict(zip(PAIRS, montage.apply(bipolar(names)), strict=True))
    assert states["Fp1-F3"] == DERIVED
    np.testing.assert_allclose(given["Fp1-F3"], bipolar(["Fp1-F3"])[0], atol=1e-10)
    # Without these two, Fp2 and F4 hang together but no longer with the rest of the right side.
    assert (states["F4-C4"], states["Fp2-F8"]) == (ABSENT, ABSENT)
    assert not given["F4-C4"].any()


@pytest.mark.parametrize("wanted", ["referential19", "average19"])
def test_electrodes_from_pairs_have_mean_zero_in_each_group(wanted):
    montage = build_montage(PAIRS, "bipolar", wanted)
    assert set(montage.states) == {DERIVED}
    given = montage.apply(bipolar(PAIRS))
    groups = [
        ["Fp1", "F3", "C3", "P3", "O1", "F7", "T3", "T5"],
        ["Fz", "Cz", "Pz"],
        ["Fp2", "F4", "C4", "P4", "O2", "F8", "T4", "T6"],
    ]
    for group in groups:
        inside = [CANONICAL.index(name) for name in group]
        np.testing.assert_allclose(given[inside].sum(axis=0), 0.0, atol=1e-9)
        expected = rows(group) - rows(group).mean(axis=0)
        np.testing.assert_allclose(given[inside], expected, atol=1e-9)


def test_an_electrode_in_no_pair_is_absent():
    montage = build_montage([pair for pair in PAIRS if "z" not in pair], "bipolar", "referential19")
    states = dict(zip(CANONICAL, montage.states, strict=True))
    assert {name for name, state in states.items() if state == ABSENT} == {"Fz", "Cz", "Pz"}


def test_blocks_give_the_same_bits():
    montage = build_montage(without("Fz", "T3"), "referential", "average19")
    source = rows(without("Fz", "T3"))
    parts = [montage.apply(source[:, start : start + 7]) for start in range(0, 50, 7)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), montage.apply(source))
