"""A control beside every result: what the same method finds when the labels say nothing.

Belongs here: permuted labels, and what the permutations found. Does not belong here: training and scoring on them
(the caller's function).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Control:
    """What permuted labels gave.

    Attributes:
        observed: The figure with the labels as they are.
        permuted: (permutations,) the figure with labels permuted.
        p_value: Share of permutations at least as good, the observed one counted among them.
    """

    observed: float
    permuted: NDArray[np.float64]
    p_value: float

    def to_json(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {
            "observed": self.observed,
            "permuted_mean": float(self.permuted.mean()),
            "permuted_sd": float(self.permuted.std(ddof=1)) if len(self.permuted) > 1 else None,
            "permutations": len(self.permuted),
            "p_value": self.p_value,
        }


def label_permutation_control(
    figure: Callable[[NDArray[Any]], float],
    labels: NDArray[Any],
    groups: NDArray[Any] | None = None,
    *,
    permutations: int = 20,
    seed: int = 0,
) -> Control:
    """Evaluate a figure on permuted labels.

    Args:
        figure: Labels (n,) -> the figure, larger is better: trains and scores where the control is of a method.
        labels: (n,).
        groups: (n,) where samples of one group share a label: labels are then permuted over groups, so that a method
            that recognises groups across its own split is found out.
        permutations: How many.
        seed: Of the permutations.

    Raises:
        ValueError: A group has two labels, or no permutation is asked for.
    """
    if permutations < 1:
        raise ValueError(f"a control needs permutations, got {permutations}")
    permuted = np.array([figure(one) for one in permuted_labels(labels, groups, permutations=permutations, seed=seed)])
    observed = float(figure(labels))
    return Control(observed, permuted, float((1 + (permuted >= observed).sum()) / (1 + permutations)))


def permuted_labels(
    labels: NDArray[Any], groups: NDArray[Any] | None = None, *, permutations: int, seed: int
) -> NDArray[Any]:
    """Return (permutations, n) labels, permuted over samples, or over groups where these are given.

    Raises:
        ValueError: A group has two labels.
    """
    names = np.arange(len(labels)) if groups is None else groups
    _, first, place = np.unique(names, return_index=True, return_inverse=True)
    of_group = labels[first]
    if (torn := of_group[place] != labels).any():
        raise ValueError(f"group {names[torn].tolist()[0]!r} has two labels; permute samples, or label by group")
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.tile(of_group, (permutations, 1)), axis=1)
    return np.asarray(shuffled[:, place])
