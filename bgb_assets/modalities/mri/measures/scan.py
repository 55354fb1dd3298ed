"""All figures of one scan's prediction.

Belongs here: what a row of the per-scan table says about the prediction. Does not belong here: the definitions
(`overlap`, `surface`), which scan it was and who predicted (`aggregates`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bgb_assets.modalities.mri.measures.overlap import Mask, Overlap, match_lesions, overlap
from bgb_assets.modalities.mri.measures.surface import hd95_mm

SCORER_VERSION = "1"
"""Raise it when a figure's definition changes: figures of two versions are never compared."""


@dataclass(frozen=True)
class ScanFigures:
    """The figures of one prediction, class lesion, on one grid; None where a figure has no value."""

    tp: int
    fp: int
    fn: int
    tn: int
    lesion_dice: float
    macro_dice: float
    avd: float | None
    mcc: float
    lesion_f1: float
    count_difference: int
    hd95_mm: float | None

    def to_json(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return asdict(self)

    @property
    def overlap(self) -> Overlap:
        """The counts."""
        return Overlap(self.tp, self.fp, self.fn, self.tn)


def measure_scan(prediction: Mask, truth: Mask, spacing_mm: Sequence[float]) -> ScanFigures:
    """Compare two masks on one grid.

    Args:
        prediction: (x, y, z).
        truth: (x, y, z).
        spacing_mm: Distance of neighbouring voxels along each axis.

    Raises:
        ValueError: No masks on one grid, or a spacing that is not positive.
    """
    counts, lesions = overlap(prediction, truth), match_lesions(prediction, truth)
    return ScanFigures(
        **vars(counts),
        lesion_dice=counts.lesion_dice(),
        macro_dice=counts.macro_dice(),
        avd=counts.avd(),
        mcc=counts.mcc(),
        lesion_f1=lesions.lesion_f1(),
        count_difference=lesions.count_difference(),
        hd95_mm=hd95_mm(prediction, truth, spacing_mm),
    )
