import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.runtime.errors import BadInput
from bgb_assets.storage.keys import MAX_KEY_CHARACTERS, collisions, key_of

segments = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..")
)
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)


@given(paths)
def test_key_is_a_safe_name(path: str) -> None:
    try:
        key = key_of(path)
    except BadInput:
        assert path.endswith((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")), "only a bare suffix has no name"
        return
    assert re.fullmatch(r"(?:[A-Za-z0-9_.\-]|%[0-9A-F]{2})+", key)
    assert ".." not in key
    assert not key.startswith(".")
    assert 0 < len(key) <= MAX_KEY_CHARACTERS
    assert key_of(unicodedata.normalize("NFD", path)) == key_of(unicodedata.normalize("NFC", path))


@given(paths, paths)
def test_different_paths_have_different_keys(first: str, second: str) -> None:
    normal = [unicodedata.normalize("NFC", path) for path in (first, second)]
    if "." not in first + second:  # archive suffixes are dropped
        assert (key_of(first) == key_of(second)) == (normal[0] == normal[1])


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("song", "song"),
        ("song.zip", "song"),
        ("pack/Song (1).zip", "pack%2FSong%20%281%29"),
        ("100%", "100%25"),
        ("Ü", "%C3%9C"),
        ("U\u0308", "%C3%9C"),
        ("a..b", "a.%2Eb"),
        ("a....b", "a.%2E.%2Eb"),
        (".hidden", "%2Ehidden"),
        ("...x", "%2E%2E.x"),
    ],
)
def test_keys(path: str, key: str) -> None:
    assert key_of(path) == key


@pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/../b", "./a", "a/", "b\udcff"])
def test_paths_that_can_be_no_key(path: str) -> None:
    with pytest.raises(BadInput, match="rename"):
        key_of(path)


def test_long_key_keeps_its_start_and_is_told_from_others() -> None:
    first, second = key_of("a" * 300), key_of("a" * 299 + "b")
    assert first != second
    assert len(first) == MAX_KEY_CHARACTERS
    assert first.startswith("aaaa")
    for length in range(150, 200):
        for filler in ("ü", ".x", "x."):
            key = key_of("a" * length + filler * 40)
            assert ".." not in key
            assert re.fullmatch(r"(?:[a-z0-9.]|%[0-9A-F]{2})+", key), key


def test_collisions_are_by_case_too() -> None:
    assert collisions(["song", "other", "Song", "song"]) == {"Song": [0, 2, 3]}
    assert collisions(["a", "b"]) == {}
