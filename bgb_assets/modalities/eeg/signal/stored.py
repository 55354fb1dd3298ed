"""The samples of stage cache as the signal stages read them: blocks of integers, and what they mean in microvolts.

Belongs here: opening the files of integers that `header.json` lists. Does not belong here: writing them (stage
`cache`), anything computed from them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.signal.montage import Kind
from bgb_assets.runtime.errors import StoreError

HEADER_FILE = "header.json"
_BLOCK = 65_536

Integers = NDArray[np.integer]


@dataclass(frozen=True)
class Stretch:
    """Samples without a gap: the first, how many, and its onset in seconds after the recording's start."""

    start: int
    samples: int
    onset_s: float


@dataclass(frozen=True, eq=False)
class Group:
    """The channels of one rate.

    Attributes:
        channels: Their places among all channels of the recording.
        gain_uv: (channels, 1) microvolts per step of each.
        integers: (samples, channels), mapped.
        stretches: Of the whole recording, in samples of this rate.
    """

    rate_hz: float
    channels: tuple[int, ...]
    gain_uv: NDArray[np.float64]
    integers: Integers
    stretches: tuple[Stretch, ...]

    def blocks(self, stretch: Stretch) -> Iterator[Integers]:
        """Yield a stretch as contiguous (channels, samples) blocks."""
        stop = stretch.start + stretch.samples
        for start in range(stretch.start, stop, _BLOCK):
            yield np.ascontiguousarray(self.integers[start : min(start + _BLOCK, stop)].T)

    def above(self, first: Integers, block: Integers) -> NDArray[np.float64]:
        """Return a (channels, samples) block in microvolts above one sample of all channels.

        The difference is taken of whole numbers: a flat channel is exactly zero, whatever its offset.
        """
        microvolts = block.astype(np.float64)
        microvolts -= first.astype(np.float64)[:, None]
        microvolts *= self.gain_uv
        return microvolts

    def limits(self) -> tuple[Integers, Integers]:
        """Return the lowest and the highest integer of each channel."""
        pieces = [self.integers[start : start + _BLOCK] for start in range(0, len(self.integers), _BLOCK)]
        lowest = np.min([piece.min(axis=0) for piece in pieces], axis=0)
        highest = np.max([piece.max(axis=0) for piece in pieces], axis=0)
        return lowest, highest


@dataclass(frozen=True, eq=False)
class StoredRecording:
    """One recording of stage cache.

    Attributes:
        names: Electrodes, or pairs where the kind is bipolar.
        reference: The electrode that all others were measured against, where it is one of the 19.
        groups: At least one; the first has the recording's own rate.
    """

    names: tuple[str, ...]
    kind: Kind
    reference: str | None
    groups: tuple[Group, ...]

    @property
    def main(self) -> Group:
        """The channels of the rate that most have."""
        return self.groups[0]

    @property
    def seconds(self) -> float:
        """Length without gaps."""
        return len(self.main.integers) / self.main.rate_hz


def open_stored(directory: Path) -> StoredRecording:
    """Open the files of stage cache in a directory.

    Raises:
        StoreError: They do not fit together.
    """
    header = json.loads((directory / HEADER_FILE).read_text(encoding="utf-8"))
    groups = tuple(_group(directory, header["gain"], described) for described in header["groups"])
    if len({len(group.stretches) for group in groups}) != 1:
        counts = [len(group.stretches) for group in groups]
        raise StoreError(f"{directory}: channels of different rates have {counts!r} segments; build the entry anew")
    return StoredRecording(tuple(header["names"]), header["kind"], header["reference"], groups)


def _group(directory: Path, gains: Sequence[float], described: Mapping[str, Any]) -> Group:
    path, dtype, channels = directory / described["file"], np.dtype(described["dtype"]), described["channels"]
    shape = (described["samples"], len(channels))
    expected = shape[0] * shape[1] * dtype.itemsize
    size = path.stat().st_size
    if size != expected:
        raise StoreError(f"{path}: {HEADER_FILE} tells of {expected} bytes, got {size}; build the entry anew")
    return Group(
        rate_hz=float(described["rate_hz"]),
        channels=tuple(channels),
        gain_uv=np.array([gains[channel] for channel in channels], np.float64)[:, None],
        integers=np.memmap(path, dtype, "r", shape=shape) if expected else np.zeros(shape, dtype),
        stretches=tuple(Stretch(int(start), int(n), float(onset_s)) for start, n, onset_s in described["segments"]),
    )
