"""Montages: how the channels of a recording become the channels a model sees.

Belongs here: which channel is made of which, with what weight, and what is known about it. Does not belong here: what
a file calls its channels (`recordings`), filters, the spline weights (`interpolation.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.signal.interpolation import spline_weights
from bgb_assets.runtime.errors import BadInput

MontageName = Literal["referential19", "average19", "bipolar18"]
Kind = Literal["referential", "bipolar"]

MEASURED, INTERPOLATED, DERIVED, ABSENT = 0, 1, 2, 3
"""What a channel is: recorded, filled by splines, solved from bipolar pairs, or not there (zero, masked)."""

FEWEST_ELECTRODES = 8
_DECIMALS = 12
_ELECTRODE = {name: index for index, name in enumerate(CANONICAL)}


@dataclass(frozen=True, eq=False)
class Montage:
    """A linear map from recorded channels to the channels of a montage.

    Attributes:
        names: Of the channels it gives.
        matrix: (channels given, channels recorded) weights.
        states: Of each channel given: `MEASURED`, `INTERPOLATED`, `DERIVED` or `ABSENT`.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    states: tuple[int, ...]

    def apply(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the montage's channels of a (recorded channels, samples) block.

        Weighted channels are added one by one: a matrix product would round otherwise with every number of threads
        and every length of block.
        """
        given = np.zeros((len(self.names), block.shape[1]))
        for row, weights in zip(given, self.matrix, strict=True):
            for source in np.flatnonzero(weights):
                row += block[source] if weights[source] == 1.0 else weights[source] * block[source]
        return given


def build_montage(
    names: Sequence[str],
    kind: Kind,
    wanted: MontageName,
    max_interpolated: int = 4,
    reference: str | None = None,
) -> Montage:
    """Return the montage of a recording with these channels.

    Args:
        names: Recorded electrodes ("Fp1"), or pairs ("Fp1-F3") where the kind is bipolar.
        kind: What the names are.
        wanted: The montage to make.
        max_interpolated: So many absent electrodes are filled by splines; where more are absent, none is.
        reference: The one of the 19 that all others were measured against: known to be zero, and in no channel.

    Raises:
        BadInput: Fewer than 8 electrodes were recorded.
    """
    pairs = [_pair(name) for name in names] if kind == "bipolar" else []
    zero = [reference] if reference in CANONICAL and reference not in names and kind == "referential" else []
    _check_enough({electrode for pair in pairs for electrode in pair} if kind == "bipolar" else {*names, *zero})
    electrodes = _from_pairs(pairs) if kind == "bipolar" else _from_electrodes([*names, *zero], max_interpolated)
    if zero:
        electrodes = Montage(CANONICAL, electrodes.matrix[:, : len(names)], electrodes.states)
    if wanted == "referential19":
        return electrodes
    if wanted == "average19":
        return _average(electrodes)
    return _double_banana(electrodes, pairs)


def _check_enough(recorded: set[str]) -> None:
    if len(recorded) >= FEWEST_ELECTRODES:
        return
    found = [name for name in CANONICAL if name in recorded]
    missing = [name for name in CANONICAL if name not in recorded]
    raise BadInput(
        f"{len(found)} electrodes of the 10-20 system were recorded, expected at least {FEWEST_ELECTRODES}; "
        f"found {found!r}, missing {missing!r}",
        "use a scalp recording with more electrodes, or exclude this one",
    )


def _from_electrodes(names: list[str], max_interpolated: int) -> Montage:
    """Return the 19 electrodes against the recording's own reference."""
    matrix = np.zeros((len(CANONICAL), len(names)))
    states = np.full(len(CANONICAL), ABSENT)
    for column, name in enumerate(names):
        matrix[_ELECTRODE[name], column] = 1.0
        states[_ELECTRODE[name]] = MEASURED
    absent = [name for name in CANONICAL if name not in names]
    if 0 < len(absent) <= max_interpolated:
        rows = [_ELECTRODE[name] for name in absent]
        matrix[rows] = spline_weights(names, absent)
        states[rows] = INTERPOLATED
    return Montage(CANONICAL, matrix, tuple(states.tolist()))


def _from_pairs(pairs: list[tuple[str, str]]) -> Montage:
    """Return the 19 electrodes that explain the pairs best, with a mean of zero in each connected group.

    The pseudo-inverse leaves what pairs cannot tell, a voltage common to a group, at zero.
    """
    recorded = _pair_matrix(pairs)
    matrix = np.asarray(np.linalg.pinv(recorded).round(_DECIMALS) + 0.0, np.float64)
    covered = np.abs(recorded).sum(axis=0) > 0
    states = tuple(np.where(covered, DERIVED, ABSENT).tolist())
    return Montage(CANONICAL, matrix, states)


def _average(electrodes: Montage) -> Montage:
    """Return the electrodes less the mean of those that were not filled in."""
    states = np.array(electrodes.states)
    real = (states == MEASURED) | (states == DERIVED)
    mean = electrodes.matrix[real].mean(axis=0)
    matrix = np.where((states == ABSENT)[:, None], 0.0, electrodes.matrix - mean)
    return Montage(CANONICAL, matrix.round(_DECIMALS) + 0.0, electrodes.states)


def _double_banana(electrodes: Montage, recorded: list[tuple[str, str]]) -> Montage:
    """Return the 18 pairs: as recorded, or as the difference of two electrodes."""
    matrix = np.zeros((len(BIPOLAR18), electrodes.matrix.shape[1]))
    states = []
    for row, pair in enumerate(BIPOLAR18):
        if pair in recorded:
            matrix[row, recorded.index(pair)] = 1.0
            states.append(MEASURED)
            continue
        first, second = (_ELECTRODE[name] for name in pair)
        state = max(electrodes.states[first], electrodes.states[second])
        if state == DERIVED and not _tells(recorded, pair):
            state = ABSENT
        if state != ABSENT:
            matrix[row] = electrodes.matrix[first] - electrodes.matrix[second]
        states.append(state)
    return Montage(tuple("-".join(pair) for pair in BIPOLAR18), matrix.round(_DECIMALS) + 0.0, tuple(states))


def _tells(recorded: list[tuple[str, str]], pair: tuple[str, str]) -> bool:
    """Say whether the recorded pairs lead from one electrode of the pair to the other."""
    reached = {pair[0]}
    for _ in recorded:
        reached |= {electrode for known in recorded if reached & set(known) for electrode in known}
    return pair[1] in reached


def _pair_matrix(pairs: list[tuple[str, str]]) -> NDArray[np.float64]:
    matrix = np.zeros((len(pairs), len(CANONICAL)))
    for row, (first, second) in enumerate(pairs):
        matrix[row, _ELECTRODE[first]] = 1.0
        matrix[row, _ELECTRODE[second]] = -1.0
    return matrix


def _pair(name: str) -> tuple[str, str]:
    first, _, second = name.partition("-")
    return first, second
