"""The board's figures: against its own software, and known on real labels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring.board import over_patients, szcore_board
from bgb_assets.modalities.eeg.scoring.counts import f1
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.runtime.errors import BadInput
from bgb_assets.training.intervals import group_sums
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.scoring.random_events import EMPTY, random_pair
from bgb_assets_tests.modalities.eeg.scoring.seizeit2 import recordings


def mask(one: Events, duration_s: float) -> NDArray[np.bool_]:
    """Return the mask of one sample a second that the board's software makes."""
    found = np.zeros(int(duration_s), np.bool_)
    for onset, offset in one.tolist():
        found[int(onset) : int(offset)] = True
    return found


def test_random_pairs_score_as_masks_do() -> None:
    from timescoring.annotations import Annotation
    from timescoring.scoring import EventScoring

    rng = np.random.default_rng(12)
    for _ in range(300):
        reference, hypothesis, duration_s = random_pair(rng)
        peer = EventScoring(*(Annotation(mask(one, duration_s), 1) for one in (reference, hypothesis)))
        counts = szcore_board(reference, hypothesis, duration_s + 0.4)
        assert (counts.tp, counts.fp, counts.reference) == (peer.tp, peer.fp, peer.refTrue)
        assert counts.duration_s == duration_s


def test_patients_without_the_figure_are_left_out() -> None:
    found = over_patients(np.array([0.5, np.nan, 1.0]))
    assert (found.mean, found.std, found.patients) == (0.75, 0.25, 2)
    assert over_patients(np.array([np.nan])).mean is None


def test_less_than_a_second_has_no_mask() -> None:
    with pytest.raises(BadInput, match="no second to score"):
        szcore_board(EMPTY, EMPTY, 0.9)


def test_real_labels_score_as_known() -> None:
    found = recordings(shared_data("eeg") / "seizeit2")
    rows = np.array([szcore_board(one.reference, one.hypothesis, one.duration_s).row for one in found])
    patients, place = np.unique([one.patient for one in found], return_inverse=True)
    board = over_patients(f1(group_sums(rows, place, len(patients))))
    assert board.mean == pytest.approx(0.803731, abs=5e-7)
    assert board.std == pytest.approx(0.220846, abs=5e-7)
