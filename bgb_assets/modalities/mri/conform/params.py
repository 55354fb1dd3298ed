"""What the conformed volume of a scan depends on.

Belongs here: the params of stage features and their defaults. Does not belong here: what is done with them (`grid`,
`resample`, `normalise`, `stored`).
"""

import math
from dataclasses import dataclass
from typing import Literal

from bgb_assets.runtime.errors import ConfigError

Interpolation = Literal["linear", "nearest"]
Normalisation = Literal["minmax", "p99", "zscore"]
Store = Literal["f16", "u16"]


@dataclass(frozen=True)
class ConformParams:
    """What the features depend on.

    Attributes:
        shape: Voxels of the conformed volume along x, y and z (right, anterior, superior).
        zoom_mm: Edge of its voxels.
        interpolation: Of the image; a mask always takes its nearest voxel.
        normalise: `minmax` over the whole padded volume, `p99` (clipped at the 0.1 and 99.9 percentile of the
            non-zero voxels, then as `minmax`) or `zscore` (of the non-zero voxels).
        store: `f16`, normalised values as float16, or `u16`, intensities as uint16 steps above the smallest.
        resample_mismatched: Whether a mask on another grid than its image's is resampled in world space; else it is
            refused.
        allow_empty: Whether a mask without a lesion is taken for a head without one; else it is refused.
    """

    shape: tuple[int, int, int] = (256, 256, 256)
    zoom_mm: float = 1.0
    interpolation: Interpolation = "linear"
    normalise: Normalisation = "minmax"
    store: Store = "f16"
    resample_mismatched: bool = False
    allow_empty: bool = False

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or not all(isinstance(n, int) and 1 <= n <= 1024 for n in self.shape):
            raise ConfigError(f"shape must be three whole numbers of 1 to 1024, got {self.shape!r}")
        if not (math.isfinite(self.zoom_mm) and self.zoom_mm > 0):
            raise ConfigError(f"zoom_mm must be positive, got {self.zoom_mm!r}")
        for name, known in (
            ("interpolation", ("linear", "nearest")),
            ("normalise", ("minmax", "p99", "zscore")),
            ("store", ("f16", "u16")),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {known!r}, got {getattr(self, name)!r}")
