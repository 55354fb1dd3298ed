"""What every reader of a recording file gives: its signals, its place in time, and blocks of whole samples.

Belongs here: the types. Does not belong here: formats (`edf`, `other_formats`), the choice of channels (`channels`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 8 << 20
"""About so much of a file is held at a time."""


@dataclass(frozen=True)
class Signal:
    """One signal as its file describes it.

    Attributes:
        index: Its place among the signals of the file.
        label: As in the file.
        unit: As in the file.
        gain: Physical value in `unit` = gain * integer + offset.
        problem: Why its samples mean nothing, or None.
    """

    index: int
    label: str
    rate_hz: float
    unit: str
    gain: float
    offset: float
    problem: str | None = None


@dataclass(frozen=True)
class Segment:
    """Samples without a gap: the first, how many, and when the first was taken, in seconds after the start."""

    start: int
    samples: int
    onset_s: float


Text = tuple[float, float | None, str]
"""A note inside a recording file: onset in seconds after the start, duration in seconds or None, text."""


@dataclass(frozen=True)
class Texts:
    """The notes inside a recording file, and what of them could not be read."""

    items: tuple[Text, ...] = ()
    warnings: tuple[str, ...] = ()


class Recording(Protocol):
    """An open recording."""

    @property
    def format(self) -> str:
        """`"edf"`, `"bdf"`, `"brainvision"`, ..."""

    @property
    def bits(self) -> int:
        """Bits of a sample: 16, 24, or 32 where the samples are no integers in the file or of unknown size."""

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All signals but those of annotations."""

    @property
    def start(self) -> str | None:
        """ISO 8601 time of the first sample, or None."""

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was mended in memory, one sentence each."""

    def segments(self, rate_hz: float) -> tuple[Segment, ...]:
        """Return the segments in samples of the signals of this rate."""

    def texts(self) -> Texts:
        """Read the notes inside the file."""

    def blocks(self, indices: Sequence[int]) -> Iterator[NDArray[np.integer]]:
        """Yield the integers of signals of one rate, in time order.

        Returns:
            Shape (samples, signals), int16 or int32, of bounded size.
        """


def duration_s(segments: Sequence[Segment], rate_hz: float) -> float:
    """Return the seconds from a recording's first sample to its end, gaps included."""
    last = segments[-1]
    return last.onset_s + last.samples / rate_hz
