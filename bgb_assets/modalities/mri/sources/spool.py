"""Files of rows, laid down ahead while their row group is read, since rows are asked for one by one.

A row group is read from its start: to read it anew for each of its rows would take time by the square of their number.
Belongs here: that. Does not belong here: reading rows (`rows`), what becomes of their files (the source).
"""

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

AHEAD_BYTES = 128 << 20

Lay = Callable[[Path], int]
"""Writes the files of one row into a folder and returns how many bytes they have."""


class Spool:
    """Which rows of a row group are going to be asked for, and the files of those that were passed on the way.

    Picklable; a copy knows only the rows that it is asked for.
    """

    def __init__(self) -> None:
        self._wanted: dict[str, set[int]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._own = threading.Lock()
        self._one_large = threading.Lock()

    def __reduce__(self) -> tuple[type["Spool"], tuple[()]]:
        return Spool, ()

    def expect(self, group: str, rows: Iterable[int]) -> None:
        """Say which rows of a row group are going to be asked for."""
        self._wanted[group] = set(rows)

    def take(
        self,
        folder: Path,
        group: str,
        row: int,
        read: Callable[[list[int]], Iterator[tuple[int, Lay]]],
        *,
        is_large: bool = False,
    ) -> Path:
        """Return a folder with the files of a row; the caller moves them away and removes it.

        Args:
            folder: Where rows are laid down.
            group: What names the row group, its file's version included.
            row: The row's number in it.
            read: Yields number and files of some rows of the group, in order.
            is_large: Whether not to read it while another large one is read.
        """
        with self._lock(group):
            place = folder / hashlib.sha256(group.encode()).hexdigest()[:16]
            if not (place / str(row)).is_dir():
                ahead = {other for other in self._wanted.get(group, set()) if other > row}
                with self._one_large if is_large else nullcontext():
                    self._lay_down(place, row, read(sorted({row, *ahead})))
            self._wanted.get(group, set()).discard(row)
            return place / str(row)

    def _lay_down(self, place: Path, row: int, rows: Iterator[tuple[int, Lay]]) -> None:
        laid_bytes = 0
        for number, lay in rows:
            unfinished = place / f"{number}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            laid_bytes += lay(unfinished)
            shutil.rmtree(place / str(number), ignore_errors=True)
            unfinished.rename(place / str(number))
            if number >= row and laid_bytes > AHEAD_BYTES:
                return

    def _lock(self, group: str) -> threading.Lock:
        with self._own:
            return self._locks.setdefault(group, threading.Lock())
