import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.runtime.errors import ConfigError, ContractError
from bgb_assets.storage.compaction import Group, Weighted, assign


def member(key: str, size: int, version: int = 0) -> Weighted:
    return Weighted(key, hashlib.sha256(f"{key}/{version}/{size}".encode()).hexdigest(), size)


def digests(groups: list[Group]) -> set[str]:
    return {group.digest for group in groups}


def written(before: list[Group], after: list[Group]) -> int:
    """Files that `after` needs and `before` had not."""
    return len(digests(after) - digests(before))


SIZES = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=6), st.integers(0, 130), max_size=60)
MAX_BYTES = 100


def build(sizes: dict[str, int], target_bytes: int = 60) -> list[Group]:
    return assign([member(key, size) for key, size in sizes.items()], target_bytes, MAX_BYTES)


@given(SIZES, st.integers(1, MAX_BYTES))
def test_every_member_is_in_one_group_within_the_bounds(sizes, target_bytes):
    groups = build(sizes, target_bytes)
    assert sorted(key for group in groups for key in group.keys) == sorted(sizes)
    assert len({group.name for group in groups}) == len(groups)
    for group in groups:
        assert group.members
        assert list(group.keys) == sorted(group.keys)
        assert len(group.members) == 1 or group.bytes <= MAX_BYTES
        assert len(group.members) == 1 or max(one.bytes for one in group.members) < target_bytes


@given(SIZES, st.randoms(use_true_random=False))
def test_the_order_of_the_members_is_no_input(sizes, shuffle):
    members = [member(key, size) for key, size in sizes.items()]
    expected = assign(members, 60, MAX_BYTES)
    shuffle.shuffle(members)
    assert assign(iter(members), 60, MAX_BYTES) == expected


@given(SIZES, st.text("xyz", min_size=1, max_size=4), st.integers(0, 130))
def test_adding_drops_one_group_at_most_and_removing_makes_one_at_most(sizes, key, size):
    without = build(sizes)
    with_it = build({**sizes, key: size})
    assert len(digests(without) - digests(with_it)) <= 1
    assert written(with_it, without) <= 1


@given(SIZES.filter(bool), st.data())
def test_a_change_of_content_alone_writes_the_file_of_that_member_and_no_other(sizes, data):
    key = data.draw(st.sampled_from(sorted(sizes)))
    members = {one: member(one, size) for one, size in sizes.items()}
    before = assign(members.values(), 60, MAX_BYTES)
    after = assign((members | {key: member(key, sizes[key], version=1)}).values(), 60, MAX_BYTES)
    assert [group.name for group in before] == [group.name for group in after]
    assert written(before, after) == 1


def test_long_histories_write_two_files_at_most_and_leave_no_trace():
    """3,000 random steps with no member above 1/64 of a file: the bound is 2e-13 per split, so never three."""
    chance = random.Random(7)
    most_bytes = 16_000
    for _ in range(3):
        now: dict[str, Weighted] = {}
        groups = assign([], 250, most_bytes)
        for step in range(1_000):
            key = chance.choice(sorted(now)) if now and chance.random() < 0.3 else f"song {chance.random()}"
            if key in now and chance.random() < 0.5:
                del now[key]
            else:
                now[key] = member(key, chance.randint(100, 249), version=step)
            before, groups = groups, assign(now.values(), 250, most_bytes)
            assert written(before, groups) <= 2
        assert groups == assign(sorted(now.values(), reverse=True), 250, most_bytes)
        assert len(groups) > 4
        assert all(group.bytes <= most_bytes for group in groups)


def test_files_are_well_filled_over_many_sizes_of_the_collection():
    shares = []
    for count in range(2_000, 4_000, 100):
        groups = assign([member(f"m{i}", 100) for i in range(count)], 1_000, 10_000)
        shares.append(100 * count / (len(groups) * 10_000))
    assert 0.6 < sum(shares) / len(shares) < 0.8
    assert min(shares) > 0.4


def test_a_split_keeps_the_number_for_one_half():
    few = [member(f"m{i}", 10) for i in range(10)]
    more = [*few, member("m10", 10)]
    assert [group.name for group in assign(few, 60, MAX_BYTES)] == ["0000"]
    assert [group.name for group in assign(more, 60, MAX_BYTES)] == ["0000", "0001"]


def test_a_member_larger_than_a_file_stands_alone_under_a_name_of_its_own():
    groups = assign([member("small", 1), member("huge", 1_000), member("other", 1)], 60, MAX_BYTES)
    assert [group.keys for group in groups] == [("other", "small"), ("huge",)]
    assert groups[1].name == "x" + hashlib.sha256(b"compaction/1/huge").hexdigest()[:16]


def test_no_members_make_no_files():
    assert assign([], 60, MAX_BYTES) == []


def test_wrong_calls_are_refused():
    with pytest.raises(ConfigError, match="target_bytes <= max_bytes, got 200 and 100"):
        assign([], 200, 100)
    with pytest.raises(ContractError, match="two members have the key 'a'"):
        assign([member("a", 1), member("a", 2)], 60, MAX_BYTES)
    with pytest.raises(ContractError, match="'a' has -1 bytes"):
        assign([Weighted("a", "0" * 64, -1)], 60, MAX_BYTES)
