"""Stage `notes`: one scan as one row: its grid and intensities, its lesion, and who it is of.

A lesion's volume is computed here and nowhere else, once per mask; a mask that cannot be read or judged is refused,
never taken for one of volume 0.

Belongs here: the stage and the row. Does not belong here: the schema (`lesions.schemas`), measuring a lesion
(`lesions.components`), the conformed volume (`features`, which is not read). Next in the flow: `manifest`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bgb_assets.modalities.contract import StageResult
from bgb_assets.modalities.mri.conform.content import content_flags
from bgb_assets.modalities.mri.conform.opened import Opened, open_role
from bgb_assets.modalities.mri.conform.resample import memory_order
from bgb_assets.modalities.mri.lesions.bins import VOLUME_EDGES_MM3, checked_edges, volume_bin
from bgb_assets.modalities.mri.lesions.components import measure_lesion
from bgb_assets.modalities.mri.raw import SCAN_FILE
from bgb_assets.modalities.mri.scans.flags import Flag, refuse
from bgb_assets.runtime import monitoring

_FACTS = {
    "subject_id": "subject",
    "session_id": "session",
    "modality": "modality",
    "acquisition": "acquisition",
    "pair_method": "pair_method",
}
_LESION_COLUMNS = (
    *("lesion_voxels_native", "lesion_volume_mm3", "lesion_components", "largest_component_mm3"),
    *("lesion_centroid_mm", "lesion_bbox_ijk", "lesion_left_fraction", "volume_bin"),
)

Row = dict[str, Any]


def __getattr__(name: str) -> Any:
    """Return `TABLES`, the schemas, imported when asked for: describing the modality imports no pyarrow."""
    if name == "TABLES":
        from bgb_assets.modalities.mri.lesions.schemas import TABLES

        return TABLES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class NotesParams:
    """What the row depends on besides the scan.

    Attributes:
        volume_edges_mm3: Upper edges, inclusive, of the bins of lesion volume.
        allow_empty: Whether a mask without a lesion is taken for a head without one; else it is refused.
    """

    volume_edges_mm3: tuple[float, ...] = VOLUME_EDGES_MM3
    allow_empty: bool = False

    def __post_init__(self) -> None:
        checked_edges(self.volume_edges_mm3)


def run(inputs: Mapping[str, Path], params: NotesParams, out: Path) -> StageResult:
    """Write `scans.parquet`; the facet `notes` digests the row, so that another Parquet writer changes nothing.

    Raises:
        BadScan: What reading the files raises, and `non_finite`, `constant_image`, `mask_empty`, `mask_labels`,
            `mask_huge`.
    """
    from bgb_assets.modalities.mri.lesions.schemas import write_scan

    image = open_role(inputs["cache"], "image")
    mask = open_role(inputs["cache"], "mask")
    leading = image or mask
    if leading is None:
        return StageResult(absent="neither image nor mask")
    flags = content_flags(image, mask, allow_empty=params.allow_empty)
    refuse(flags)
    scan = orjson.loads((inputs["raw"] / SCAN_FILE).read_bytes())
    row = {
        **{column: scan[name] for column, name in _FACTS.items()},
        **_grid_columns(leading),
        **_image_columns(image),
        **_mask_columns(mask, params.volume_edges_mm3),
        "qc_flags": _codes(scan["flags"], flags),
        "participant": scan["participant"],
    }
    write_scan(row, out)
    digest = hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()
    kept = ("lesion_voxels_native", "lesion_volume_mm3", "lesion_components", "volume_bin", "qc_flags")
    return StageResult(
        facets={"notes": digest},
        metadata={name: row[name] for name in kept},
        warnings=tuple(flag.message for flag in flags),
    )


def _grid_columns(leading: Opened) -> Row:
    header = leading.volume.header
    return {
        "native_shape": list(leading.shape),
        "voxel_size_mm": list(header.zooms_mm),
        "orientation": header.orientation,
        "obliquity_deg": header.obliquity_deg,
    }


def _image_columns(image: Opened | None) -> Row:
    """Return digest, type and intensities; the median is that of the head: the voxels that are not 0."""
    names = ("image_volume_digest", "image_dtype", "intensity_min", "intensity_max", "intensity_p50_head")
    if image is None:
        return dict.fromkeys(names)
    _, flips = memory_order(image.stored)
    forwards = image.stored[flips]
    ends = image.scaling.values(np.array([forwards.min(), forwards.max()])).tolist()
    head = image.scaling.values(image.stored[image.non_zero])
    dtype = image.volume.header.dtype.newbyteorder("<").name
    median = float(np.median(head))
    return dict(zip(names, (image.digest, dtype, min(ends), max(ends), median), strict=True))


def _mask_columns(mask: Opened | None, edges_mm3: tuple[float, ...]) -> Row:
    """Return digest and lesion, on the mask's own grid."""
    if mask is None:
        return dict.fromkeys(("mask_volume_digest", *_LESION_COLUMNS))
    monitoring.count("lesion_volumes")
    lesion = measure_lesion(mask.lesion, mask.affine)
    values = (
        *(lesion.voxels, lesion.volume_mm3, lesion.components, lesion.largest_mm3),
        *(lesion.centroid_mm, lesion.bbox_ijk, lesion.left_fraction, volume_bin(lesion.volume_mm3, edges_mm3)),
    )
    return {"mask_volume_digest": mask.digest, **dict(zip(_LESION_COLUMNS, values, strict=True))}


def _codes(of_raw: Sequence[Mapping[str, Any]], found: Sequence[Flag]) -> list[str]:
    """Return the codes of all that was told, each once, sorted."""
    return sorted({flag["code"] for flag in of_raw} | {flag.code for flag in found})
