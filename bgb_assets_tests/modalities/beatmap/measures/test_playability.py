import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.objects import KINDS, empty_objects
from bgb_assets.modalities.beatmap.measures.playability import collisions, crossovers, vision_blocks

LEFT, RIGHT = 0, 1


def notes(*rows):
    """Notes as (beat, x, y, color) or (beat, x, y, color, fake)."""
    table = np.array([(*row, 0)[:5] for row in rows], np.float64).reshape(-1, 5)
    columns = dict(zip(("beat", "x", "y", "color", "fake"), table.T, strict=True))
    full = {name: columns.get(name, np.zeros(len(table))) for name in KINDS["notes"]}
    return {name: full[name].astype(np.dtype(dtype)) for name, dtype in KINDS["notes"].items()}


def bombs(*rows):
    made = notes(*((beat, x, y, 0, *fake) for beat, x, y, *fake in rows))
    return {name: made[name] for name in KINDS["bombs"]}


def collided(note_rows=(), bomb_rows=()):
    return collisions({**empty_objects(), "notes": notes(*note_rows), "bombs": bombs(*bomb_rows)})


def test_notes_and_bombs_of_one_cell_and_tick_collide():
    assert collided([(1, 0, 0, LEFT), (1, 0, 0, RIGHT)]) == 1
    assert collided([(1, 0, 0, LEFT)], [(1, 0, 0)]) == 1
    assert collided([(1, 0, 0, LEFT)], [(1, 0, 0), (1, 0, 0)]) == 2
    # The same tick: 1/48 beat apart they are two, less than half of it apart one.
    assert collided([(1, 0, 0, LEFT), (1 + 1 / 48, 0, 0, LEFT)]) == 0
    assert collided([(1, 0, 0, LEFT), (1 + 1 / 100, 0, 0, LEFT)]) == 1


def test_another_cell_time_or_a_fake_is_no_collision():
    assert collided([(1, 0, 0, LEFT), (1, 1, 0, LEFT), (1, 0, 1, LEFT), (2, 0, 0, LEFT)]) == 0
    assert collided([(1, 0, 0, LEFT, True), (1, 0, 0, LEFT)], [(1, 0, 0, True)]) == 0
    assert collided() == 0


def test_hands_cross_where_both_are_on_the_far_side_in_one_tick():
    assert crossovers(notes((1, 3, 0, LEFT), (1, 0, 1, RIGHT))) == 1
    assert crossovers(notes((1, 3, 0, LEFT), (1, 3, 1, LEFT), (1, 0, 1, RIGHT))) == 1
    assert crossovers(notes((1, 3, 0, LEFT), (1, 0, 1, RIGHT), (2, 3, 0, LEFT), (2, 0, 1, RIGHT))) == 2
    assert crossovers(notes((1, 3, 0, LEFT), (1 + 1 / 48, 0, 1, RIGHT))) == 0
    assert crossovers(notes((1, 2, 0, LEFT), (1, 0, 1, RIGHT))) == 0
    assert crossovers(notes((1, 0, 0, LEFT), (1, 3, 1, RIGHT))) == 0
    assert crossovers(notes((1, 3, 0, LEFT, True), (1, 0, 1, RIGHT))) == 0


@pytest.mark.parametrize("cell", [(1, 1), (2, 1)])
def test_a_middle_note_hides_the_other_hands_next_one(cell):
    def blocks(gap_s, colors=(LEFT, RIGHT), second=cell):
        made = notes((0, *cell, colors[0]), (gap_s, *second, colors[1]))
        return vision_blocks(made, made["beat"])  # at 60 beats per minute

    assert blocks(0.3) == blocks(0.3, (RIGHT, LEFT)) == 1
    assert blocks(0.35) == 1
    assert blocks(0.36) == 0
    assert blocks(0.0) == 0
    assert blocks(0.3, (LEFT, LEFT)) == 0
    assert blocks(0.3, second=(0, 1)) == 0


def test_notes_elsewhere_hide_nothing_and_fakes_do_not_count():
    for cell in ((0, 1), (3, 1), (1, 0), (1, 2)):
        made = notes((0, *cell, LEFT), (0.2, *cell, RIGHT))
        assert vision_blocks(made, made["beat"]) == 0
    made = notes((0, 1, 1, LEFT, True), (0.2, 1, 1, RIGHT))
    assert vision_blocks(made, made["beat"]) == 0
    # Each note that hides another one counts: left, right, left.
    made = notes((0, 1, 1, LEFT), (0.2, 1, 1, RIGHT), (0.4, 1, 1, LEFT))
    assert vision_blocks(made, made["beat"]) == 2
