"""The rules of `postprocess` on probabilities that arrive bit by bit: the same events, as soon as they are certain.

Belongs here: what has to be remembered between two blocks, bounded however long a stream lasts. Does not belong here:
the rules on a whole timeline (`postprocess`), which these equal exactly; signals and networks (`streaming`).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bgb_assets.modalities.eeg.detection.postprocess import (
    FIXED_POINT,
    TIMELINE_HZ,
    Floats,
    PostprocessParams,
    evaluated,
    fixed_point,
    steps_at_least,
    steps_at_most,
)


@dataclass(frozen=True)
class LiveEvent:
    """One event of a stream; steps count from its start.

    Attributes:
        first: First step.
        last: The step after the last.
        sum_first: Sum of all probabilities before `first`, in parts of 2^-32.
        sum_last: The same before `last`.
    """

    first: int
    last: int
    sum_first: int
    sum_last: int

    @property
    def confidence(self) -> float:
        """Mean probability within."""
        return (self.sum_last - self.sum_first) / ((self.last - self.first) * FIXED_POINT)


class LiveEvents:
    """Cuts events out of a timeline that is still growing.

    Args:
        params: Thresholds and lengths.
        rate_hz: Steps per second.
    """

    def __init__(self, params: PostprocessParams, rate_hz: float = TIMELINE_HZ) -> None:
        self._params = params
        self._rate_hz = rate_hz
        self._steps = 0
        self._stretch: _Stretch | None = None

    @property
    def open_since(self) -> int | None:
        """First step of the event that is going on, or None. It may still prove too short."""
        return None if self._stretch is None else self._stretch.hysteresis.open_since

    def push(self, probabilities: Floats) -> list[LiveEvent]:
        """Take the next steps, NaN where not evaluated; return the events that are now certain, in order."""
        certain: list[LiveEvent] = []
        valid = evaluated(probabilities)
        parts = fixed_point(np.where(valid, probabilities, 0.0))
        for part, used in zip(parts.tolist(), valid.tolist(), strict=True):
            if used:
                self._stretch = self._stretch or _Stretch(self._params, self._rate_hz, self._steps)
                certain += self._stretch.push(part)
            else:
                certain += self.close()
            self._steps += 1
        return certain

    def close(self) -> list[LiveEvent]:
        """End the stretch of evaluated steps; return the events that were open or waiting for a neighbour."""
        stretch, self._stretch = self._stretch, None
        return [] if stretch is None else stretch.close()


class _Stretch:
    """Evaluated steps without a break: nothing crosses its ends."""

    def __init__(self, params: PostprocessParams, rate_hz: float, first: int) -> None:
        self._smoothing = _Smoothing(max(1, round(params.smooth_s * rate_hz)))
        self._tidying = _Tidying(params, rate_hz)
        self.hysteresis = _Hysteresis(params, rate_hz, first)

    def push(self, part: int) -> list[LiveEvent]:
        self._smoothing.push(part)
        return list(self._settled(self._smoothing.certain()))

    def close(self) -> list[LiveEvent]:
        found = list(self._settled(self._smoothing.rest()))
        found += self._tidying.push(self.hysteresis.close())
        return found + self._tidying.settle(None)

    def _settled(self, smoothed: Iterator[tuple[float, int]]) -> Iterator[LiveEvent]:
        for mean, part in smoothed:
            yield from self._tidying.push(self.hysteresis.push(mean, part))
            yield from self._tidying.settle(self.hysteresis.earliest)


class _Smoothing:
    """The centred mean of `postprocess.smoothed`: step i needs the steps up to i - width // 2 + width - 1."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._behind = width // 2
        self._parts: deque[int] = deque()
        self._first = 0  # the step at the left end of `_parts`
        self._next = 0  # the step whose mean comes next
        self._sum = 0

    def push(self, part: int) -> None:
        self._parts.append(part)
        self._sum += part

    def certain(self) -> Iterator[tuple[float, int]]:
        """Yield the mean and the own value of each step whose surroundings are complete."""
        while self._first + len(self._parts) >= self._next - self._behind + self._width:
            yield self._mean()

    def rest(self) -> Iterator[tuple[float, int]]:
        """Yield those of the last steps, with what there is of their surroundings."""
        while self._next < self._first + len(self._parts):
            yield self._mean()

    def _mean(self) -> tuple[float, int]:
        while self._first < self._next - self._behind:
            self._sum -= self._parts.popleft()
            self._first += 1
        result = self._sum / (len(self._parts) * FIXED_POINT), self._parts[self._next - self._first]
        self._next += 1
        return result


class _Hysteresis:
    """Entering and leaving; remembers the sums of as many steps as a decision may look back."""

    def __init__(self, params: PostprocessParams, rate_hz: float, first: int) -> None:
        self._params = params
        self._enter = steps_at_least(params.enter_s, rate_hz)
        self._leave = steps_at_least(params.leave_s, rate_hz)
        # Sum of all values before each of the last steps, the coming one at the right end.
        self._sums: deque[int] = deque([0], maxlen=max(self._enter, self._leave) + 1)
        self._step = first  # the coming one
        self._above = 0  # length of the run of steps at or above tau_on that ends here
        self._below = 0
        self._opened: tuple[int, int] | None = None

    @property
    def open_since(self) -> int | None:
        return None if self._opened is None else self._opened[0]

    @property
    def earliest(self) -> int:
        """The earliest step where an event that has not been given out may begin."""
        return self._step - self._above if self._opened is None else self._opened[0]

    def push(self, mean: float, part: int) -> LiveEvent | None:
        """Take the next step; return the event that it shows to have ended."""
        self._sums.append(self._sums[-1] + part)
        self._step += 1
        self._above = self._above + 1 if mean >= self._params.tau_on else 0
        self._below = self._below + 1 if mean < self._params.tau_off else 0
        if self._opened is None:
            if self._above >= self._enter:
                self._opened = (self._step - self._above, self._sums[-1 - self._above])
        elif self._below >= self._leave:
            return self._end(self._below)
        return None

    def close(self) -> LiveEvent | None:
        """Return the event that is open where the stretch ends."""
        return None if self._opened is None else self._end(0)

    def _end(self, back: int) -> LiveEvent | None:
        if self._opened is None:
            return None
        (first, sum_first), self._opened = self._opened, None
        return LiveEvent(first, self._step - back, sum_first, self._sums[-1 - back])


class _Tidying:
    """Opening, closing, dropping the short, merging the near."""

    def __init__(self, params: PostprocessParams, rate_hz: float) -> None:
        opening, closing = params.opening_s * rate_hz, params.closing_s * rate_hz
        self._opening = round(opening) if opening > 1.0 else 0
        self._closing = _Merging(round(closing) - 1 if closing > 1.0 else 0)
        self._least = steps_at_least(params.min_event_s, rate_hz)
        self._merging = _Merging(steps_at_most(params.merge_gap_s, rate_hz))

    def push(self, event: LiveEvent | None) -> list[LiveEvent]:
        if event is None or event.last - event.first < self._opening:
            return []
        return self._long_ones(self._closing.push(event))

    def settle(self, earliest: int | None) -> list[LiveEvent]:
        """Return what no event that begins at `earliest` or later (None: there is none) can be merged with."""
        certain = self._long_ones(self._closing.settle(earliest))
        waiting = self._closing.waiting
        return certain + self._merging.settle(earliest if waiting is None else waiting.first)

    def _long_ones(self, events: list[LiveEvent]) -> list[LiveEvent]:
        return [
            certain
            for event in events
            if event.last - event.first >= self._least
            for certain in self._merging.push(event)
        ]


class _Merging:
    """Unites events with no more than `gap` steps between them; at most one event waits for its neighbour."""

    def __init__(self, gap: int) -> None:
        self._gap = gap
        self.waiting: LiveEvent | None = None

    def push(self, event: LiveEvent) -> list[LiveEvent]:
        before, self.waiting = self.waiting, event
        if before is None:
            return []
        if event.first - before.last > self._gap:
            return [before]
        self.waiting = replace(before, last=event.last, sum_last=event.sum_last)
        return []

    def settle(self, earliest: int | None) -> list[LiveEvent]:
        if self.waiting is None or (earliest is not None and earliest - self.waiting.last <= self._gap):
            return []
        settled, self.waiting = self.waiting, None
        return [settled]
