"""Many recordings in one table score as each of them alone."""

import numpy as np
import pytest

from bgb_assets.modalities.eeg.scoring.batch import batch_of
from bgb_assets.modalities.eeg.scoring.szcore import szcore_event, szcore_events, szcore_sample, szcore_samples
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.eeg.scoring.random_events import EMPTY, events, random_pair, shuffled


@pytest.mark.parametrize("ordered", [True, False])
def test_each_recording_scores_as_if_alone(ordered: bool) -> None:
    rng = np.random.default_rng(20)
    pairs = [random_pair(rng) for _ in range(300)]
    if not ordered:
        pairs = [(shuffled(rng, true), shuffled(rng, detected), seconds) for true, detected, seconds in pairs]
    batch = batch_of(*zip(*pairs, strict=True))
    assert szcore_events(batch).tolist() == [list(szcore_event(*pair).row) for pair in pairs]
    assert szcore_samples(batch).tolist() == [list(szcore_sample(*pair).row) for pair in pairs]


def test_an_event_at_the_end_of_one_recording_is_none_of_the_next() -> None:
    batch = batch_of([events((590, 600)), EMPTY], [EMPTY, events((0, 10))], [600.0, 600.0])
    assert szcore_events(batch)[:, :3].tolist() == [[0, 0, 1], [0, 1, 0]]
    assert szcore_samples(batch)[:, :3].tolist() == [[0, 0, 10], [0, 10, 0]]


def test_no_recordings_are_an_empty_table() -> None:
    assert szcore_events(batch_of([], [], [])).shape == (0, 4)
    assert szcore_samples(batch_of([], [], [])).shape == (0, 4)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be scored"):
        batch_of([EMPTY, events((5, 1))], [EMPTY, EMPTY], [60.0, 60.0])
    with pytest.raises(BadInput, match="must last"):
        batch_of([EMPTY], [EMPTY], [np.nan])
