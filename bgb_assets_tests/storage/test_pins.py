import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.pins import Move, Pins, adopt, decide, extend, read_pins, write_pins
from bgb_assets.storage.splits import NONE, TEST, TRAIN, VAL, SplitParams, leaks, split_of

PARAMS = SplitParams()
NAMES = st.integers(0, 12).map("g{}".format)
CODES = st.sampled_from([TRAIN, VAL, TEST])


def by_hash(group: str) -> int:
    return split_of("m", group, PARAMS)


def test_without_pins_every_group_follows_its_hash():
    groups = [f"g{i}" for i in range(50)]
    decision = decide("m", groups, [NONE] * 50, Pins(), PARAMS)
    assert decision.splits == tuple(map(by_hash, groups))
    assert not any(decision.conflicts)
    assert decision.moves == ()


def test_a_pin_wins_over_the_hash():
    group = next(f"g{i}" for i in range(99) if by_hash(f"g{i}") == TRAIN)
    decision = decide("m", [group], [NONE], Pins({group: VAL}), PARAMS)
    assert decision.splits == (VAL,)


def test_the_earliest_pinned_member_wins_and_moves_are_listed():
    pins = Pins({"b": TEST, "a": TRAIN}, pairs=(("a", "b"),))
    decision = decide("m", ["a", "b", "a"], [NONE] * 3, pins, PARAMS)
    assert decision.groups == ("a", "a", "a")
    assert decision.splits == (TEST, TEST, TEST)
    assert decision.moves == (Move("a", "a", "train", "test"),)


def test_nothing_moves_from_test_into_train():
    pins = Pins({"a": TRAIN, "b": TEST}, pairs=(("a", "b"),))
    decision = decide("m", ["a", "b"], [NONE] * 2, pins, PARAMS)
    assert decision.splits == (TRAIN, NONE)
    assert decision.conflicts == (False, True)
    assert decision.moves == ()


def test_a_new_member_of_a_pinned_group_joins_it():
    pins = Pins({"z": TEST}, pairs=(("a", "z"),))
    decision = decide("m", ["a", "z"], [NONE] * 2, pins, PARAMS)
    assert decision.splits == (TEST, TEST)
    assert not any(decision.conflicts)


def test_a_sources_own_split_wins_and_disagreement_is_a_conflict():
    decision = decide("m", ["a", "a", "b", "b"], [VAL, NONE, TRAIN, TEST], Pins({"a": TRAIN}), PARAMS)
    assert decision.splits == (VAL, VAL, NONE, TEST)
    assert decision.conflicts == (False, False, True, False)
    assert decision.moves == (Move("a", "a", "train", "val"),)


def test_a_source_cannot_move_a_group_out_of_the_pinned_test_split():
    decision = decide("m", ["a"], [TRAIN], Pins({"a": TEST}), PARAMS)
    assert decision.conflicts == (True,)


@given(
    st.lists(st.tuples(NAMES, st.sampled_from([NONE, NONE, NONE, TRAIN, VAL, TEST])), max_size=20),
    st.dictionaries(NAMES, CODES, max_size=8),
    st.lists(st.tuples(NAMES, NAMES), max_size=8),
)
def test_no_decision_leaks_and_nothing_pinned_to_test_is_used_elsewhere(samples, splits, pairs):
    groups, own = [group for group, _ in samples], [code for _, code in samples]
    decision = decide("m", groups, own, Pins(splits, pairs=tuple(pairs)), PARAMS)
    assert leaks(decision.groups, decision.splits) == {}
    for group, split, conflict in zip(groups, decision.splits, decision.conflicts, strict=True):
        assert conflict == (split == NONE)
        assert splits.get(group) != TEST or split in (TEST, NONE)
    for group, wanted, split in zip(groups, own, decision.splits, strict=True):
        assert wanted == NONE or split in (wanted, NONE), group


@given(st.dictionaries(NAMES, CODES), st.dictionaries(NAMES, CODES), st.lists(st.tuples(NAMES, NAMES), max_size=5))
def test_pins_only_ever_grow_and_survive_the_files(tmp_path_factory, old, new, pairs):
    pins = extend(Pins(old, {"a": 1}, (("x", "y"),)), new, pairs)
    assert list(pins.splits)[: len(old)] == list(old)
    assert {group: pins.splits[group] for group in old} == old
    assert pins.pairs[0] == ("x", "y")
    directory = tmp_path_factory.mktemp("pins")
    write_pins(directory, pins)
    found = read_pins(directory)
    assert found == pins
    assert list(found.splits) == list(pins.splits)


def test_what_is_not_the_same_does_not_merge_and_stays_in_its_file(tmp_path):
    (tmp_path / "not_same.json").write_text('{"version": 1, "pins": [["b", "a"]]}')
    pins = extend(read_pins(tmp_path), {}, [("a", "b"), ("b", "c")])
    assert pins.same == (("b", "c"),)
    assert pins.denies("a", "b")
    assert not pins.denies("a", "c")
    assert decide("m", ["a", "b", "c"], [NONE] * 3, pins, PARAMS).groups == ("a", "b", "b")
    write_pins(tmp_path, pins)
    assert read_pins(tmp_path) == pins
    assert (tmp_path / "not_same.json").read_text() == '{"version": 1, "pins": [["b", "a"]]}'


def test_newcomers_take_the_split_of_the_group_that_was_there():
    pins = adopt(Pins(), [("a", "z")], {"a": TRAIN, "z": TEST}, before={"z": TEST, "other": VAL})
    assert (dict(pins.splits), list(pins.splits), pins.pairs) == ({"z": TEST, "a": TEST}, ["z", "a"], (("a", "z"),))


def test_two_newcomers_take_the_split_of_the_smaller_name():
    assert adopt(Pins(), [("b", "a")], {"a": VAL, "b": TEST}, {}).splits == {"a": VAL, "b": VAL}


def test_two_that_were_there_keep_their_pins_and_the_decision_says_what_follows():
    before = {"a": TRAIN, "b": TEST, "c": VAL}
    pins = adopt(Pins(), [("a", "b"), ("a", "c")], before, before)
    assert pins.splits == before
    decision = decide("m", ["a", "b", "c"], [NONE] * 3, pins, PARAMS)
    assert decision.splits == (TRAIN, NONE, TRAIN), "nothing moves from test into train"
    assert decision.conflicts == (False, True, False)
    assert decision.moves == (Move("c", "a", "val", "train"),)


def test_a_group_with_older_pins_takes_the_newcomer_in():
    old = Pins({"m": VAL, "n": VAL}, pairs=(("m", "n"),))
    pins = adopt(old, [("a", "n")], {"a": TRAIN, "n": VAL}, {"m": VAL})
    assert pins.splits == {"m": VAL, "n": VAL, "a": VAL}
    assert adopt(pins, [("n", "a")], {"a": VAL, "n": VAL}, {"a": VAL}) == pins, "once more is the same"


def test_a_pair_written_by_hand_lends_its_split_under_its_merged_name():
    pins = adopt(Pins(pairs=(("a", "b"),)), [("b", "c")], {"b": TEST, "c": TRAIN}, before={"a": TEST})
    assert pins.splits == {"b": TEST, "c": TEST}


@given(st.lists(st.lists(st.tuples(NAMES, NAMES), max_size=4), max_size=5))
def test_a_growing_corpus_never_moves_out_of_test(rounds):
    """Every round finds pairs; what was in use before keeps its split, is moved to test, or is left out."""
    pins, in_use = Pins(), dict.fromkeys([], 0)
    for number, pairs in enumerate(rounds):
        groups = sorted({f"g{i}" for i in range(4 * number + 4)} | {name for pair in pairs for name in pair})
        alone = decide("m", groups, [NONE] * len(groups), pins, PARAMS)
        pins = adopt(pins, pairs, _without_conflicts(groups, alone.splits), in_use)
        decision = decide("m", groups, [NONE] * len(groups), pins, PARAMS)
        assert leaks(decision.groups, decision.splits) == {}
        for name, split in in_use.items():
            now = {decision.splits[i] for i, group in enumerate(groups) if group == name}
            if split == TEST:
                assert now <= {TEST, NONE}, name
        in_use = {g: s for g, s in zip(decision.groups, decision.splits, strict=True) if s != NONE}


def _without_conflicts(groups, splits):
    return {g: by_hash(g) if s == NONE else s for g, s in zip(groups, splits, strict=True)}


def test_no_files_pin_nothing(tmp_path):
    assert read_pins(tmp_path / "absent") == Pins()
    write_pins(tmp_path, Pins())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not JSON", "splits.json: expected"),
        ('{"version": 1}', "splits.json: expected"),
        ('{"version": 2, "pins": []}', "version 2, this program reads 1"),
        ('{"version": 1, "pins": [["a", 1]]}', "expected a pair of str and str, got"),
        ('{"version": 1, "pins": [["a", "dev"]]}', "expected one of train, val, test, got 'dev'"),
        ('{"version": 1, "pins": [["a", "val"], ["a", "test"]]}', "'a' is pinned twice, to 'val' and 'test'"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, message):
    (tmp_path / "splits.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_pins(tmp_path)
