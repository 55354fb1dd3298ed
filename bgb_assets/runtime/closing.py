"""Ends of iterators: a generator that is left early lets go of what it holds now, not when it is collected.

Belongs here: that, for iterators which may be no generators. Does not belong here: anything about what they yield.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def closed_after(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """Give an iterator for a block and close it at the block's end, where it can be closed."""
    try:
        yield items
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
