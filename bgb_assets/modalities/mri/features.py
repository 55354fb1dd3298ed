"""Stage `features`: one scan on the conformed grid, image and mask, as files that training maps in place.

Belongs here: which files are read, in which order, and what is said about them. Does not belong here: the steps
themselves (package `conform`), lesion volumes (`notes`). Next in the flow: `tokens` lists these files.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.contract import StageResult
from bgb_assets.modalities.mri.conform.content import content_flags, crop_flags, grid_flags
from bgb_assets.modalities.mri.conform.cropping import lost_image_share, lost_voxels, lost_voxels_in_world
from bgb_assets.modalities.mri.conform.grid import AxisMaps, Grid, conformed_grid
from bgb_assets.modalities.mri.conform.normalise import range_of
from bgb_assets.modalities.mri.conform.opened import Opened, open_role
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.conform.resample import nearest_mask, nearest_mask_in_world, resample_image
from bgb_assets.modalities.mri.conform.stored import (
    IMAGE_FILE,
    MASK_FILE,
    VOLUME_FILE,
    image_array,
    mask_bits,
    u16_step,
    write_array,
)
from bgb_assets.modalities.mri.scans.flags import Flag, refuse
from bgb_assets.runtime import monitoring


@dataclass
class _Conforming:
    """One scan on its way: its grid, and what is known of it so far."""

    params: ConformParams
    out: Path
    grid: Grid
    maps: AxisMaps
    described: dict[str, Any]
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    flags: list[Flag] = field(default_factory=list)

    def judge(self, found: list[Flag]) -> None:
        """Remember what is only told, and refuse the scan for the rest."""
        self.flags += found
        refuse(found)

    def write(self, name: str, array: NDArray[Any]) -> None:
        self.digest.update(write_array(self.out / name, array).encode())


def run(inputs: Mapping[str, Path], params: ConformParams, out: Path) -> StageResult:
    """Write `image.npy`, `mask.npy` and `volume.json`; of a scan without one of both, only the other.

    A mask lies on the grid of its image; one without an image is conformed by its own affine.

    Raises:
        BadScan: What reading the files raises, and `non_finite`, `constant_image`, `mask_grid`, `mask_empty`,
            `mask_labels`, `mask_huge`, `crop_loss`.
    """
    image = open_role(inputs["cache"], "image")
    mask = open_role(inputs["cache"], "mask")
    leading = image or mask
    if leading is None:
        return StageResult(absent="neither image nor mask")
    monitoring.count("scans_conformed")
    scan = _begin(leading, params, out)
    moved = grid_flags(image, mask)
    if moved and params.resample_mismatched:
        scan.flags += [flag.allowed("resample_mismatched") for flag in moved]
    else:
        scan.judge(moved)
    scan.judge(content_flags(image, mask, allow_empty=params.allow_empty))
    if image is not None:
        _conform_image(scan, image)
    if mask is not None:
        _conform_mask(scan, mask, moved=bool(moved))
    return _finished(scan)


def _begin(leading: Opened, params: ConformParams, out: Path) -> _Conforming:
    grid, maps = conformed_grid(leading.shape, leading.affine, params.shape, params.zoom_mm)
    described = {
        "shape": list(grid.shape),
        "zoom_mm": params.zoom_mm,
        "affine": grid.affine.tolist(),
        "native_shape": list(leading.shape),
        "native_affine": leading.affine.tolist(),
        "orientation": leading.volume.header.orientation,
        "interpolation": params.interpolation,
        "normalise": params.normalise,
        "store": params.store,
        "image_volume": None,
        "mask_volume": None,
        "interpolated": not all(axis_map.is_shift for axis_map in maps),
        **dict.fromkeys(("lo", "hi", "centre", "scale", "step")),
        "total_voxels": math.prod(grid.shape),
        **dict.fromkeys(("lesion_voxels", "lesion_voxels_native")),
        "mask_resampled": False,
    }
    return _Conforming(params, out, grid, maps, described)


def _conform_image(scan: _Conforming, image: Opened) -> None:
    """Write `image.npy` and describe it."""
    lost = lost_image_share(image.stored, image.scaling, scan.maps)
    scan.judge(crop_flags(0, lost))
    support = resample_image(image.stored, image.scaling, scan.maps, scan.params.interpolation)
    found = range_of(support, scan.params.normalise)
    scan.write(IMAGE_FILE, image_array(support, found, scan.params.store))
    scan.described |= {
        "image_volume": image.digest,
        "lo": found.lo,
        "hi": found.hi,
        "centre": found.centre,
        "scale": found.scale,
        "step": u16_step(support, found) if scan.params.store == "u16" else None,
    }


def _conform_mask(scan: _Conforming, mask: Opened, *, moved: bool) -> None:
    """Write `mask.npy` and describe it."""
    if moved:
        lost = lost_voxels_in_world(mask.lesion, mask.affine, scan.grid)
        conformed, box = nearest_mask_in_world(mask.lesion, mask.affine, scan.grid)
    else:
        lost = lost_voxels(mask.lesion, scan.maps)
        conformed, box = nearest_mask(mask.lesion, scan.maps)
    scan.judge(crop_flags(lost, 0.0))
    scan.write(MASK_FILE, mask_bits(conformed, box, scan.grid.shape))
    scan.described |= {
        "mask_volume": mask.digest,
        "lesion_voxels": int(np.count_nonzero(conformed)),
        "lesion_voxels_native": mask.lesion_voxels,
        "mask_resampled": moved,
    }


def _finished(scan: _Conforming) -> StageResult:
    scan.described["flags"] = [flag.as_json() for flag in scan.flags]
    text = json.dumps(scan.described, indent=1, sort_keys=True, allow_nan=False) + "\n"
    (scan.out / VOLUME_FILE).write_text(text, encoding="utf-8")
    scan.digest.update(text.encode())
    kept = ("lesion_voxels", "lesion_voxels_native", "total_voxels", "interpolated", "mask_resampled", "orientation")
    return StageResult(
        facets={"volume": scan.digest.hexdigest()},
        metadata={**{name: scan.described[name] for name in kept}, "flags": [flag.code for flag in scan.flags]},
        warnings=tuple(_warnings(scan)),
    )


def _warnings(scan: _Conforming) -> list[str]:
    told = [flag.message for flag in scan.flags]
    if scan.described["lesion_voxels_native"] and not scan.described["lesion_voxels"]:
        told.append("mask: too small for the grid, no conformed voxel is lesion")
    return told
