import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.objects import KINDS, PLAYED_KINDS, empty_objects
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.tokenizer import decode, encode, encode_map, header
from bgb_assets.runtime.errors import BadInput, ContractError
from bgb_assets_tests.modalities.beatmap.objects_case import random_objects, real_maps
from bgb_assets_tests.modalities.beatmap.plain_tokenizer import encode_plainly

HEADER = header("Expert", "Standard", 6.0, 128.0, v.any_of(v.QUAL))
GRID_KINDS = ("notes", "bombs", "arcs", "chains")


def rows(columns, *names):
    return sorted(zip(*(columns[name].tolist() for name in names), strict=True))


def test_token_counts_of_real_maps():
    counts = []
    for one in real_maps():
        objects = one.parsed.objects
        made = [
            encode_map(objects, HEADER, kinds=kinds, fine=fine)
            for kinds, fine in ((("notes",), False), (PLAYED_KINDS, False), (PLAYED_KINDS, True))
        ]
        counts.append(tuple(len(encoded.sequences.ids) for encoded in made))
        dropped = {"wall_shape": [380]} if one.info.characteristic == "OneSaber" else {}
        assert {reason: count.tolist() for reason, count in made[1].dropped.items()} == dropped
    assert sorted(counts) == [
        (578, 2003, 2016),
        (797, 2200, 2213),
        (1005, 2430, 2444),
        (1310, 2451, 2460),
        (1666, 2770, 2795),
        (2694, 3143, 3196),
        (4228, 5116, 5166),
    ]


def note_by_note(notes, per_beat):
    """Return the notes in an order that both sides of a round trip share: by the beat as tokens hold it, by cell."""
    at = np.floor(per_beat * notes["beat"] + 0.5)
    order = np.lexsort([notes[name] for name in ("cut_direction", "color", "y", "x")] + [at])
    return {name: column[order] for name, column in notes.items()}


def assert_same_notes(back, notes, per_beat, degrees):
    """Check each note against its own: beats to half a step, angles modulo a turn, all else exactly."""
    held, wanted = note_by_note(back, per_beat), note_by_note(notes, per_beat)
    for name in ("x", "y", "color", "cut_direction", "fake"):
        assert held[name].tolist() == wanted[name].tolist(), name
    assert np.abs(held["beat"] - wanted["beat"]).max(initial=0) <= 0.5 / per_beat + 1e-9
    turned = (held["angle_deg"] - wanted["angle_deg"] + 180) % 360 - 180
    assert np.abs(turned).max(initial=0) <= degrees


def test_real_maps_survive_fine_tokens():
    for one in real_maps():
        objects = one.parsed.objects
        back = decode(encode_map(objects, HEADER, fine=True).sequences.ids)
        for kind in GRID_KINDS:
            assert len(back[kind]["beat"]) == len(objects[kind]["beat"])
            assert np.abs(np.sort(back[kind]["beat"]) - np.sort(objects[kind]["beat"])).max(initial=0) <= 1 / 1920
        assert_same_notes(back["notes"], objects["notes"], per_beat=960, degrees=0)


def test_real_maps_keep_every_note_in_plain_tokens():
    for one in real_maps():
        back = decode(encode_map(one.parsed.objects, HEADER).sequences.ids)
        assert_same_notes(back["notes"], one.parsed.objects["notes"], per_beat=48, degrees=2.5)


def test_stacked_notes_of_real_maps_are_all_kept():
    """Notes beyond the first of their hand in a tick, which a token per hand and tick loses."""
    found = []
    for one in real_maps():
        notes = decode(encode_map(one.parsed.objects, HEADER).sequences.ids)["notes"]
        hands = np.stack([np.rint(48 * notes["beat"]), notes["color"]], axis=1)
        found.append((len(hands), len(hands) - len(np.unique(hands, axis=0))))
    assert sorted(found) == [(258, 6), (371, 12), (495, 13), (729, 28), (909, 44), (1227, 123), (2313, 176)]


@pytest.mark.parametrize("fine", [False, True])
def test_a_thousand_random_maps_survive(fine):
    for seed in range(1_000):
        objects = random_objects(seed)
        encoded = encode_map(objects, HEADER, fine=fine)
        assert encoded.dropped == {}
        back = decode(encoded.sequences.ids)
        for kind in PLAYED_KINDS:
            names = [name for name in KINDS[kind] if name != "angle_deg"]
            held, wanted = rows(back[kind], *names), rows(objects[kind], *names)
            assert np.allclose(np.array(held, float), np.array(wanted, float), atol=1e-9)
        assert_same_notes(back["notes"], objects["notes"], 960 if fine else 48, degrees=0 if fine else 2.5)


@pytest.mark.parametrize("fine", [False, True])
def test_whole_columns_give_what_objects_one_by_one_give(fine):
    for seed in range(60):
        objects = random_objects(seed, grid_beats=(1 / 4, 1 / 3, 1 / 7, 1 / 960), wild=seed % 2 == 1)
        for bars in (-1, 30):
            encoded = encode_map(objects, HEADER, bars, fine=fine)
            plain, dropped = encode_plainly(objects, HEADER, bars, fine=fine)
            assert encoded.sequences.ids.tolist() == plain
            lost = sum(int(count[0]) for reason, count in encoded.dropped.items() if reason != "repeated")
            assert lost <= dropped


def test_many_maps_at_once_are_each_map_alone():
    maps = [random_objects(seed, wild=seed % 3 == 0) for seed in range(12)] + [empty_objects()]
    order = np.random.default_rng(0)
    tables, owners = {}, {}
    for kind in PLAYED_KINDS:
        joined = {name: np.concatenate([one[kind][name] for one in maps]) for name in maps[0][kind]}
        owner = np.repeat(np.arange(len(maps)), [len(one[kind]["beat"]) for one in maps])
        shuffled = order.permutation(len(owner))
        tables[kind] = {name: column[shuffled] for name, column in joined.items()}
        owners[kind] = owner[shuffled]
    together = encode(tables, owners, [HEADER] * len(maps), [40] * len(maps)).sequences
    for number, one in enumerate(maps):
        alone = encode_map(one, HEADER, 40).sequences
        whole = slice(*together.offsets[number : number + 2])
        bars = slice(*together.bar_offsets[number : number + 2])
        assert np.array_equal(together.ids[whole], alone.ids)
        assert np.array_equal(together.bar_starts[bars], alone.bar_starts)
        assert (together.ids[whole][together.bar_starts[bars]] == v.BAR).all()


def test_stacks_and_a_hand_twice_at_one_time_are_kept():
    objects = empty_objects()
    columns = {"beat": [1.0] * 4, "x": [0, 0, 1, 3], "y": [0, 1, 0, 2], "color": [0, 0, 0, 1]}
    columns |= {"cut_direction": [1, 1, 1, 0], "angle_deg": [0, 158, 0, -3], "fake": [False] * 4}
    objects["notes"] = {name: np.array(value) for name, value in columns.items()}
    ids = encode_map(objects, HEADER, fine=True).sequences.ids
    names = [v.name_of(int(token)) for token in ids[6:]]
    assert names[:3] == ["BAR", "POS_48", "NOTE_1"]
    assert names[3:6] == ["NOTE_10", "ANGLE_66", "ANGF_0"]
    assert names[6:] == ["NOTE_28", "NOTE_207", "ANGLE_34", "ANGF_3", "EOS"]


def test_what_is_not_encoded_is_counted_once_by_reason():
    objects = empty_objects()
    columns = {"beat": [0.0, -1.0, 1.0, 2.0, 2.0, 3.0], "x": [0, 9, 1000, 1, 1, 2], "y": [0] * 6}
    columns |= {"color": [0] * 6, "cut_direction": [1, 1, 1, 45, 1, 1], "angle_deg": [0] * 6}
    columns |= {"fake": [False, False, False, False, True, False]}
    objects["notes"] = {name: np.array(value) for name, value in columns.items()}
    encoded = encode_map(objects, HEADER)
    assert {reason: int(count[0]) for reason, count in encoded.dropped.items()} == {
        "before_start": 1,
        "out_of_grid": 1,
        "cut_direction": 1,
        "fake": 1,
    }
    assert len(decode(encoded.sequences.ids)["notes"]["beat"]) == 2
    cut_off = encode_map(objects, HEADER, bars=0)
    assert int(cut_off.dropped["after_audio"][0]) == 2
    assert cut_off.sequences.ids.tolist() == [*HEADER, v.EOS]


def test_every_reason_not_to_encode_walls_chains_and_repeats():
    objects = empty_objects()
    shape = {"x": [0, 0, 0, 3, -1, 0, 0, 0], "y": [0, 1, 0, 0, 0, 2, 0, 0], "width": [1, 1, 5, 2, 1, 4, 1, 1]}
    shape |= {"height": [5, 5, 5, 5, 5, 3, 5, 5], "duration_beats": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -0.5, 64.0]}
    walls = {name: np.array(value) for name, value in shape.items()}
    objects["walls"] = walls | {"beat": np.full(8, 2.0), "fake": np.zeros(8, np.bool_)}
    slices = np.array([0, 1, 32, 33])
    same = {"color": 0, "x": 1, "y": 0, "cut": 1, "tail_x": 1, "tail_y": 2, "squish": 1.0}
    objects["chains"] = {name: np.full(4, value) for name, value in same.items()}
    objects["chains"] |= {"slices": slices, "beat": np.full(4, 3.0), "tail_beat": np.full(4, 4.0)}
    bomb = {"beat": [5.0, 5.0, 5.0], "x": [1, 1, 2], "y": [0, 0, 0], "fake": [False, False, False]}
    objects["bombs"] = {name: np.array(value) for name, value in bomb.items()}
    encoded = encode_map(objects, HEADER)
    assert {reason: int(count[0]) for reason, count in encoded.dropped.items()} == {
        "wall_shape": 4,
        "length": 2,
        "slices": 2,
        "repeated": 1,
    }
    back = decode(encoded.sequences.ids)
    assert {kind: len(back[kind]["beat"]) for kind in ("walls", "chains", "bombs")} == {
        "walls": 2,
        "chains": 2,
        "bombs": 2,
    }
    assert back["chains"]["slices"].tolist() == [1, 32]


def test_tails_at_or_before_their_head():
    """Most chains of one real map end at the beat at which they begin; arcs that end earlier are found too."""
    objects = empty_objects()
    same = {"color": [0], "x": [1], "y": [0], "cut": [1], "tail_x": [1], "tail_y": [2]}
    for kind, tails, more in (
        ("chains", [2.0, 1.5], {"slices": [4], "squish": [1.0]}),
        ("arcs", [2.0, 1.5, 2.25], {"tail_cut": [0], "mult": [1.0], "tail_mult": [1.0], "mid_anchor": [0]}),
    ):
        columns = {name: np.array(value * len(tails)) for name, value in (same | more).items()}
        objects[kind] = columns | {"beat": np.full(len(tails), 2.0), "tail_beat": np.array(tails)}
    encoded = encode_map(objects, HEADER)
    assert {reason: int(count[0]) for reason, count in encoded.dropped.items()} == {"length": 2}
    back = decode(encoded.sequences.ids)
    assert back["chains"]["tail_beat"].tolist() == [2.0]
    assert back["arcs"]["tail_beat"].tolist() == [2.0, 2.25]


def test_an_unknown_kind_is_refused():
    with pytest.raises(ContractError, match="lights"):
        encode_map(empty_objects(), HEADER, kinds=("notes", "lights"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([v.BAR, 300], "NOTE_12, an event without BAR and POS"),
        ([v.BAR, 96, v.LENB.start], "belongs to no event"),
        ([v.BAR, 96, v.ARC, 300, v.LENB.start, v.EOS], "no whole object"),
        ([v.BAR, 96, 516, v.LENT.start], "no whole object"),
        ([v.BAR, 96, 300, 701, 701], "no whole object"),
        ([v.BAR, 96, 300, v.BAR, 97, 701], "belongs to no event"),
        ([900], "tokens must be 0 to 831"),
    ],
)
def test_a_malformed_sequence_is_refused(body, message):
    with pytest.raises(BadInput, match=message):
        decode([*HEADER, *body])
