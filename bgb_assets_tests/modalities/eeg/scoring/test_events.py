"""What can be scored at all."""

import numpy as np
import pytest

from bgb_assets.modalities.eeg.scoring.events import prepared
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.eeg.scoring.random_events import events


def test_events_are_sorted_united_and_inside() -> None:
    found = prepared(events((50, 70), (5, 10), (8, 12), (30, 30), (-3, 2)), 60.0)
    assert found.tolist() == [[0, 2], [5, 12], [50, 60]]


@pytest.mark.parametrize("pair", [(10.0, 5.0), (np.nan, 5.0), (1.0, np.inf)])
def test_what_is_no_interval_is_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(BadInput, match=r"cannot be scored; give finite times"):
        prepared(events((0, 1), pair), 60.0)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, np.nan, np.inf])
def test_a_recording_lasts(duration_s: float) -> None:
    with pytest.raises(BadInput, match="a recording must last"):
        prepared(events((0, 1)), duration_s)
