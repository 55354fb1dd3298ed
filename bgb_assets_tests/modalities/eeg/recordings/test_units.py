import pytest

from bgb_assets.modalities.eeg.recordings.units import microvolts


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("V", 1e6),
        ("mV", 1e3),
        ("uV", 1.0),
        ("UV", 1.0),
        ("\u00b5V", 1.0),
        ("\u03bcV", 1.0),
        ("nV", 1e-3),
        (" uV ", 1.0),
    ],
)
def test_voltages_become_microvolts(unit, factor):
    assert microvolts(unit) == factor


def test_no_unit_counts_as_microvolts():
    assert microvolts("") == 1.0


@pytest.mark.parametrize("unit", ["DegC", "%", "uA", "BS", "\u00b5S", "Vs"])
def test_what_is_no_voltage_has_no_factor(unit):
    assert microvolts(unit) is None
