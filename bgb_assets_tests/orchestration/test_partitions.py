from itertools import combinations, pairwise

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.orchestration.partitions import (
    asset_key,
    partition_changes,
    partitions_name,
    ranges,
    sync_partitions,
    upload_partitions,
)

KEYS = [f"k{i:02}" for i in range(14)]


def covered(ordered, spans) -> list[str]:
    """Return the keys inside the spans, in order, repeated where spans overlap."""
    return [key for first, last in spans for key in ordered[ordered.index(first) : ordered.index(last) + 1]]


def fewest_covered(positions, most) -> int:
    """Try every way to cut the wanted positions into at most `most` ranges."""
    n = len(positions)
    cuts = [c for k in range(min(most, n)) for c in combinations(range(1, n), k)]
    return min(sum(positions[b - 1] - positions[a] + 1 for a, b in pairwise([0, *cut, n])) for cut in cuts)


@given(st.permutations(KEYS), st.sets(st.sampled_from(KEYS)), st.integers(1, 5))
def test_ranges_cover_what_is_wanted_with_the_fewest_others(ordered, wanted, most):
    spans = ranges(ordered, wanted, most)
    inside = covered(ordered, spans)
    assert len(spans) <= most
    assert wanted <= set(inside)
    assert inside == sorted(set(inside), key=ordered.index)
    if wanted:
        assert len(inside) == fewest_covered(sorted(ordered.index(key) for key in wanted), most)
    else:
        assert spans == []


def test_ranges_that_touch_are_one():
    assert ranges(list("abcdef"), set("abcf"), 4) == [("a", "c"), ("f", "f")]


def test_keys_that_are_no_partitions_are_passed_over():
    assert ranges(list("abc"), {"b", "z"}, 4) == [("b", "b")]


def test_thousands_of_scattered_keys_take_four_ranges():
    ordered = [f"k{i}" for i in range(20_000)]
    assert len(ranges(ordered, ordered[::3], 4)) == 4


@given(st.lists(st.sampled_from(KEYS), unique=True), st.lists(st.sampled_from(KEYS), unique=True))
def test_changes_lead_from_what_is_held_to_what_is_present(held, present):
    added, deleted = partition_changes(held, present)
    assert added == sorted(added)
    assert {*held, *added} - set(deleted) == set(present)
    assert not set(added) & set(held)
    assert set(deleted) <= set(held)


def test_the_instance_is_brought_in_line():
    with dg.DagsterInstance.ephemeral() as instance:
        assert sync_partitions(instance, "toy", ["b", "a"]) == (["a", "b"], [])
        assert sync_partitions(instance, "toy", ["c", "b"]) == (["c"], ["a"])
        assert instance.get_dynamic_partitions("toy_uploads") == ["b", "c"]
        assert sync_partitions(instance, "toy", ["b", "c"]) == ([], [])
        assert instance.get_dynamic_partitions("other_uploads") == []


@pytest.mark.parametrize("modality", ["beatmap", "mri"])
def test_names(modality):
    assert asset_key(modality, "raw").path == [modality, "raw"]
    assert upload_partitions(modality).name == partitions_name(modality) == f"{modality}_uploads"
