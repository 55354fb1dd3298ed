import numpy as np
import pytest

from bgb_assets.modalities.eeg.pictures.pages import read_features
from bgb_assets.modalities.eeg.pictures.quality import quality_page, read_spectra, spectrum_page
from bgb_assets.modalities.eeg.synthetic.plan import SynthOptions
from bgb_assets_tests.modalities.beatmap.report_case import texts
from bgb_assets_tests.modalities.eeg.report_case import recording_entries


def spectra_of(work, options):
    entries, _, _ = recording_entries(work, options, minutes=1.0)
    described = read_features(entries["features"])
    return *read_spectra(entries["cache"], entries["features"], described), described


@pytest.mark.parametrize("options", [SynthOptions(), SynthOptions(bipolar=True), SynthOptions(without=("Fz", "Pz"))])
def test_the_mains_are_in_the_spectrum_before_and_gone_after(tmp_path, options):
    before, after, described = spectra_of(tmp_path, options)
    assert described["notched_hz"] == [60.0]

    def over_neighbours(spectrum):
        hz, power = spectrum
        return power[np.argmin(np.abs(hz - 60.0))] / np.median(
            power[(np.abs(hz - 60.0) > 4) & (np.abs(hz - 60.0) < 10)]
        )

    assert over_neighbours(before) > 4.0
    assert over_neighbours(after) < 0.5
    figure = spectrum_page(before, after, described["band_hz"], described["notched_hz"])
    assert {"as recorded", "filtered", "notch", "edges of the band"} <= set(texts(figure))


def test_what_was_kept_has_its_size_in_microvolts(tmp_path):
    before, after, _ = spectra_of(tmp_path, SynthOptions())
    kept = [(hz >= 4.0) & (hz <= 30.0) for hz, _ in (before, after)]
    ratio = after[1][kept[1]] / before[1][kept[0]]
    assert ratio == pytest.approx(1.0, abs=0.1)


def described(**changes):
    known = {
        "n": 256 * 100, "channels": ["Fp1", "F3", "C3"], "channel_state": [0, 1, 3], "std": [20.0, 30.0, 1.0],
        "flat_s": [0.0, 25.0, 100.0], "saturated_s": [10.0, 0.0, 0.0], "clipped_share": 0.0125,
    }  # fmt: skip
    return known | changes


def test_each_channel_is_drawn_as_what_it_is():
    figure = quality_page(described())
    written = texts(figure)
    assert {"measured: 1", "interpolated: 1", "absent: 1"} <= set(written)
    assert "Quality: 1.7 minutes, 1.25 % of the values clipped" in written
    assert [bar.get_width() for bar in figure.axes[0].patches[:3]] == [20.0, 30.0, 0.0]
    widths = [bar.get_width() for bar in figure.axes[1].patches]
    assert widths == [0.0, 25.0, 100.0, 10.0, 0.0, 0.0]


def test_a_sound_recording_says_so():
    clean = described(flat_s=[0.0] * 3, saturated_s=[0.0] * 3)
    assert "no channel is flat or saturated" in texts(quality_page(clean))
    assert "no channel is flat or saturated" not in texts(quality_page(described()))
