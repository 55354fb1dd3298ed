"""The samples of stage cache as the signal stages read them: blocks of integers, and what they mean in microvolts.

Belongs here: opening `signal.i16` or `signal.i32` with its `header.json`. Does not belong here: writing them (stage
`cache`), anything computed from them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.signal.montage import Kind
from bgb_assets.runtime.errors import StoreError

HEADER_FILE = "header.json"
_DTYPES = {"signal.i16": "<i2", "signal.i32": "<i4"}
_BLOCK = 65_536

Integers = NDArray[np.integer]


@dataclass(frozen=True)
class Stretch:
    """Samples without a gap: the first, how many, and its onset in seconds after the recording's start."""

    start: int
    samples: int
    onset_s: float


@dataclass(frozen=True, eq=False)
class StoredRecording:
    """One recording of stage cache.

    Attributes:
        names: Electrodes, or pairs where the kind is bipolar.
        gain_uv: (channels,) microvolts per step of each.
        reference: The electrode that all others were measured against, where it is one of the 19.
        integers: (samples, channels), mapped.
    """

    names: tuple[str, ...]
    kind: Kind
    rate_hz: float
    gain_uv: NDArray[np.float64]
    reference: str | None
    stretches: tuple[Stretch, ...]
    integers: Integers

    def blocks(self, stretch: Stretch) -> Iterator[Integers]:
        """Yield a stretch as contiguous (channels, samples) blocks."""
        stop = stretch.start + stretch.samples
        for start in range(stretch.start, stop, _BLOCK):
            yield np.ascontiguousarray(self.integers[start : min(start + _BLOCK, stop)].T)

    def limits(self) -> tuple[Integers, Integers]:
        """Return the lowest and the highest integer of each channel."""
        pieces = [self.integers[start : start + _BLOCK] for start in range(0, len(self.integers), _BLOCK)]
        lowest = np.min([piece.min(axis=0) for piece in pieces], axis=0)
        highest = np.max([piece.max(axis=0) for piece in pieces], axis=0)
        return lowest, highest


def open_stored(directory: Path) -> StoredRecording:
    """Open the files of stage cache in a directory.

    Raises:
        StoreError: They do not fit together.
    """
    header = json.loads((directory / HEADER_FILE).read_text(encoding="utf-8"))
    found = [name for name in _DTYPES if (directory / name).is_file()]
    if len(found) != 1:
        raise StoreError(f"{directory}: expected one of {', '.join(_DTYPES)}, got {found!r}; build the entry anew")
    path, dtype, channels = directory / found[0], np.dtype(_DTYPES[found[0]]), len(header["names"])
    stretches = tuple(Stretch(int(start), int(n), float(onset_s)) for start, n, onset_s in header["segments"])
    samples = max((stretch.start + stretch.samples for stretch in stretches), default=0)
    expected = samples * channels * dtype.itemsize
    if path.stat().st_size != expected:
        raise StoreError(
            f"{path}: {HEADER_FILE} tells of {expected} bytes, got {path.stat().st_size}; build the entry anew"
        )
    shape = (samples, channels)
    return StoredRecording(
        names=tuple(header["names"]),
        kind=header["kind"],
        rate_hz=float(header["rate_hz"]),
        gain_uv=np.array(header["gain"], np.float64),
        reference=header.get("reference"),
        stretches=stretches,
        integers=np.memmap(path, dtype, "r", shape=shape) if expected else np.zeros(shape, dtype),
    )
