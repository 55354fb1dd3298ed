from collections.abc import Iterator

import pytest

from bgb_assets.runtime.closing import closed_after


def numbers(ended: list[str]) -> Iterator[int]:
    try:
        yield 1
        yield 2
    finally:
        ended.append("ended")


def test_generator_that_is_left_early_ends_with_the_block() -> None:
    ended: list[str] = []
    with closed_after(numbers(ended)) as items:
        assert next(items) == 1
        assert ended == []
    assert ended == ["ended"]


def test_generator_ends_when_the_block_fails() -> None:
    ended: list[str] = []
    with pytest.raises(KeyError), closed_after(numbers(ended)) as items:
        next(items)
        raise KeyError
    assert ended == ["ended"]


def test_iterator_without_an_end_is_left_as_it_is() -> None:
    with closed_after(iter([1, 2])) as items:
        assert next(items) == 1
    assert next(items) == 2
