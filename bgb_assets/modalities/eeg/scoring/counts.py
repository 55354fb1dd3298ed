"""What a scorer counted, and the figures that follow from it.

Belongs here: sums and ratios. Does not belong here: counting (`szcore`, `nedc`), intervals (`training.intervals`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400.0
COLUMNS = ("tp", "fp", "reference", "duration_s")
"""Of `Counts.row`, and of the tables (..., 4) that the figures are taken of."""


@dataclass(frozen=True)
class Counts:
    """Of one recording, or summed over several.

    Attributes:
        tp: References found; a sum of shares with `nedc_taes`, samples or epochs with `szcore_sample`, `nedc_epoch`.
        fp: Hypotheses that are false, in the same unit.
        reference: References there are.
        duration_s: Time that was scored.
    """

    tp: float
    fp: float
    reference: float
    duration_s: float

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(self.row, other.row, strict=True)))

    @property
    def row(self) -> tuple[float, float, float, float]:
        """The counts in the order of `COLUMNS`."""
        return self.tp, self.fp, self.reference, self.duration_s

    @property
    def fn(self) -> float:
        """References missed."""
        return self.reference - self.tp

    @property
    def sensitivity(self) -> float | None:
        """Share of the references that were found; None without references."""
        return _known(sensitivity(self._table))

    @property
    def precision(self) -> float | None:
        """Share of what was detected that is right, tp / (tp + fp); None where nothing was."""
        return _known(precision(self._table))

    @property
    def f1(self) -> float | None:
        """2 tp / (2 tp + fp + fn); None where there is neither a reference nor a false alarm."""
        return _known(f1(self._table))

    @property
    def false_alarms_per_day(self) -> float | None:
        """False positives in 24 hours; None where no time was scored."""
        return _known(false_alarms_per_day(self._table))

    @property
    def _table(self) -> NDArray[np.float64]:
        return np.array(self.row)


def sensitivity(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (...) of counts (..., 4); NaN where it is undefined, as in all figures here."""
    return _divided(table[..., 0], table[..., 2])


def precision(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (...) of counts (..., 4)."""
    return _divided(table[..., 0], table[..., 0] + table[..., 1])


def f1(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (...) of counts (..., 4): as 2 tp + fp + fn = tp + fp + reference."""
    return _divided(2 * table[..., 0], table[..., 0] + table[..., 1] + table[..., 2])


def false_alarms_per_day(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (...) of counts (..., 4)."""
    return _divided(table[..., 1] * DAY_S, table[..., 3])


def _divided(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return out


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
