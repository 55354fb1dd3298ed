"""A scan that no store knows, read and judged like an upload, and conformed as for training.

Belongs here: one file to the volume that a network sees. Does not belong here: the steps (`scans`, `conform`), what
the network makes of it (`inference`, next in the flow).
"""

from dataclasses import dataclass
from pathlib import Path

from bgb_assets.modalities.mri.conform.content import content_flags, crop_flags
from bgb_assets.modalities.mri.conform.cropping import lost_image_share
from bgb_assets.modalities.mri.conform.grid import AxisMaps, Grid, conformed_grid
from bgb_assets.modalities.mri.conform.normalise import range_of
from bgb_assets.modalities.mri.conform.opened import Opened
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.conform.resample import Box, Floats, resample_image
from bgb_assets.modalities.mri.conform.stored import image_array, normalised_image, u16_step
from bgb_assets.modalities.mri.scans import qc
from bgb_assets.modalities.mri.scans.flags import BadScan, Flag, bad, refuse
from bgb_assets.modalities.mri.scans.limits import LIMITS, Limits
from bgb_assets.modalities.mri.scans.nifti import AS_STORED, Reading, read_header
from bgb_assets.modalities.mri.scans.volumes import open_voxels, volume_digest
from bgb_assets.modalities.mri.scans.wholeness import check_whole
from bgb_assets.runtime.errors import UsageError


@dataclass(frozen=True, eq=False)
class ReadScan:
    """One scan as delivered.

    Attributes:
        path: Its file.
        opened: Header and numbers, three axes.
        flags: What is odd about it; nothing that is grave.
    """

    path: Path
    opened: Opened
    flags: tuple[Flag, ...]


@dataclass(frozen=True, eq=False)
class Conformed:
    """One scan as a network sees it.

    Attributes:
        image: Normalised values (X, Y, Z), rounded as the stored volumes of training are.
        grid: Where its voxels lie.
        maps: Where its axes lie in the scan.
        support: The box of the volume that lies inside the scan; the rest is padding.
        flags: What is odd about the cut.
    """

    image: Floats
    grid: Grid
    maps: AxisMaps
    support: Box
    flags: tuple[Flag, ...]


def read_scan(path: Path, reading: Reading = AS_STORED, limits: Limits = LIMITS) -> ReadScan:
    """Read a scan whole and judge it by all that an upload's image is judged by.

    Raises:
        UsageError: There is no such file.
        BadScan: What headers, the end of the file and its voxels show to be wrong; see `scans.flags`.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file; give a scan, .nii or .nii.gz")
    try:
        header = read_header(path, reading, limits)
        found = [*qc.header_flags(header, reading), *check_whole(path, header, limits)]
        refuse(found)
        volume = open_voxels(path, reading, limits)
        if volume.voxels.ndim != 3:
            raise bad("not_3d", f"shape {volume.voxels.shape}, expected three axes", list(volume.voxels.shape))
        opened = Opened(volume, volume_digest(path, reading, limits))
    except BadScan as error:
        raise BadScan(*(flag.about(path.name) for flag in error.flags)) from error
    flags = [*(flag.about("image") for flag in found), *content_flags(opened, None, allow_empty=False)]
    refuse(flags)
    return ReadScan(path, opened, tuple(flags))


def conform_scan(scan: ReadScan, params: ConformParams) -> Conformed:
    """Return a scan on the conformed grid, normalised and rounded as stage features stores it.

    Raises:
        BadScan: `constant_image`.
    """
    opened = scan.opened
    grid, maps = conformed_grid(opened.shape, opened.affine, params.shape, params.zoom_mm)
    support = resample_image(opened.stored, opened.scaling, maps, params.interpolation)
    found = range_of(support, params.normalise)
    described = {
        **{name: getattr(found, name) for name in ("lo", "centre", "scale")},
        "step": u16_step(support, found) if params.store == "u16" else None,
    }
    image = normalised_image(image_array(support, found, params.store), described)
    flags = crop_flags(0, lost_image_share(opened.stored, opened.scaling, maps))
    return Conformed(image, grid, maps, support.box, tuple(flags))
