"""The names of figures: a scorer, a figure, and for some a limit; never a text put together where it is needed.

A text such as `sensitivity_at_10.0fa` beside `sensitivity_at_10fa` is two keys for one thing, and the reader of the
wrong one finds nothing. Here a key is an object: equal limits are equal keys, a text is read by `parse_metric` only,
and asking for what does not exist is an error.

Belongs here: keys, and the container of what was found. Does not belong here: computing (`evaluation`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bgb_assets.runtime.errors import UsageError
from bgb_assets.training.intervals import Interval


class Scorer(StrEnum):
    """Who says so."""

    SZCORE_EVENT = "szcore_event"
    SZCORE_SAMPLE = "szcore_sample"
    SZCORE_BOARD = "szcore_board"
    NEDC_OVERLAP = "nedc_overlap"
    NEDC_TAES = "nedc_taes"
    NEDC_EPOCH = "nedc_epoch"
    TIMELINE = "timeline"
    """Probabilities at 16 Hz, before any event is cut out."""


class Figure(StrEnum):
    """What is said."""

    SENSITIVITY = "sensitivity"
    PRECISION = "precision"
    F1 = "f1"
    FALSE_ALARMS = "fa_per_24h"
    SENSITIVITY_STD = "sensitivity_std"
    PRECISION_STD = "precision_std"
    F1_STD = "f1_std"
    FALSE_ALARMS_STD = "fa_per_24h_std"
    SENSITIVITY_AT = "sensitivity_at_fa_per_24h"
    LATENCY = "latency_s"
    AUROC = "auroc"
    AUPRC = "auprc"
    ECE_WIDTH = "ece_width"
    ECE_MASS = "ece_mass"
    BRIER = "brier"


RATES = (Figure.SENSITIVITY, Figure.PRECISION, Figure.F1, Figure.FALSE_ALARMS)
STD_OF: Mapping[Figure, Figure] = {
    Figure.SENSITIVITY: Figure.SENSITIVITY_STD,
    Figure.PRECISION: Figure.PRECISION_STD,
    Figure.F1: Figure.F1_STD,
    Figure.FALSE_ALARMS: Figure.FALSE_ALARMS_STD,
}
FIGURES: Mapping[Scorer, tuple[Figure, ...]] = {
    Scorer.SZCORE_EVENT: RATES,
    Scorer.SZCORE_SAMPLE: RATES,
    Scorer.SZCORE_BOARD: (*RATES, *STD_OF.values()),
    Scorer.NEDC_OVERLAP: (*RATES, Figure.SENSITIVITY_AT, Figure.LATENCY),
    Scorer.NEDC_TAES: RATES,
    Scorer.NEDC_EPOCH: RATES,
    Scorer.TIMELINE: (Figure.AUROC, Figure.AUPRC, Figure.ECE_WIDTH, Figure.ECE_MASS, Figure.BRIER),
}
"""What each scorer says."""
FALSE_ALARM_LIMITS = (0.5, 1.0, 2.5, 5.0, 10.0)
"""False alarms in 24 hours at which the sensitivity is told."""
_WITH_LIMIT = re.compile(r"(\w+?)_sensitivity_at_(\d+(?:\.\d+)?)_fa_per_24h")


@dataclass(frozen=True)
class Metric:
    """A key.

    Attributes:
        scorer: Who says so.
        figure: What.
        limit: False alarms in 24 hours that `SENSITIVITY_AT` allows; None for all others.
    """

    scorer: Scorer
    figure: Figure
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.figure not in FIGURES[self.scorer]:
            raise UsageError(f"{self.scorer} has no {self.figure}; it has {', '.join(FIGURES[self.scorer])}")
        if (self.limit is not None) != (self.figure is Figure.SENSITIVITY_AT):
            raise UsageError(f"{self.scorer} {self.figure}: a limit is for {Figure.SENSITIVITY_AT}, got {self.limit!r}")

    @property
    def name(self) -> str:
        """The text in files and tables: `szcore_event_f1`, `nedc_overlap_sensitivity_at_10_fa_per_24h`."""
        if self.limit is None:
            return f"{self.scorer}_{self.figure}"
        return f"{self.scorer}_sensitivity_at_{self.limit:g}_fa_per_24h"


def parse_metric(name: str) -> Metric:
    """Return the key that a text names; `..._at_10_...` and `..._at_10.0_...` are one.

    Raises:
        UsageError: There is none.
    """
    if (found := _WITH_LIMIT.fullmatch(name)) and found[1] in set(Scorer):
        return Metric(Scorer(found[1]), Figure.SENSITIVITY_AT, float(found[2]))
    known = {metric.name: metric for metric in all_metrics()}
    if name not in known:
        raise UsageError(f"no metric {name!r}; there are {', '.join(known)}")
    return known[name]


def all_metrics(limits: Iterable[float] = FALSE_ALARM_LIMITS) -> list[Metric]:
    """Return every key there is, in the order of scorers and figures."""
    allowed = tuple(limits)
    return [
        Metric(scorer, figure, limit)
        for scorer, figures in FIGURES.items()
        for figure in figures
        for limit in (allowed if figure is Figure.SENSITIVITY_AT else (None,))
    ]


class Scores(Mapping[Metric, Interval]):
    """What was found, by key. Asking for what was not computed is an error, never 0."""

    def __init__(self, found: Mapping[Metric, Interval]) -> None:
        self._found = dict(found)

    def __getitem__(self, metric: Metric) -> Interval:
        if metric not in self._found:
            raise UsageError(f"{getattr(metric, 'name', metric)!r} was not computed; there are {', '.join(self.names)}")
        return self._found[metric]

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def names(self) -> list[str]:
        """The names of all keys."""
        return [metric.name for metric in self._found]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON holds: name -> value and its interval."""
        return {metric.name: interval.to_json() for metric, interval in self._found.items()}
