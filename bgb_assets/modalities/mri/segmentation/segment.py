"""One scan in, its lesion out: read, conform, ask the networks, and bring the answer back to the scan's own grid.

Belongs here: the steps in order, the threshold, what is too small to count. Does not belong here: the steps themselves
(`conforming`, `inference`, `native`), files (`results`, next in the flow).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.resample import Floats
from bgb_assets.modalities.mri.lesions.components import Lesion, measure_lesion
from bgb_assets.modalities.mri.scans.flags import Flag
from bgb_assets.modalities.mri.scans.nifti import AS_STORED, Reading
from bgb_assets.modalities.mri.segmentation.conforming import Conformed, ReadScan, conform_scan, read_scan
from bgb_assets.modalities.mri.segmentation.inference import Engine, lesion_probability
from bgb_assets.modalities.mri.segmentation.native import to_native
from bgb_assets.modalities.mri.segmentation.trained import TrainedModels
from bgb_assets.runtime.errors import ConfigError


@dataclass(frozen=True)
class SegmentParams:
    """What a mask depends on besides scan and models.

    Attributes:
        threshold: A voxel is lesion where its probability is above.
        min_component_mm3: Pieces of less volume are left out; 26 neighbours hang together.
        fast_crop: Whether only the box of the head is looked at; not exact.
    """

    threshold: float = 0.5
    min_component_mm3: float = 0.0
    fast_crop: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ConfigError(f"threshold must be 0 or more and below 1, got {self.threshold!r}")
        if not 0 <= self.min_component_mm3 < np.inf:
            raise ConfigError(f"min_component_mm3 must be 0 or more, got {self.min_component_mm3!r}")


@dataclass(frozen=True, eq=False)
class Segmented:
    """A scan and what was found in it.

    Attributes:
        scan: As delivered.
        conformed: As the networks saw it.
        probability: Of lesion, on the scan's grid, (i, j, k).
        lesion: The mask, on the scan's grid, (i, j, k).
        measured: The mask in numbers.
        left_out: Pieces that were too small.
        params: What was asked for.
        engine: How the probability was computed.
        models: What identifies the models.
    """

    scan: ReadScan
    conformed: Conformed
    probability: Floats
    lesion: NDArray[np.bool_]
    measured: Lesion
    left_out: int
    params: SegmentParams
    engine: Engine
    models: tuple[Mapping[str, Any], ...]

    @property
    def flags(self) -> tuple[Flag, ...]:
        """All that is odd about the scan."""
        return (*self.scan.flags, *self.conformed.flags)


def segment(
    path: Path,
    models: TrainedModels,
    params: SegmentParams | None = None,
    *,
    reading: Reading = AS_STORED,
    max_bytes: int | None = None,
    device: str = "auto",
) -> Segmented:
    """Outline the lesion of a scan on the scan's own grid.

    Args:
        path: A NIfTI file.
        models: One or several; of several the mean of their probabilities counts.
        params: Threshold and least volume.
        reading: Which volume of several, and the orientation of a scan that does not say it.
        max_bytes: What features may take; see `inference`.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        UsageError: There is no such file, or no engine fits into the bound.
        BadScan: The scan is wrong; see `scans.flags`.
        TrainingError: A network gives something that is no number.
    """
    asked = params or SegmentParams()
    scan = read_scan(path, reading)
    conformed = conform_scan(scan, models.conform)
    found, engine = lesion_probability(
        models.networks, conformed.image, max_bytes=max_bytes, device=device, crop=asked.fast_crop
    )
    probability = to_native(found, conformed.maps)
    affine = scan.opened.affine
    kept, left_out = without_small(probability > asked.threshold, voxel_mm3(affine), asked.min_component_mm3)
    measured = measure_lesion(kept, affine)
    return Segmented(scan, conformed, probability, kept, measured, left_out, asked, engine, models.said_as)


def without_small(lesion: NDArray[np.bool_], voxel_volume_mm3: float, min_mm3: float) -> tuple[NDArray[np.bool_], int]:
    """Return a mask without its pieces of less than `min_mm3`, and how many these were; 26 neighbours hang together."""
    if not min_mm3:
        return lesion, 0
    from scipy.ndimage import label

    numbers, count = label(lesion, structure=np.ones((3, 3, 3)))
    voxels = np.bincount(numbers.ravel(), minlength=count + 1)
    kept = voxels * voxel_volume_mm3 >= min_mm3
    kept[0] = False
    return kept[numbers], int(count - np.count_nonzero(kept))


def voxel_mm3(affine: NDArray[np.float64]) -> float:
    """Return the volume of a voxel."""
    return float(abs(np.linalg.det(affine[:3, :3])))
