"""Lesions by size: five bins of volume, the strata of splits and of every evaluation.

Belongs here: the edges and the rule. Does not belong here: measuring a volume (`components`).
"""

import bisect
import math

from bgb_assets.runtime.errors import ConfigError

VOLUME_EDGES_MM3 = (33_619.0, 67_891.0, 128_314.0)
"""Upper edges, inclusive, of bins 1, 2 and 3."""


def checked_edges(edges_mm3: tuple[float, ...]) -> tuple[float, ...]:
    """Return the edges.

    Raises:
        ConfigError: There is none, or they are not rising positive numbers.
    """
    rising = all(low < high for low, high in zip((0.0, *edges_mm3), edges_mm3, strict=False))
    if not edges_mm3 or not rising or not math.isfinite(edges_mm3[-1]):
        raise ConfigError(f"volume_edges_mm3 must be rising positive numbers, got {edges_mm3!r}")
    return edges_mm3


def volume_bin(volume_mm3: float, edges_mm3: tuple[float, ...] = VOLUME_EDGES_MM3) -> int:
    """Return the bin of a lesion's volume: 0 without a lesion, else 1 to `len(edges_mm3) + 1`."""
    return 0 if volume_mm3 == 0 else 1 + bisect.bisect_left(edges_mm3, volume_mm3)
