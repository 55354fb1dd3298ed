from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.nested_splits import Folds, NestedSplitParams, deal_nested, stratum_name
from bgb_assets.storage.splits import NONE, TEST, TRAIN, VAL, deal

PARAMS = NestedSplitParams()
NAMES = st.text("abcdef", min_size=1, max_size=5)
STRATA = st.dictionaries(NAMES, st.sampled_from("xyz"), min_size=1, max_size=40)


def first(stratum, others):
    return others[0]


def sizes(folds, count=3):
    counted = Counter(folds)
    return sorted(counted[fold] for fold in range(count))


@given(STRATA)
def test_every_group_is_tested_once_and_validated_once_in_each_other_training_set(strata):
    found = deal_nested(strata, PARAMS, first)
    assert found.folds.keys() == strata.keys()
    for folds in found.folds.values():
        assert [fold == NONE for fold in folds.inner] == [number == folds.outer for number in range(3)]
        assert {folds.split(number) for number in range(3) if number != folds.outer} <= {TRAIN, VAL}
        assert folds.split(folds.outer) == TEST
    assert sizes(folds.outer for folds in found.folds.values())[2] - sizes(
        folds.outer for folds in found.folds.values()
    )[0] in (0, 1)
    for outer in range(3):
        training = {group: folds.inner[outer] for group, folds in found.folds.items() if folds.outer != outer}
        for stratum in (*set(found.strata.values()), None):
            counted = sizes(fold for group, fold in training.items() if stratum in (None, found.strata[group]))
            assert counted[2] - counted[0] <= 1


@given(STRATA, STRATA, st.randoms(use_true_random=False))
def test_order_does_not_count_and_what_was_dealt_does_not_move(old, new, shuffle):
    earlier = deal_nested(old, PARAMS, first).folds
    both = {**new, **old}
    later = deal_nested(both, PARAMS, first, earlier)
    assert {group: later.folds[group] for group in old} == earlier
    items = list(both.items())
    shuffle.shuffle(items)
    assert deal_nested(dict(items), PARAMS, first, earlier) == later


def test_levels_are_dealt_by_the_documented_salts():
    strata = {f"g{number}": "ab"[number % 2] for number in range(20)}
    found = deal_nested(strata, PARAMS, first).folds
    assert {group: folds.outer for group, folds in found.items()} == deal(strata, [1, 1, 1], "42|outer|")
    training = {group: stratum for group, stratum in strata.items() if found[group].outer != 2}
    assert {group: found[group].inner[2] for group in training} == deal(training, [1, 1, 1], "42|inner_2|")
    assert deal_nested(strata, NestedSplitParams(seed=43), first).folds != found


def strata_of(**counts):
    return {f"{name}{number}": name for name, count in counts.items() for number in range(count)}


def test_rare_stratum_is_merged_with_the_neighbour_named():
    found = deal_nested(strata_of(x=9, y=1, z=2), PARAMS, lambda name, others: "z" if name == "y" else others[-1])
    assert set(found.strata.values()) == {"x", "z"}
    assert found.strata["y0"] == "z"
    assert found.notes == ("stratum 'y' has 1 groups, 3 folds need 3: dealt with 'z'",)
    assert sizes(folds.outer for group, folds in found.folds.items() if group[0] in "yz") == [1, 1, 1]


def test_merging_ends_with_one_stratum_of_too_few_groups():
    found = deal_nested(strata_of(x=1, y=1), PARAMS, first)
    assert set(found.strata.values()) == {"y"}
    assert {folds.outer for folds in found.folds.values()} == {0, 1}
    assert deal_nested({}, PARAMS, first).folds == {}


def test_rare_stratum_may_mean_fewer_folds():
    params = NestedSplitParams(outer=5, rare="fewer")
    found = deal_nested(strata_of(x=9, y=2), params, first)
    assert found.outer == 2
    assert {len(folds.inner) for folds in found.folds.values()} == {2}
    assert found.notes == ("2 outer folds instead of 5: 'y' has 2",)
    grown = deal_nested(strata_of(x=9, y=7), params, first, found.folds)
    assert grown.outer == 2, "the number of folds is pinned with them"
    shrunk = deal_nested(strata_of(x=9, y=1), params, first, found.folds)
    assert shrunk.notes == ("2 outer folds are pinned although 'y' has 1",)
    with pytest.raises(ConfigError, match="no fewer than 2 outer folds can be dealt, but 'y' has 1; set rare to merge"):
        deal_nested(strata_of(x=9, y=1), params, first)


def test_rare_stratum_may_pool_all():
    found = deal_nested(strata_of(x=9, y=2), NestedSplitParams(rare="pool"), first)
    assert set(found.strata.values()) == {"all"}
    assert found.notes == ("strata were pooled: 'y' has 2, 3 folds need 3",)
    assert deal_nested(strata_of(x=9, y=3), NestedSplitParams(rare="pool"), first).notes == ()


def test_rare_stratum_may_be_refused():
    with pytest.raises(ConfigError, match="3 folds need 3 groups of each stratum, 'y' has 2; add uploads, or set rare"):
        deal_nested(strata_of(x=9, y=2), NestedSplitParams(rare="strict"), first)


def test_scheme_sklearn_is_stratified_k_fold_on_sorted_names():
    strata = {f"sub-{number:03d}": "abc"[number % 3] for number in range(47)}
    found = deal_nested(dict(reversed(strata.items())), NestedSplitParams(scheme="sklearn"), first)
    names = sorted(strata)
    splitter = StratifiedKFold(3, shuffle=True, random_state=42)
    for fold, (train, test) in enumerate(splitter.split(names, [strata[name] for name in names])):
        assert [name for name in names if found.folds[name].outer == fold] == [names[place] for place in test]
        training = [names[place] for place in train]
        inner = splitter.split(training, [strata[name] for name in training])
        for number, (_, tested) in enumerate(inner):
            assert [name for name in training if found.folds[name].inner[fold] == number] == [
                training[place] for place in tested
            ]


def test_scheme_sklearn_keeps_what_is_pinned_and_deals_the_rest():
    params = NestedSplitParams(scheme="sklearn")
    old = strata_of(x=12, y=9)
    earlier = deal_nested(old, params, first)
    later = deal_nested({**old, "new": "x"}, params, first, earlier.folds)
    assert {group: later.folds[group] for group in old} == earlier.folds
    assert later.notes == ("1 groups came after scikit-learn's deal was pinned and were dealt by hash",)
    with pytest.raises(ConfigError, match="scikit-learn cannot deal 2 groups"):
        deal_nested(strata_of(x=2), params, first)


def test_impossible_params_are_refused():
    with pytest.raises(ConfigError, match="2 or more folds, got outer 1 and inner 3"):
        NestedSplitParams(outer=1)
    with pytest.raises(ConfigError, match="rare must be one of merge, fewer, pool, strict, got 'drop'"):
        NestedSplitParams(rare="drop")
    with pytest.raises(ConfigError, match="scheme must be one of dealt, sklearn, got 'random'"):
        NestedSplitParams(scheme="random")


def test_split_of_a_group_follows_the_folds_chosen():
    folds = Folds(1, (2, NONE, 0))
    assert [folds.split(outer, inner) for outer, inner in ((1, 0), (0, 2), (0, 0), (2, 0))] == [TEST, VAL, TRAIN, VAL]


def test_stratum_is_named_by_its_values():
    assert stratum_name(("volume_bin", "acquisition"), (2, None)) == "volume_bin=2 acquisition=n/a"
    assert stratum_name((), ()) == ""
