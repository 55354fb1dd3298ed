from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.storage.identity import IdentityParts, differences


@dataclass(frozen=True)
class Params:
    n_mels: int = 80
    rate_hz: float = 100.0


PARTS = IdentityParts("features/toy", "1", Params(), {"audio": "a" * 64, "tempo": "b" * 64})
digests = st.dictionaries(st.sampled_from(["audio", "tempo", "meta"]), st.sampled_from(["a" * 64, "b" * 64]))


def test_identity_is_pinned() -> None:
    assert PARTS.digest() == "974102ec9f914f3ae48eb185dc39f0e859bd32a1d02c7514aa08e0ceb25139ae"
    assert IdentityParts("features/toy", "1", {"rate_hz": 100.0, "n_mels": 80}, PARTS.facets).digest() == PARTS.digest()


@pytest.mark.parametrize(
    "other",
    [
        replace(PARTS, stage="notes/toy"),
        replace(PARTS, code_version="2"),
        replace(PARTS, params=Params(n_mels=96)),
        replace(PARTS, params=None),
        replace(PARTS, facets={"audio": "a" * 64}),
        replace(PARTS, facets={"audio": "b" * 64, "tempo": "a" * 64}),
    ],
)
def test_every_part_counts(other: IdentityParts) -> None:
    assert other.digest() != PARTS.digest()


@given(digests, digests)
def test_differences_are_empty_exactly_for_equal_identities(old: dict[str, str], new: dict[str, str]) -> None:
    first, second = replace(PARTS, facets=old), replace(PARTS, facets=new)
    assert (differences(first.as_json(), second.as_json()) == []) == (first.digest() == second.digest())


def test_differences_are_said_in_words() -> None:
    new = IdentityParts("features/toy", "2", Params(n_mels=96), {"audio": "c" * 64, "meta": "d" * 64})
    assert differences(PARTS.as_json(), new.as_json()) == [
        "code_version 1 -> 2",
        "params.n_mels 80 -> 96",
        f"audio {'a' * 12}... -> {'c' * 12}...",
        f"meta appeared ({'d' * 12}...)",
        f"tempo disappeared (was {'b' * 12}...)",
    ]
    added = replace(PARTS, params={"n_mels": 80, "rate_hz": 100.0, "window": {"size": 3}})
    assert differences(PARTS.as_json(), added.as_json()) == ["params.window (absent) -> {'size': 3}"]
    moved = replace(PARTS, stage="cache/toy")
    assert differences(PARTS.as_json(), moved.as_json()) == ["stage features/toy -> cache/toy"]
