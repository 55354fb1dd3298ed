from itertools import pairwise

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.objects import PLAYED_KINDS
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.events import from_ids, nearest_tick
from bgb_assets.modalities.beatmap.sequences.grammar import Grammar, Rules
from bgb_assets.modalities.beatmap.sequences.tokenizer import decode, encode_map, header
from bgb_assets.runtime.errors import BadInput

KINDS = ("Standard", "OneSaber", "NoArrows")
BARS = 16


def random_window(seed, fine=False, kinds=PLAYED_KINDS):
    """Return a window of a map from random logits under the mask, and its characteristic."""
    random = np.random.default_rng(seed)
    characteristic = KINDS[seed % len(KINDS)]
    grammar = Grammar(Rules(BARS, characteristic, kinds, fine))
    ids = header("Hard", characteristic, 5.0, 120.0, v.any_of(v.QUAL))
    taste = random.normal(size=v.SIZE) * random.uniform(0, 4)
    taste[v.BAR] += 6.0
    while not grammar.done:
        mask = grammar.mask()
        assert mask.any()
        if len(ids) > 600 and (mask[v.BAR] or mask[v.EOS]):
            mask[v.BAR + 1 :] = False
        token = int(np.where(mask, taste + random.gumbel(size=v.SIZE), -np.inf).argmax())
        grammar.advance(token)
        ids.append(token)
    return ids, characteristic


def check_window(ids, characteristic, fine):
    encoded = encode_map(decode(ids), ids[: v.HEADER_LENGTH], BARS, fine=fine)
    assert encoded.dropped == {}
    assert encoded.sequences.ids.tolist() == ids
    assert ids.count(v.BAR) == BARS
    events = from_ids(ids)
    tick, _ = nearest_tick(events.time)
    first = events.slots[:, 0]
    note, bomb = v.NOTE.holds(first), v.BOMB.holds(first)
    color, x, y, cut = v.note_fields(first[note])
    cells = np.concatenate([x * 3 + y, first[bomb] - v.BOMB.start])
    held = np.stack([np.concatenate([tick[note], tick[bomb]]), cells], axis=1)
    assert len(np.unique(held, axis=0)) == len(held)
    _, of_hand = np.unique(np.stack([tick[note], color], axis=1), axis=0, return_counts=True)
    assert of_hand.max(initial=0) <= 3
    if characteristic == "OneSaber":
        assert (color == 1).all()
    if characteristic == "NoArrows":
        assert (cut == v.ANY_DIRECTION).all()
    check_curves(events)
    check_walls(events, tick)


def check_curves(events):
    held = set(zip(events.time.tolist(), events.slots[:, 0].tolist(), strict=True))
    for row in np.flatnonzero(events.slots[:, 0] >= v.ARC):
        head, tail = events.slots[row, [1, 5]]
        assert (int(events.time[row]), int(head)) in held
        assert v.note_fields(head)[0] == v.note_fields(tail)[0]
        assert events.slots[row, 0] == v.ARC or v.note_fields(tail)[3] == v.ANY_DIRECTION


def check_walls(events, tick):
    lanes = np.zeros((BARS * v.TICKS_PER_BAR + 64 * 48 + 1, v.COLUMNS), bool)
    for row in np.flatnonzero(v.WALL.holds(events.slots[:, 0])):
        x, width, crouch = v.wall_fields(events.slots[row, 0])
        length = (events.slots[row, 1] - v.LENB.start) * 48 + events.slots[row, 2] - v.LENT.start
        if not crouch:
            lanes[tick[row] : tick[row] + length + 1, x : x + width] = True
    assert not lanes.all(axis=1).any()


@pytest.mark.parametrize("fine", [False, True])
def test_windows_from_random_logits_are_maps(fine):
    for seed in range(40):
        check_window(*random_window(seed, fine), fine)


@pytest.mark.slow
@pytest.mark.parametrize("fine", [False, True])
def test_a_thousand_windows_from_random_logits_are_maps(fine):
    for seed in range(1_000):
        check_window(*random_window(seed, fine), fine)


def test_only_the_kinds_that_a_model_has_seen_are_written():
    ids, _ = random_window(0, kinds=("notes", "bombs"))
    first = from_ids(ids).slots[:, 0]
    assert (v.NOTE.holds(first) | v.BOMB.holds(first)).all()


def allowed(grammar):
    return {v.name_of(int(token)).partition("_")[0] for token in np.flatnonzero(grammar.mask())}


def test_each_step_allows_what_may_follow():
    grammar = Grammar(Rules(2))
    assert allowed(grammar) == {"BAR"}
    grammar.push(v.BAR)
    assert allowed(grammar) == {"BAR", "POS"}
    grammar.push(v.POS.start + 10)
    assert allowed(grammar) == {"NOTE", "BOMB", "WALL"}
    grammar.push(300)
    assert allowed(grammar) == {"NOTE", "BOMB", "WALL", "ARC", "CHAIN", "ANGLE", "POS", "BAR"}
    assert np.flatnonzero(grammar.mask())[1] == v.POS.start + 11
    grammar.push(v.ARC)
    assert np.flatnonzero(grammar.mask()).tolist() == [300]
    for token in (300, v.LENB.start, v.LENT.start + 5):
        grammar.push(token)
    assert allowed(grammar) == {"NOTE"}
    grammar.push(320)
    assert allowed(grammar) == {"CHAIN", "POS", "BAR"}
    grammar.push(v.BAR)
    assert allowed(grammar) == {"EOS", "POS"}
    grammar.push(v.EOS)
    assert grammar.done
    assert not grammar.mask().any()


def test_a_token_out_of_place_is_refused():
    grammar = Grammar(Rules(1))
    with pytest.raises(BadInput, match="POS_0 is not allowed in bar -1"):
        grammar.push(v.POS.start)


def test_notes_of_a_tick_take_cells_and_rise():
    grammar = Grammar(Rules(1))
    for token in (v.BAR, v.POS.start, int(v.note_ids(0, 1, 0, 3))):
        grammar.push(token)
    mask = grammar.mask()
    color, x, y, _ = v.note_fields(np.flatnonzero(mask[v.NOTE.slice]) + v.NOTE.start)
    assert not ((x == 1) & (y == 0)).any()
    assert all(a <= b for a, b in pairwise(color))
    assert not mask[v.bomb_ids(1, 0)]
    assert mask[v.bomb_ids(0, 0)]
