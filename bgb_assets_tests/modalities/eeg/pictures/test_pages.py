import json

import numpy as np
import pytest

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL, RATE_HZ
from bgb_assets.modalities.eeg.pictures.pages import moments_on_the_clock, on_the_clock, read_page

SEGMENTS = [[0, 10 * RATE_HZ, 0.0], [10 * RATE_HZ, 5 * RATE_HZ, 30.0]]


@pytest.fixture
def features(tmp_path):
    """Each electrode has its own constant, in steps of 0.5 µV; T3 is absent."""
    states = [3 if name == "T3" else 0 for name in CANONICAL]
    described = {
        "channels": list(CANONICAL), "channel_state": states, "segments": SEGMENTS, "scale": 0.25, "std": [2.0] * 19,
    }  # fmt: skip
    (tmp_path / "features.json").write_text(json.dumps(described))
    signal = np.tile(np.arange(19, dtype="<i2") * 10, (15 * RATE_HZ, 1))
    signal[10 * RATE_HZ :] += np.arange(19, dtype="<i2")
    (tmp_path / "signal.i16").write_bytes(signal.tobytes())
    return tmp_path


def test_a_page_holds_differences_of_pairs_in_microvolts(features):
    page = read_page(features, 2.0, 4.0)
    [piece] = page.pieces
    assert (page.start_s, page.stop_s, piece.onset_s, len(piece.signal)) == (2.0, 6.0, 2.0, 4 * RATE_HZ)
    place = {name: number for number, name in enumerate(CANONICAL)}
    for number, (first, second) in enumerate(BIPOLAR18):
        expected = np.nan if "T3" in (first, second) else 5.0 * (place[first] - place[second])
        np.testing.assert_array_equal(piece.signal[:, number], np.float32(expected))
    assert np.isnan(piece.signal).all(axis=0).sum() == 2


def test_a_page_over_a_gap_has_a_piece_on_each_side(features):
    page = read_page(features, 8.0, 25.0)
    assert [(piece.onset_s, len(piece.signal) / RATE_HZ) for piece in page.pieces] == [(8.0, 2.0), (30.0, 3.0)]
    assert page.pieces[1].signal[0, 0] == 5.5 * (CANONICAL.index("Fp1") - CANONICAL.index("F3"))


@pytest.mark.parametrize(
    ("start_s", "length_s", "expected"), [(-5, 4, (0, 4)), (33, 10, (25, 35)), (0, 99, (0, 35)), (20, 5, (20, 25))]
)
def test_pages_stay_inside_the_recording(features, start_s, length_s, expected):
    page = read_page(features, start_s, length_s)
    assert (page.start_s, page.stop_s) == expected
    if expected == (20, 25):
        assert page.pieces == ()


def test_seconds_of_signal_become_seconds_on_the_clock():
    spans = np.array([[1.0, 2.0], [8.0, 12.0], [13.0, 15.0]])
    np.testing.assert_array_equal(on_the_clock(spans, SEGMENTS), [[1, 2], [8, 10], [30, 32], [33, 35]])
    moments = np.array([0.0, 9.75, 10.0, 14.5])
    np.testing.assert_array_equal(moments_on_the_clock(moments, SEGMENTS), [0.0, 9.75, 30.0, 34.5])
