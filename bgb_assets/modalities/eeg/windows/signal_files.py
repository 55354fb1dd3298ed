"""Reading pieces of many signal files with few descriptors.

A corpus has thousands of recordings, a process a few hundred descriptors at best: files are opened when first read and
the one read longest ago is closed. Reads name their place (`preadv`), so that processes forked from one another share
no position, and a file that was cut short is an error, not a crash.

Belongs here: bytes of files of known length. Does not belong here: which pieces (`index`).
"""

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.runtime.errors import StoreError

MOST_OPEN = 40


class SignalFiles:
    """The signals of all recordings: headerless int16, time-major. Picklable; opened again in each process.

    Args:
        paths: One file per recording.
        shapes: (samples, channels) of each.
        most_open: Descriptors held at once.
    """

    def __init__(self, paths: Sequence[Path], shapes: Sequence[tuple[int, int]], most_open: int = MOST_OPEN) -> None:
        self._paths = paths
        self._shapes = shapes
        self._most_open = most_open
        self._open: OrderedDict[int, int] = OrderedDict()

    def read_into(self, out: NDArray[np.int16], recording: int, start: int) -> None:
        """Fill `out`, (samples, channels), C-contiguous, from sample `start` of a recording.

        Raises:
            StoreError: The file is missing or ends before.
        """
        row_bytes = self._shapes[recording][1] * out.itemsize
        left, offset = out.reshape(-1).view(np.uint8).data, start * row_bytes
        while len(left):
            count = os.preadv(self._descriptor(recording), [left], offset)
            if count == 0:
                raise StoreError(
                    f"{self._paths[recording]}: ends at byte {offset}, {len(left)} more were to be read; "
                    "run `bgb cache verify`"
                )
            left, offset = left[count:], offset + count

    def close(self) -> None:
        """Close all files; the next read opens them again."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __del__(self) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def _descriptor(self, recording: int) -> int:
        held = self._open.get(recording)
        if held is not None:
            self._open.move_to_end(recording)
            return held
        while len(self._open) >= self._most_open:
            os.close(self._open.popitem(last=False)[1])
        self._open[recording] = self._opened(self._paths[recording])
        return self._open[recording]

    def _opened(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise StoreError(f"{path}: the features of a recording are gone; materialize eeg/features again") from error
