from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.storage.groups import merge, merged_members

NAMES = st.integers(0, 9).map("g{}".format)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=12)


@given(st.lists(NAMES, max_size=8), PAIRS)
def test_groups_are_one_exactly_if_a_chain_of_pairs_connects_them(groups, pairs):
    merged = merge(groups, pairs)
    assert merged.keys() == set(groups)
    for start in groups:
        reached = {start}
        while True:
            further = {end for pair in pairs for end in pair if reached & set(pair)} - reached
            if not further:
                break
            reached |= further
        assert merged[start] == min(reached)
        assert all((merged[other] == merged[start]) == (other in reached) for other in groups)


@given(st.lists(NAMES, min_size=1, max_size=8), PAIRS, st.randoms(use_true_random=False))
def test_neither_the_order_nor_a_removed_upload_renames_a_group(groups, pairs, shuffle):
    shuffled = list(pairs)
    shuffle.shuffle(shuffled)
    merged = merge(groups, pairs)
    assert merge(groups[:-1], shuffled) == {group: merged[group] for group in set(groups[:-1])}


def test_members_of_merged_groups_are_listed():
    merged = merge(["a", "b", "c", "d"], [("c", "a"), ("d", "unseen")])
    assert merged == {"a": "a", "b": "b", "c": "a", "d": "d"}
    assert merged_members(merged) == {"a": ("a", "c")}
