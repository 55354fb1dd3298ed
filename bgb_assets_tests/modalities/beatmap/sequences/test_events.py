import numpy as np

from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.events import (
    from_ids,
    mirrored,
    nearest_tick,
    note_starts,
    positions,
    to_sequences,
)
from bgb_assets.modalities.beatmap.sequences.tokenizer import encode_map, header
from bgb_assets_tests.modalities.beatmap.objects_case import mirrored_objects, random_objects, real_maps

HEADER = header("Hard", "Standard", None, None, v.any_of(v.QUAL))


def test_the_nearest_tick_leaves_a_rest_that_fine_tokens_hold():
    units = np.arange(0, 2_000)
    tick, rest = nearest_tick(units)
    assert np.array_equal(tick * 20 + rest, units)
    assert (rest.min(), rest.max()) == (-9, 10)


def test_a_thousand_mirrored_maps_are_the_maps_of_mirrored_objects_and_twice_is_once():
    table = v.mirror_table()
    for seed in range(1_000):
        objects, fine = random_objects(seed), seed % 2 == 0
        ids = encode_map(objects, HEADER, 60, fine=fine).sequences.ids
        turned = mirrored(ids, table)
        assert np.array_equal(turned, encode_map(mirrored_objects(objects), HEADER, 60, fine=fine).sequences.ids)
        assert np.array_equal(mirrored(turned, table), ids)


def test_real_maps_mirror():
    table = v.mirror_table()
    for one in real_maps():
        ids = encode_map(one.parsed.objects, HEADER).sequences.ids
        expected = encode_map(mirrored_objects(one.parsed.objects), HEADER).sequences.ids
        assert np.array_equal(mirrored(ids, table), expected)


def test_positions_are_ticks_from_the_first_bar():
    body = [v.BAR, v.POS.start + 48, 300, v.BAR, v.BAR, v.POS.start, 301, 302, v.POS.start + 12, 303, v.EOS]
    held = positions([*HEADER, *body]).tolist()
    assert held == [0] * 6 + [0, 48, 48, 192, 384, 384, 384, 384, 396, 396, 396]


def test_notes_are_not_heads_or_tails():
    arc = [v.ARC, 300, v.LENB.start, v.LENT.start, v.FINE.start, 310]
    chain = [v.CHAIN, 300, v.LENB.start, v.LENT.start, 310, v.SLICES.start]
    body = [v.BAR, v.POS.start, 300, 301, *arc, *chain]
    assert np.flatnonzero(note_starts(body)).tolist() == [2, 3]


def test_sequences_of_many_maps_are_read_back():
    maps = [encode_map(random_objects(seed), HEADER, 50).sequences for seed in range(5)]
    offsets = np.concatenate([[0], np.cumsum([len(one.ids) for one in maps])])
    ids = np.concatenate([one.ids for one in maps])
    events = from_ids(ids, offsets)
    headers = np.array([HEADER] * 5, np.int16)
    again = to_sequences(events, headers, np.full(5, 50))
    assert np.array_equal(again.ids, ids)
    assert np.array_equal(again.offsets, offsets)


def test_a_map_without_objects_is_its_bars():
    nothing = from_ids([*HEADER, v.BAR, v.BAR, v.EOS])
    assert len(nothing) == 0
    assert to_sequences(nothing, np.array([HEADER], np.int16), np.array([2])).ids.tolist() == [*HEADER, 3, 3, 2]
