"""A timeline of probabilities becomes events: smoothed, two thresholds with hysteresis, too short ones dropped.

Belongs here: the rules on a whole timeline, at any rate. Does not belong here: the same rules on a stream
(`live_events`), thresholds' tuning (`scoring`), files of events (`export`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bgb_assets.runtime.errors import ConfigError, ContractError

TIMELINE_HZ = 16.0
"""Steps per second of the timelines that detectors give."""

FIXED_POINT = 2.0**32
"""Probabilities are summed as integers of this many parts, so that a sum does not depend on where it began: a stream
and a whole timeline cross a threshold at the same step. Every float32 above 2^-8 is held exactly."""

Floats = npt.NDArray[np.floating]
Spans = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PostprocessParams:
    """How events are cut out of a timeline; all lengths in seconds.

    Attributes:
        tau_on: An event begins at the first step of a run of at least `enter_s` at or above this.
        tau_off: It ends at the first step of a run of at least `leave_s` below this.
        smooth_s: Length of the centred mean that comes first.
        enter_s: See `tau_on`.
        leave_s: See `tau_off`.
        opening_s: Events shorter than this vanish, where it is longer than one step.
        closing_s: Then gaps shorter than this are filled, where it is longer than one step.
        min_event_s: Then events shorter than this are dropped.
        merge_gap_s: Last, events with no more than this between them become one. There is no upper limit to their
            length.
    """

    tau_on: float = 0.86
    tau_off: float = 0.78
    smooth_s: float = 2.0
    enter_s: float = 0.5
    leave_s: float = 1.0
    opening_s: float = 0.043
    closing_s: float = 0.121
    min_event_s: float = 3.0
    merge_gap_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0.0 < self.tau_off <= self.tau_on <= 1.0:
            raise ConfigError(
                f"thresholds must be 0 < tau_off <= tau_on <= 1, got {self.tau_off!r} and {self.tau_on!r}"
            )
        lengths = {name: value for name, value in vars(self).items() if name.endswith("_s")}
        wrong = {name: value for name, value in lengths.items() if not 0.0 <= value < float("inf")}
        if wrong:
            raise ConfigError(f"lengths must be finite seconds of 0 or more, got {wrong!r}")


@dataclass(frozen=True, eq=False)
class Detected:
    """Events cut out of one timeline, in order, none touching another.

    Attributes:
        spans: (k, 2) int64, first step and the step after the last.
        confidence: (k,) float64, mean of the probabilities within, before smoothing.
        rate_hz: Steps per second.
    """

    spans: Spans
    confidence: npt.NDArray[np.float64]
    rate_hz: float

    @property
    def events(self) -> npt.NDArray[np.float64]:
        """(k, 2) onset and offset in seconds from the first step."""
        return self.spans / self.rate_hz


def events_of(
    probabilities: Floats,
    params: PostprocessParams,
    rate_hz: float = TIMELINE_HZ,
    valid: npt.NDArray[np.bool_] | None = None,
) -> Detected:
    """Return the events of a timeline.

    Args:
        probabilities: (steps,) in [0, 1]; NaN means "not evaluated".
        params: Thresholds and lengths.
        rate_hz: Steps per second.
        valid: (steps,) False where a step is not evaluated. No mean, run, event or merging crosses such a step.

    Raises:
        ContractError: A probability is outside [0, 1], or the mask has another shape.
    """
    valid = evaluated(probabilities, valid)
    spans = spans_of(smoothed(probabilities, params.smooth_s, rate_hz, valid), params, rate_hz)
    return Detected(spans, _means(probabilities, spans, valid), rate_hz)


def evaluated(probabilities: Floats, valid: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
    """Return which steps are evaluated: (steps,).

    Raises:
        ContractError: An evaluated probability is outside [0, 1], or the mask has another shape.
    """
    given = np.ones(len(probabilities), dtype=bool) if valid is None else np.asarray(valid, dtype=bool)
    if np.ndim(probabilities) != 1 or given.shape != np.shape(probabilities):
        raise ContractError(f"a timeline of shape {np.shape(probabilities)!r} with a mask of {given.shape!r}")
    used: npt.NDArray[np.bool_] = given & ~np.isnan(probabilities)
    inside = np.where(used, probabilities, 0.0)
    if inside.size and not (inside.min() >= 0.0 and inside.max() <= 1.0):
        raise ContractError(f"probabilities must lie in [0, 1], got {inside.min()!r} to {inside.max()!r}")
    return used


def smoothed(
    probabilities: Floats, smooth_s: float, rate_hz: float, valid: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the centred mean of each stretch of evaluated steps, NaN between them: (steps,).

    The mean of step i covers the `width` steps from i - width // 2 on; at the ends of a stretch what there is of them.
    """
    width = max(1, round(smooth_s * rate_hz))
    out = np.full(len(valid), np.nan)
    for first, last in runs(valid):
        sums = _cumulative(probabilities[first:last])
        steps = np.arange(last - first)
        low = np.maximum(steps - width // 2, 0)
        high = np.minimum(steps - width // 2 + width, last - first)
        out[first:last] = (sums[high] - sums[low]) / ((high - low) * FIXED_POINT)
    return out


def spans_of(smooth: npt.NDArray[np.float64], params: PostprocessParams, rate_hz: float = TIMELINE_HZ) -> Spans:
    """Return the events of a smoothed timeline: (k, 2) first step and the step after the last.

    Apart from `events_of`, so that many thresholds can be tried on a timeline smoothed once.
    """
    found = [
        first + _tidied(_hysteresis(smooth[first:last], params, rate_hz), params, rate_hz)
        for first, last in runs(~np.isnan(smooth))
    ]
    return np.concatenate([np.empty((0, 2), dtype=np.int64), *found])


def runs(mask: npt.NDArray[np.bool_]) -> Spans:
    """Return where a mask is True: (k, 2) first step and the step after the last."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges.reshape(-1, 2).astype(np.int64, copy=False)


def steps_at_least(seconds: float, rate_hz: float) -> int:
    """Return the fewest steps, at least one, that last so many seconds.

    The small allowance keeps 0.1 s at 10 Hz at one step, whatever 0.1 * 10 is in binary.
    """
    return max(1, int(np.ceil(seconds * rate_hz - 1e-9)))


def steps_at_most(seconds: float, rate_hz: float) -> int:
    """Return the most steps that last no longer than so many seconds."""
    return int(np.floor(seconds * rate_hz + 1e-9))


def _hysteresis(smooth: npt.NDArray[np.float64], params: PostprocessParams, rate_hz: float) -> Spans:
    """Return spans of one stretch between entering and leaving, or its end."""
    enters = _first_of_runs(smooth >= params.tau_on, steps_at_least(params.enter_s, rate_hz))
    leaves = _first_of_runs(smooth < params.tau_off, steps_at_least(params.leave_s, rate_hz))
    # Every mark sets the state; only those that change it matter. The stretch begins outside and ends outside.
    places = np.concatenate([enters, leaves])
    inside = np.concatenate([np.ones(len(enters), dtype=bool), np.zeros(len(leaves), dtype=bool)])
    order = np.argsort(places)
    changes = order[np.diff(inside[order], prepend=False)]
    marks = places[changes]
    if len(marks) % 2:
        marks = np.append(marks, len(smooth))
    return marks.reshape(-1, 2)


def _first_of_runs(mask: npt.NDArray[np.bool_], least: int) -> npt.NDArray[np.int64]:
    return _without_short(runs(mask), least)[:, 0]


def _tidied(spans: Spans, params: PostprocessParams, rate_hz: float) -> Spans:
    """Return spans after opening, closing, dropping the short and merging the near, in this order."""
    if params.opening_s * rate_hz > 1.0:
        spans = _without_short(spans, round(params.opening_s * rate_hz))
    if params.closing_s * rate_hz > 1.0:
        spans = _merged(spans, round(params.closing_s * rate_hz) - 1)
    spans = _without_short(spans, steps_at_least(params.min_event_s, rate_hz))
    return _merged(spans, steps_at_most(params.merge_gap_s, rate_hz))


def _without_short(spans: Spans, least: int) -> Spans:
    kept: Spans = spans[spans[:, 1] - spans[:, 0] >= least]
    return kept


def _merged(spans: Spans, gap: int) -> Spans:
    """Return spans, those with no more than `gap` steps between them united."""
    if len(spans) < 2:
        return spans
    apart = spans[1:, 0] - spans[:-1, 1] > gap
    return np.column_stack([spans[np.append(True, apart), 0], spans[np.append(apart, True), 1]])


def _means(probabilities: Floats, spans: Spans, valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the mean probability of each span: (k,). Spans hold evaluated steps only."""
    sums = _cumulative(np.where(valid, probabilities, 0.0))
    means: npt.NDArray[np.float64] = np.diff(sums[spans])[:, 0] / (np.diff(spans)[:, 0] * FIXED_POINT)
    return means


def _cumulative(probabilities: Floats) -> npt.NDArray[np.int64]:
    """Return sums of the first 0, 1, ... steps in fixed point: (steps + 1,). Enough for 2^31 steps."""
    sums = np.zeros(len(probabilities) + 1, dtype=np.int64)
    np.cumsum(fixed_point(probabilities), out=sums[1:])
    return sums


def fixed_point(probabilities: Floats) -> npt.NDArray[np.int64]:
    """Return probabilities as integers, in parts of 2^-32."""
    parts: npt.NDArray[np.int64] = np.rint(np.asarray(probabilities, dtype=np.float64) * FIXED_POINT).astype(np.int64)
    return parts
