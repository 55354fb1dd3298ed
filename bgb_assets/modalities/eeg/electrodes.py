"""The electrodes of the 10-20 system that every montage is made of.

Belongs here: names, their order, their places on a flat head, the pairs of the double banana. Does not belong here:
what a file calls them (`recordings.naming`).
"""

from collections.abc import Mapping
from itertools import pairwise

RATE_HZ = 256
"""Rate of all signals from stage features on."""

CANONICAL = (
    *("Fp1", "F3", "C3", "P3", "F7", "T3", "T5", "O1", "Fz", "Cz"),
    *("Pz", "Fp2", "F4", "C4", "P4", "F8", "T4", "T6", "O2"),
)
"""The 19 in montage order."""

_LEFT_AND_MIDLINE: Mapping[str, tuple[float, float]] = {
    "Fp1": (-0.31, 0.95),
    "F3": (-0.40, 0.50),
    "C3": (-0.50, 0.0),
    "P3": (-0.40, -0.50),
    "F7": (-0.81, 0.59),
    "T3": (-1.0, 0.0),
    "T5": (-0.81, -0.59),
    "O1": (-0.31, -0.95),
    "Fz": (0.0, 0.50),
    "Cz": (0.0, 0.0),
    "Pz": (0.0, -0.50),
}
_MIRROR = {"Fp2": "Fp1", "F4": "F3", "C4": "C3", "P4": "P3", "F8": "F7", "T4": "T3", "T6": "T5", "O2": "O1"}
FLAT_POSITIONS: Mapping[str, tuple[float, float]] = {
    **_LEFT_AND_MIDLINE,
    **{right: (-_LEFT_AND_MIDLINE[left][0], _LEFT_AND_MIDLINE[left][1]) for right, left in _MIRROR.items()},
}
"""(x, y) on a flat head of radius 1 seen from above, nose up."""

_CHAINS = (
    ("Fp1", "F3", "C3", "P3", "O1"),
    ("Fp1", "F7", "T3", "T5", "O1"),
    ("Fz", "Cz", "Pz"),
    ("Fp2", "F4", "C4", "P4", "O2"),
    ("Fp2", "F8", "T4", "T6", "O2"),
)
BIPOLAR18 = tuple((first, second) for chain in _CHAINS for first, second in pairwise(chain))
"""The pairs of the double banana, first minus second."""
