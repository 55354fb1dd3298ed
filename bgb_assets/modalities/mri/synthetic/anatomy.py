"""A made-up head as functions of a place in the world: tissue, folds, ventricles, a lesion.

As everything is a function of millimetres, a head can be cut on any grid, oblique ones included. It looks like a T2w
image and is like no person's: ellipsoids, and sums of sines.

Belongs here: the values. Does not belong here: grids and files (`scan_file`), who has which lesion (`plan`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(..., 3) millimetres: right, anterior, superior."""
Field = NDArray[np.float64]

SCALP, SKULL, FLUID, GREY, WHITE, LESION = 420.0, 60.0, 900.0, 470.0, 330.0, 760.0
"""Intensities, before shading and noise."""
HEAD_RADII_MM = (75.0, 92.0, 72.0)
BRAIN, CORTEX = 0.88, 0.70
"""Shares of the head's radius within which brain and white matter lie."""
NOISE_SD = 14.0

_FOLDS, _FOLD_WAVELENGTHS_MM = 10, (14.0, 34.0)
_RAGGED_WAVELENGTHS_MM = (10.0, 26.0)
_VENTRICLE_RADII_MM = (6.0, 27.0, 11.0)
_VENTRICLE_X_MM = 12.0
_RIM = 0.12
"""Of a lesion's radius over which it fades into its surroundings."""


@dataclass(frozen=True, eq=False)
class Waves:
    """A smooth random field: a sum of sines with variance of about a half.

    Attributes:
        per_mm: (n, 3) directions, in radians per millimetre.
        phase: (n,).
    """

    per_mm: NDArray[np.float64]
    phase: NDArray[np.float64]

    def at(self, points: Points) -> Field:
        """Return the field at places."""
        total = np.zeros(points.shape[:-1])
        for direction, phase in zip(self.per_mm, self.phase, strict=True):
            total += np.sin(points @ direction + phase)
        return np.asarray(total / np.sqrt(len(self.phase)), np.float64)


@dataclass(frozen=True, eq=False)
class Person:
    """One made-up head with one lesion.

    Attributes:
        radii_mm: Of the head.
        folds: Where the cortex folds.
        shade: Direction in which a coil makes the image brighter, per millimetre.
        lesion_mm: Centre of the lesion.
        lesion_radius_mm: Mean radius.
        ragged: How its border strays.
    """

    radii_mm: NDArray[np.float64]
    folds: Waves
    shade: NDArray[np.float64]
    lesion_mm: NDArray[np.float64]
    lesion_radius_mm: float
    ragged: Waves


def draw_person(rng: np.random.Generator, lesion_radius_mm: float) -> Person:
    """Return a head with a lesion of about that radius in one of its halves."""
    radii = np.array(HEAD_RADII_MM) * rng.uniform(0.94, 1.05)
    side = rng.choice([-1.0, 1.0])
    # Far enough inside that most of it is brain.
    reach = np.maximum(radii * BRAIN - lesion_radius_mm - 6.0, 8.0)
    place = np.array([side * rng.uniform(0.7, 1.0), rng.uniform(-0.6, 0.6), rng.uniform(-0.2, 0.6)]) * reach
    folds = _draw_waves(rng, _FOLD_WAVELENGTHS_MM)
    shade = rng.normal(size=3) * 0.001
    return Person(radii, folds, shade, place, lesion_radius_mm, _draw_waves(rng, _RAGGED_WAVELENGTHS_MM))


def lesion_share(person: Person, points: Points) -> Field:
    """Return how much of each place is lesion: 1 inside, 0 outside, between both at its rim."""
    distance = np.linalg.norm(points - person.lesion_mm, axis=-1) / person.lesion_radius_mm
    edge = 1.0 + 0.22 * person.ragged.at(points)
    share = np.clip((edge - distance) / _RIM + 0.5, 0.0, 1.0)
    return np.where(_depth(person, points) < BRAIN - 0.03, share, 0.0)


def intensity(person: Person, points: Points) -> Field:
    """Return the intensity at places, shaded, without noise; 0 outside the head."""
    depth = _depth(person, points)
    folded = depth + 0.055 * person.folds.at(points)
    value = np.where(folded < CORTEX, WHITE, np.where(folded < BRAIN - 0.05, GREY, FLUID))
    value = np.where(_in_ventricles(person, points), FLUID, value)
    share = lesion_share(person, points)
    value = value + share * (LESION - value)
    value = np.where(depth < BRAIN, value, np.where(depth < 0.94, SKULL, SCALP))
    return np.where(depth < 1.0, value * (1.0 + points @ person.shade), 0.0)


def _depth(person: Person, points: Points) -> Field:
    """Return 0 in the middle of the head, 1 at its surface."""
    found: Field = np.linalg.norm(points / person.radii_mm, axis=-1)
    return found


def _in_ventricles(person: Person, points: Points) -> NDArray[np.bool_]:
    scale = person.radii_mm[0] / HEAD_RADII_MM[0]
    apart = np.abs(points[..., 0]) - _VENTRICLE_X_MM * scale
    place = np.stack([apart, points[..., 1], points[..., 2] - 6.0], axis=-1)
    inside: NDArray[np.bool_] = np.linalg.norm(place / (np.array(_VENTRICLE_RADII_MM) * scale), axis=-1) < 1.0
    return inside


def _draw_waves(rng: np.random.Generator, wavelengths_mm: tuple[float, float]) -> Waves:
    directions = rng.normal(size=(_FOLDS, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = rng.uniform(*wavelengths_mm, size=(_FOLDS, 1))
    return Waves(2 * np.pi * directions / lengths, rng.uniform(0.0, 2 * np.pi, size=_FOLDS))
