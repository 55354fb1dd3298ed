import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.storage.digests import (
    as_plain,
    canonical_json,
    sha256_bytes,
    sha256_file,
    sha256_json,
    sha256_pairs,
    signature,
)

text = st.text(st.characters(codec="utf-8"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@dataclass(frozen=True)
class Inner:
    depth: int = 2


@dataclass(frozen=True)
class Outer:
    rate_hz: float = 3
    names: tuple[str, ...] = ("b", "a")
    inner: Inner = Inner()


@given(values)
def test_canonical_json_says_what_it_was_given(value: object) -> None:
    data = canonical_json(value)
    assert json.loads(data) == as_plain(value)
    assert canonical_json(json.loads(data)) == data


@given(st.dictionaries(text, scalars))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


def test_canonical_json_is_pinned() -> None:
    value = {"b": [1, 1.0, 1e16, 0.1, -0.5], "a": {"é": None, "z": True, "B": False}, "": "ü\n"}
    expected = '{"":"ü\\n","a":{"B":false,"z":true,"é":null},"b":[1,1.0,1e+16,0.1,-0.5]}'
    assert canonical_json(value) == expected.encode()
    assert sha256_json({}) == sha256_bytes(b"{}")


def test_whole_and_real_numbers_differ_but_not_in_a_float_field() -> None:
    assert canonical_json({"x": 1}) != canonical_json({"x": 1.0})
    assert canonical_json(Outer(rate_hz=3)) == canonical_json(Outer(rate_hz=3.0))


def test_dataclasses_are_written_with_all_defaults() -> None:
    assert canonical_json(Outer()) == b'{"inner":{"depth":2},"names":["b","a"],"rate_hz":3.0}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"a": [math.nan]}])
def test_numbers_that_json_cannot_say_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="finite numbers only"):
        canonical_json(value)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({1: 2}, "string keys only, got 1"),
        ({"a": {3}}, "cannot hold set"),
        (b"x", "cannot hold bytes"),
        (Outer, "type"),
    ],
)
def test_other_types_are_refused(value: object, match: str) -> None:
    with pytest.raises(TypeError, match=match):
        canonical_json(value)


def test_pairs_are_sorted() -> None:
    assert sha256_pairs([("b", "1"), ("a", "2")]) == sha256_pairs([("a", "2"), ("b", "1")])
    assert sha256_pairs([("b", "1"), ("a", "2")]) != sha256_pairs([("b", "2"), ("a", "1")])


def test_file_digest_is_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert sha256_file(path) == sha256_bytes(b"x" * 3_000_000)


def test_signature_changes_when_a_file_is_touched_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    first = signature(path)
    assert signature(str(path)) == first
    os.utime(path, (5, 5))
    second = signature(path)
    assert second[1] == 5_000_000_000
    assert second != first
    other = tmp_path / "other"
    other.write_bytes(b"abc")
    os.utime(other, (5, 5))
    other.replace(path)
    assert signature(path)[3] != second[3], "another inode"
