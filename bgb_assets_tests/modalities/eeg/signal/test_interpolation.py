import warnings

import numpy as np
import pytest

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.signal.interpolation import ORIGIN_MM, POSITIONS_MM, spline_weights

MODERN = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


@pytest.fixture(scope="module")
def montage():
    channels = pytest.importorskip("mne").channels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return channels.make_standard_montage("standard_1020")


def test_positions_are_those_of_mne(montage):
    places = montage.get_positions()["ch_pos"]
    for name in CANONICAL:
        np.testing.assert_allclose(POSITIONS_MM[name], 1e3 * places[MODERN.get(name, name)], atol=1e-3)


def test_origin_is_the_middle_of_the_closest_sphere():
    places = np.array(list(POSITIONS_MM.values()))
    system = np.column_stack([2 * places, np.ones(len(places))])
    middle = np.linalg.lstsq(system, (places**2).sum(axis=1), rcond=None)[0][:3]
    np.testing.assert_allclose(ORIGIN_MM, middle, atol=1e-3)


@pytest.mark.parametrize("absent", [["Fz", "Pz"], ["T3"], ["Fp1", "O2", "Cz", "T6"]])
def test_weights_equal_mne(absent):
    interpolation = pytest.importorskip("mne.channels.interpolation")
    measured = [name for name in CANONICAL if name not in absent]
    places = [np.array([POSITIONS_MM[name] for name in names]) - ORIGIN_MM for names in (measured, absent)]
    expected = interpolation._make_interpolation_matrix(*places)
    np.testing.assert_allclose(spline_weights(measured, absent), expected, atol=1e-10)


def test_the_signal_is_that_of_mne_within_its_fit_of_the_head(montage):
    mne = pytest.importorskip("mne")
    names = [MODERN.get(name, name) for name in CANONICAL]
    wave = np.random.default_rng(0).normal(size=(19, 256)) * 1e-5
    raw = mne.io.RawArray(wave, mne.create_info(names, 256.0, "eeg"), verbose="error")
    raw.set_montage(montage)
    raw.info["bads"] = ["Fz", "Pz"]
    raw.interpolate_bads(verbose="error")
    kept = [index for index, name in enumerate(CANONICAL) if name not in ("Fz", "Pz")]
    ours = spline_weights([CANONICAL[index] for index in kept], ["Fz", "Pz"]) @ wave[kept]
    theirs = raw.get_data(["Fz", "Pz"])
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.995


def test_a_constant_stays_and_a_measured_place_gives_its_own_value_almost():
    weights = spline_weights(CANONICAL[:15], CANONICAL[15:])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-10)
    own = spline_weights(CANONICAL, ["Cz"])[0]
    assert own[CANONICAL.index("Cz")] > 0.85


def test_the_nearest_electrodes_weigh_most():
    measured = [name for name in CANONICAL if name != "Cz"]
    weights = dict(zip(measured, spline_weights(measured, ["Cz"])[0], strict=True))
    assert set(sorted(weights, key=weights.__getitem__)[-4:]) == {"C3", "C4", "Fz", "Pz"}
