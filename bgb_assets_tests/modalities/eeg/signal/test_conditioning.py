import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.signal.conditioning import Conditioner
from bgb_assets.modalities.eeg.signal.filters import CausalFilter, sections
from bgb_assets.modalities.eeg.signal.montage import build_montage
from bgb_assets.modalities.eeg.signal.resampling import UNCHANGED, PolyphaseResampler, rate_change
from bgb_assets_tests.modalities.eeg.stored_recordings import cuts, noise, pushed

COEFFICIENTS = sections((0.5, 120.0), (60.0,))
RECORDED = [name for name in CANONICAL if name != "Fz"]
MONTAGE = build_montage(RECORDED, "referential", "average19")
SAMPLES = noise(4, 200, len(RECORDED)).T + 1_000


def test_each_step_in_turn():
    given = pushed(Conditioner(rate_change(200.0), MONTAGE, COEFFICIENTS), SAMPLES, [0, 800])
    resampled = pushed(PolyphaseResampler(rate_change(200.0)), SAMPLES, [0, 800])
    expected = CausalFilter(COEFFICIENTS).push(MONTAGE.apply(resampled))
    assert given.shape == (19, 1_024)
    np.testing.assert_allclose(given, expected, atol=1e-9)


def test_without_a_filter():
    given = Conditioner(UNCHANGED, MONTAGE, None).push(SAMPLES)
    np.testing.assert_array_equal(given, MONTAGE.apply(SAMPLES))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_any_cut_gives_the_same_bits(seed):
    whole = pushed(Conditioner(rate_change(200.0), MONTAGE, COEFFICIENTS), SAMPLES, [0, 800])
    cut = pushed(Conditioner(rate_change(200.0), MONTAGE, COEFFICIENTS), SAMPLES, cuts(800, seed))
    np.testing.assert_array_equal(cut, whole)


def test_single_samples_give_the_same_bits():
    whole = pushed(Conditioner(rate_change(200.0), MONTAGE, COEFFICIENTS), SAMPLES[:, :200], [0, 200])
    single = pushed(Conditioner(rate_change(200.0), MONTAGE, COEFFICIENTS), SAMPLES[:, :200], list(range(201)))
    np.testing.assert_array_equal(single, whole)


def test_nothing_in_nothing_out():
    conditioner = Conditioner(rate_change(200.0), MONTAGE, COEFFICIENTS)
    assert conditioner.push(SAMPLES[:, :0]).shape == (19, 0)
    assert conditioner.flush().shape == (19, 0)
