from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.runtime.errors import ConfigError, ContractError
from bgb_assets.storage.splits import (
    NONE,
    TEST,
    TRAIN,
    VAL,
    SplitParams,
    deal,
    fold_of,
    leaks,
    require_no_leak,
    split_code,
    split_of,
    uniform,
)

NAMES = st.text("abcdef", min_size=1, max_size=5)


def test_the_hash_is_the_documented_one():
    """SHA-256("beatmap/split/1/abc") begins with the 64 bits below; anyone can check it with sha256sum."""
    assert uniform("beatmap", "split", "abc") == 0x7129D9EFD5485FE1 / 2**64


def test_shares_are_met_on_many_groups():
    counts = Counter(split_of("m", f"group {i}", SplitParams()) for i in range(10_000))
    assert abs(counts[TRAIN] - 8000) < 200
    assert abs(counts[VAL] - 1000) < 150
    assert abs(counts[TEST] - 1000) < 150


@given(NAMES)
def test_extreme_shares_and_folds(name):
    assert split_of("m", name, SplitParams(val=0, test=0)) == TRAIN
    assert split_of("m", name, SplitParams(val=1, test=0)) == VAL
    assert split_of("m", name, SplitParams(val=0, test=1)) == TEST
    assert fold_of("m", name, SplitParams()) == -1
    assert 0 <= fold_of("m", name, SplitParams(folds=3)) < 3


@pytest.mark.parametrize("wrong", [{"val": -0.1}, {"val": 0.6, "test": 0.6}, {"folds": -1}])
def test_impossible_shares_are_refused(wrong):
    with pytest.raises(ConfigError, match="sum of at most 1"):
        SplitParams(**wrong)


def test_split_names():
    assert [split_code(name) for name in ("train", "val", "test")] == [TRAIN, VAL, TEST]
    with pytest.raises(ConfigError, match="expected one of train, val, test, got 'eval'"):
        split_code("eval")


STRATA = st.dictionaries(NAMES, st.sampled_from("xyz"), max_size=40)


@given(STRATA, st.integers(1, 5))
def test_equal_shares_differ_by_one_at_most_in_each_stratum_and_in_all(strata, buckets):
    dealt = deal(strata, [1.0] * buckets, "42|outer|")
    assert dealt.keys() == strata.keys()
    in_all = Counter(dealt.values())
    for stratum in "xyz":
        counts = Counter(bucket for group, bucket in dealt.items() if strata[group] == stratum)
        assert max(counts.values(), default=0) - min(counts[i] for i in range(buckets)) <= 1
    assert max(in_all.values(), default=0) - min(in_all[i] for i in range(buckets)) <= 1


@given(STRATA, STRATA, st.randoms(use_true_random=False))
def test_dealing_ignores_order_and_moves_no_pinned_group(old, new, shuffle):
    pinned = deal(old, [0.8, 0.1, 0.1], "s")
    both = {**new, **old}
    dealt = deal(both, [0.8, 0.1, 0.1], "s", pinned)
    assert {group: dealt[group] for group in old} == pinned
    items = list(both.items())
    shuffle.shuffle(items)
    assert deal(dict(items), [0.8, 0.1, 0.1], "s", pinned) == dealt


def test_unequal_shares_are_met_in_each_stratum():
    dealt = deal({f"{s}{i}": s for s in "ab" for i in range(100)}, [0.8, 0.1, 0.1], "s")
    for stratum in "ab":
        counts = Counter(bucket for group, bucket in dealt.items() if group[0] == stratum)
        assert [counts[0], counts[1], counts[2]] == pytest.approx([80, 10, 10], abs=1)


def test_another_salt_deals_otherwise():
    strata = {f"g{i}": "x" for i in range(50)}
    assert deal(strata, [1, 1], "1|") != deal(strata, [1, 1], "2|")


def test_impossible_deals_are_refused():
    for shares, pinned in (([], {}), ([1, 0], {}), ([1, 1], {"g": 2})):
        with pytest.raises(ConfigError, match="deal: expected positive shares"):
            deal({"g": "x"}, shares, "s", pinned)


def test_leaks_are_named():
    groups = ["a", "a", "b", "b", "c", "c"]
    splits = [TRAIN, TEST, VAL, NONE, TRAIN, TRAIN]
    assert leaks(groups, splits) == {"a": (TRAIN, TEST)}
    require_no_leak("m/manifest", groups[2:], splits[2:])
    with pytest.raises(ContractError, match="m/manifest: 1 groups are in more than one split: 'a' in train and test;"):
        require_no_leak("m/manifest", groups, splits)


def test_of_many_leaks_the_first_are_named_and_the_rest_counted():
    groups = [f"g{i}" for i in range(9)] * 2
    with pytest.raises(ContractError, match=r"9 groups.*'g4' in train and val and 4 more"):
        require_no_leak("m", groups, [TRAIN] * 9 + [VAL] * 9)
