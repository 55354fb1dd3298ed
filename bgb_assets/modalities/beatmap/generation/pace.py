"""Pace: keeps the notes per second of a map at what was asked for, from its first note to the end of its music.

The network says how likely each place of a bar is to be taken, given that no earlier one was: its hazard. One number,
added to the log-odds of all hazards, makes a map denser or sparser and leaves to the network where it is so. Which
number gives which pace is not guessed but measured: the hazards that the last bars offered say how many places would
have been taken under any other number. What is owed (asked minus written) is spread over the bars that follow, over
fewer towards the end, so that the debt is paid when the music ends.

Belongs here: the wanted pace, what is owed, and the number. Does not belong here: the draw of a token (`pen`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bgb_assets.modalities.beatmap.sequences import vocabulary as v

Float64 = NDArray[np.float64]

BIAS_LIMIT = 14.0
"""Largest change of log-odds; what the network holds for impossible stays so."""
HORIZON_BARS = 4
"""Bars over which a debt is spread."""
LAST_HORIZONS = 3
"""Towards the end of the music a debt is spread over the rest, divided by this."""
PATIENCE_BARS = 4
"""Bars without a note at the beginning after which notes are owed nevertheless."""
MEMORY_BARS = 16
"""Bars whose hazards are remembered."""

_SURE = 30.0
_PRIOR_NOTES = 8.0
_MOST_NOTES_A_PLACE, _FEWEST_NOTES_A_PLACE = 3.0, 0.5
_HALVINGS = 16
_BINS_A_UNIT = 8
_BIN_LOG_ODDS = np.arange(-_SURE * _BINS_A_UNIT, _SURE * _BINS_A_UNIT + 1) / _BINS_A_UNIT


@dataclass(frozen=True)
class WantedPace:
    """How many notes a song should have up to each moment.

    Attributes:
        seconds: Increasing; the first is the song's begin, the last the end of its music.
        notes: Notes wanted up to there.
    """

    seconds: Float64
    notes: Float64

    def until(self, second: float) -> float:
        """Return the notes wanted up to a moment; none are wanted after the music."""
        return float(np.interp(second, self.seconds, self.notes))

    def between(self, first_s: float, last_s: float) -> float:
        """Return the notes per second wanted between two moments, as far as there is music."""
        length_s = min(last_s, self.end_s) - first_s
        return (self.until(last_s) - self.until(first_s)) / length_s if length_s > 0 else 0.0

    @property
    def end_s(self) -> float:
        """Where the music ends."""
        return float(self.seconds[-1])


def wanted_pace(bar_seconds: Float64, end_s: float, notes_per_s: ArrayLike) -> WantedPace:
    """Return the wanted pace of a song.

    Args:
        bar_seconds: (bars + 1,) when each bar begins and the last one ends.
        end_s: When the music ends.
        notes_per_s: One value, or one for each bar.
    """
    rates = np.broadcast_to(np.asarray(notes_per_s, np.float64), len(bar_seconds) - 1)
    notes = np.concatenate([[0.0], np.cumsum(rates * np.diff(bar_seconds))])
    inside = bar_seconds < end_s
    seconds = np.append(bar_seconds[inside], end_s)
    return WantedPace(seconds, np.interp(seconds, bar_seconds, notes))


@dataclass
class _Bar:
    """What a bar offered and got.

    Attributes:
        offered: How many places had which log-odds, one count per bin.
        expected: How many of them were expected to be taken, by the chances that they were drawn with.
        notes: How many notes came of it.
    """

    offered: NDArray[np.int64]
    expected: float = 0.0
    notes: int = 0


class Pace:
    """The state of one difficulty that is being written.

    `bias` says what the log-odds of all places must be raised by in a draw; `passed` and `wrote_note` tell what came
    of it.
    """

    def __init__(self, wanted: WantedPace, bar_seconds: Float64) -> None:
        self._wanted = wanted
        self._bar_seconds = bar_seconds
        self._bars: list[_Bar] = []
        self._first_s: float | None = None

    def rewind(self, bars: int) -> None:
        """Forget all but the first bars: the others are written again."""
        del self._bars[bars:]
        if not any(bar.notes for bar in self._bars):
            self._first_s = None

    def open_bar(self) -> None:
        """Begin the next bar."""
        self._bars.append(_Bar(np.zeros(len(_BIN_LOG_ODDS), np.int64)))

    def bias(self, tick: int, ahead: Float64) -> float:
        """Return the number for a draw at a tick of the bar.

        Args:
            tick: Where the draw is.
            ahead: Log-odds of the places of the bar that it may take.
        """
        second, bar_s = self._second(tick), self._bar_s(len(self._bars) - 1)
        beat_s = bar_s / v.BEATS_PER_BAR
        now_per_s = self._wanted.between(second, second + beat_s)
        if now_per_s <= 0.0:
            return -BIAS_LIMIT
        begun_s = self._begun_s(second)
        if begun_s is None:
            return 0.0
        owed = self._wanted.until(second) - self._wanted.until(begun_s) - sum(bar.notes for bar in self._bars)
        span_s = min(HORIZON_BARS * bar_s, max((self._wanted.end_s - second) / LAST_HORIZONS, beat_s))
        offered, seconds = self._remembered(ahead)
        return _solved(offered, (now_per_s + owed / span_s) * seconds / self._notes_a_place())

    def passed(self, log_odds: Float64, expected: float) -> None:
        """Take note of the places that a draw went by, up to and with the one it took.

        Args:
            log_odds: As the network gave them.
            expected: How many of them were expected to be taken, by the chances that they were drawn with.
        """
        self._bars[-1].offered += _binned(log_odds)
        self._bars[-1].expected += expected

    def wrote_note(self, tick: int) -> None:
        """Take note of a note at a tick of the bar."""
        self._bars[-1].notes += 1
        if self._first_s is None:
            self._first_s = self._second(tick)

    def _begun_s(self, second: float) -> float | None:
        """Return since when notes are owed: the first note, or the end of the longest silence that is waited for."""
        if self._first_s is not None:
            return self._first_s
        patience = float(self._bar_seconds[min(PATIENCE_BARS, len(self._bar_seconds) - 1)])
        return patience if second >= patience else None

    def _remembered(self, ahead: Float64) -> tuple[NDArray[np.int64], float]:
        """Return the places of the last bars and of those ahead in this one, by log-odds, and their seconds."""
        offered, seconds = _binned(ahead), len(ahead) * self._bar_s(len(self._bars) - 1)
        for number in range(max(0, len(self._bars) - MEMORY_BARS), len(self._bars)):
            own = self._bars[number].offered
            offered += own
            seconds += float(own.sum()) * self._bar_s(number)
        return offered, seconds / v.TICKS_PER_BAR

    def _notes_a_place(self) -> float:
        """Return the notes that came of each place that was expected: stacks make more."""
        last = self._bars[-MEMORY_BARS:]
        notes, expected = sum(bar.notes for bar in last), sum(bar.expected for bar in last)
        share = (notes + _PRIOR_NOTES) / (expected + _PRIOR_NOTES)
        return float(np.clip(share, _FEWEST_NOTES_A_PLACE, _MOST_NOTES_A_PLACE))

    def _second(self, tick: int) -> float:
        bar = len(self._bars) - 1
        return float(self._bar_seconds[bar]) + tick / v.TICKS_PER_BAR * self._bar_s(bar)

    def _bar_s(self, bar: int) -> float:
        return float(self._bar_seconds[bar + 1] - self._bar_seconds[bar])


def place_log_odds(logits: Float64) -> Float64 | None:
    """Return the log-odds of each POS against all that would skip it, (192,); -inf where it is not allowed.

    Returns:
        None where no place, or no end of the bar, is among the choices: there is nothing to pace.
    """
    ends = logits[[v.BAR, v.EOS]]
    places = logits[v.POS.slice]
    peak = places.max()
    if ends.max() == -np.inf or peak == -np.inf:
        return None
    peak = max(float(peak), float(ends.max()))
    chances = np.exp(np.append(places, ends.max()) - peak)
    left = np.cumsum(chances[::-1])[::-1]
    with np.errstate(divide="ignore"):
        odds = np.log(chances[:-1]) - np.log(np.maximum(left[1:], 1e-300))
    return np.where(places > -np.inf, np.clip(odds, -_SURE, _SURE), -np.inf)


def chance(log_odds: Float64) -> Float64:
    """Return the probability of log-odds."""
    return 1.0 / (1.0 + np.exp(-log_odds))


def _solved(offered: NDArray[np.int64], places: float) -> float:
    """Return the bias under which so many places are expected to be taken, within the limits."""
    held = offered > 0
    log_odds, counts = _BIN_LOG_ODDS[held], offered[held]
    low, high = -BIAS_LIMIT, BIAS_LIMIT
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if float(chance(log_odds + middle) @ counts) < places:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _binned(log_odds: Float64) -> NDArray[np.int64]:
    bins = np.rint((log_odds + _SURE) * _BINS_A_UNIT).astype(np.int64)
    return np.bincount(bins, minlength=len(_BIN_LOG_ODDS))
