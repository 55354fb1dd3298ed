import numpy as np
import pytest

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, RATE_HZ
from bgb_assets.modalities.eeg.pictures.pages import Page, Piece
from bgb_assets.modalities.eeg.pictures.traces import trace_page
from bgb_assets_tests.modalities.beatmap.report_case import texts

NAMES = tuple(f"{first}-{second}" for first, second in BIPOLAR18)


def page_of(signal, onset_s=0.0):
    return Page(onset_s, onset_s + len(signal) / RATE_HZ, NAMES, (Piece(onset_s, signal.astype(np.float32)),))


def noise(seconds=10, size=20.0):
    return np.random.default_rng(0).normal(0.0, size, (seconds * RATE_HZ, 18))


def test_negative_is_up_and_rows_are_a_round_number_apart():
    signal = noise(size=1.0)
    signal[5 * RATE_HZ : 6 * RATE_HZ, 0] = -30.0
    figure = trace_page(page_of(signal), "x")
    line = figure.axes[0].lines[0]
    x, y = line.get_xdata(), line.get_ydata()
    inside = (x > 5.1) & (x < 5.9)
    low, high = figure.axes[0].get_ylim()
    assert low > high
    assert y[inside].mean() < y[x < 4.9].mean() - 1.0
    assert "rows are 20 µV apart, negative up" in texts(figure)


@pytest.mark.parametrize(("size", "told"), [(3.0, "20 µV"), (30.0, "100 µV"), (40.0, "200 µV")])
def test_the_scale_follows_the_signal(size, told):
    assert any(told in text for text in texts(trace_page(page_of(noise(size=size)), "x")))


def test_absent_pairs_are_named_and_the_rest_is_drawn():
    signal = noise()
    signal[:, 3] = np.nan
    written = texts(trace_page(page_of(signal), "x"))
    assert [text for text in written if "absent" in text] == [f"{NAMES[3]} (absent)"]


def test_a_page_in_a_gap_is_empty_but_drawn():
    figure = trace_page(Page(3.0, 8.0, NAMES, ()), "nothing here")
    assert "nothing here" in texts(figure)
    assert figure.axes[0].get_xlim() == (3.0, 8.0)


def test_events_are_shaded_in_two_colors_and_the_strip_has_its_threshold():
    strip = (np.arange(160) / 16, np.linspace(0.0, 1.0, 160), 0.7)
    figure = trace_page(page_of(noise()), "x", np.array([[1.0, 3.0], [5.0, 6.0]]), np.array([[2.0, 4.0]]), strip)
    assert len(figure.axes) == 3
    labels = [patch.get_label() for patch in figure.axes[0].patches if not patch.get_label().startswith("_")]
    assert sorted(label for label in labels if label) == ["detected", "noted seizure"]
    assert len(figure.axes[0].patches) == 6
    assert figure.axes[1].lines[0].get_ydata()[0] == 0.7


def test_the_spectrogram_shows_the_frequency():
    t = np.arange(10 * RATE_HZ) / RATE_HZ
    figure = trace_page(page_of(50.0 * np.sin(2 * np.pi * 12.0 * t)[:, None] + noise(size=1.0)), "x")
    mesh = figure.axes[-1].collections[0]
    power = mesh.get_array()
    assert power.mean(axis=1).argmax() == 12
