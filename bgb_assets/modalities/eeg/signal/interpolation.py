"""Spherical splines: what an absent electrode would have measured, from the ones that did.

Belongs here: where the electrodes lie on a head, and the weights. Does not belong here: which electrodes are filled
(`montage.py`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

POSITIONS_MM: Mapping[str, tuple[float, float, float]] = {
    "Fp1": (-29.4367, 83.9171, -6.99),
    "F3": (-50.2438, 53.1112, 42.192),
    "C3": (-65.3581, -11.6317, 64.358),
    "P3": (-53.0073, -78.7878, 55.94),
    "F7": (-70.2629, 42.4743, -11.42),
    "T3": (-84.1611, -16.0187, -9.346),
    "T5": (-72.4343, -73.4527, -2.487),
    "O1": (-29.4134, -112.449, 8.839),
    "Fz": (0.3122, 58.512, 66.462),
    "Cz": (0.4009, -9.167, 100.244),
    "Pz": (0.3247, -81.115, 82.615),
    "Fp2": (29.8723, 84.8959, -7.08),
    "F4": (51.8362, 54.3048, 40.814),
    "C4": (67.1179, -10.9003, 63.58),
    "P4": (55.6667, -78.5602, 56.561),
    "F8": (73.0431, 44.4217, -12.0),
    "T4": (85.0799, -15.0203, -9.49),
    "T6": (73.0557, -73.0683, -2.54),
    "O2": (29.8426, -112.156, 8.8),
}
"""Right, front, up on the Colin27 head: MNE's montage `standard_1020`, after Oostenveld and Praamstra 2001."""

ORIGIN_MM = (0.900, -15.586, 4.908)
"""Middle of the sphere that lies closest to these positions (least squares)."""

_STIFFNESS = 4
_LEGENDRE_TERMS = 50
_REGULARISATION = 1e-5
_DECIMALS = 12
"""Weights are rounded so far, so that libraries of linear algebra do not show in the signal's bytes."""


def spline_weights(measured: Sequence[str], absent: Sequence[str]) -> NDArray[np.float64]:
    """Return the (absent, measured) weights of spherical splines; each row sums to 1.

    Perrin, Pernier, Bertrand and Echallier 1989 (Electroencephalography and Clinical Neurophysiology 72:184-187) with
    splines of order 4, 50 terms and a regularisation of 1e-5, as in MNE.
    """
    known, wanted = _directions(measured), _directions(absent)
    count = len(measured)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = _spline(known @ known.T) + _REGULARISATION * np.eye(count)
    system[count, count] = 0.0
    right = np.ones((count + 1, len(absent)))
    right[:count] = _spline(known @ wanted.T)
    weights = np.linalg.solve(system, right)[:count].T
    return np.asarray(weights.round(_DECIMALS), np.float64)


def _directions(names: Sequence[str]) -> NDArray[np.float64]:
    places = np.array([POSITIONS_MM[name] for name in names], np.float64).reshape(-1, 3) - ORIGIN_MM
    return np.asarray(places / np.linalg.norm(places, axis=1, keepdims=True), np.float64)


def _spline(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return g of the cosines of angles between electrodes: Perrin's equation 3."""
    order = np.arange(1, _LEGENDRE_TERMS + 1, dtype=np.float64)
    factors = (2 * order + 1) / ((order * (order + 1)) ** _STIFFNESS * 4 * np.pi)
    values: NDArray[np.float64] = np.polynomial.legendre.legval(cosines, np.concatenate([[0.0], factors]))
    return values
