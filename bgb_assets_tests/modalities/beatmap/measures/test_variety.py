import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.measures.variety import (
    NOTE_CLASSES,
    diagonal_share,
    distinct_runs,
    dot_share,
    note_histogram,
    red_share,
    run_entropy_bits,
    total_variation,
)

NAMES = ("beat", "color", "x", "y", "cut_direction")


def notes(*rows):
    """Notes as (beat, color, x, y, cut)."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    columns = dict(zip(NAMES, table.T, strict=True))
    return {name: column if name == "beat" else column.astype(np.int64) for name, column in columns.items()}


ROWS = st.lists(
    st.tuples(st.integers(0, 30), *(st.integers(0, high) for high in (1, 3, 2, 8))), min_size=4, max_size=40
)


@given(ROWS)
def test_runs_are_those_of_a_plain_count(rows):
    ordered = [row[1:] for row in sorted(rows)]
    runs = [tuple(ordered[i : i + 4]) for i in range(len(ordered) - 3)]
    shares = [runs.count(run) / len(runs) for run in set(runs)]
    assert distinct_runs(notes(*rows)) == pytest.approx(len(set(runs)) / len(runs))
    assert run_entropy_bits(notes(*rows)) == pytest.approx(-sum(share * math.log2(share) for share in shares))


def test_one_note_again_and_again_has_no_entropy():
    same = notes(*((beat, 0, 1, 0, 1) for beat in range(11)))
    assert (distinct_runs(same), run_entropy_bits(same)) == (1 / 8, 0.0)
    other = notes(*((beat, beat % 2, 1, 0, 1) for beat in range(11)))
    assert (distinct_runs(other), run_entropy_bits(other)) == (2 / 8, 1.0)


def test_fewer_notes_than_one_run():
    assert (distinct_runs(notes()), run_entropy_bits(notes())) == (0.0, 0.0)
    assert distinct_runs(notes(*((beat, 0, 0, 0, 0) for beat in range(3)))) == 0.0
    assert distinct_runs(notes(*((beat, 0, 0, 0, 0) for beat in range(4)))) == 1.0


def test_shares_of_hands_dots_and_diagonals():
    made = notes(*((beat, beat % 2, 0, 0, beat) for beat in range(9)))
    assert (red_share(made), dot_share(made), diagonal_share(made)) == (5 / 9, 1 / 9, 4 / 9)
    assert (red_share(notes()), dot_share(notes()), diagonal_share(notes())) == (0.0, 0.0, 0.0)


def test_every_kind_of_note_has_a_class_of_its_own():
    every = [(0, c, x, y, d) for c in range(2) for x in range(4) for y in range(3) for d in range(9)]
    counts = note_histogram(notes(*every))
    assert counts.tolist() == [1] * (NOTE_CLASSES - 1) + [0]
    odd = notes(
        (0, 0, -1, 0, 0), (0, 1, 4, 0, 0), (0, 0, 0, 3, 0), (0, 0, 1000, 0, 8), (0, 0, 0, 0, 1045), (0, 0, 0, 0, -1)
    )
    assert note_histogram(odd)[-1] == len(odd["beat"]) == note_histogram(odd).sum()


def test_total_variation_is_half_the_difference_of_shares():
    a, b, both = (np.zeros(NOTE_CLASSES, np.int64) for _ in range(3))
    a[3], b[5], both[[3, 5]] = 7, 2, (10, 30)
    assert total_variation(a, a) == total_variation(a, 5 * a) == 0.0
    assert total_variation(a, b) == 1.0
    assert total_variation(a, both) == 0.75
    assert total_variation(both, b) == 0.25
    assert total_variation(a, np.zeros(NOTE_CLASSES, np.int64)) is None
