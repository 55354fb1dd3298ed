"""What the first bytes of a NIfTI file say: grid, voxel type, scaling and where left and right are.

Belongs here: NIfTI-1 and -2 in either byte order, single files, and what their header alone makes impossible. Does not
belong here: judging what a header says (`qc`), voxels (`volumes`). nibabel takes the fields apart and makes affines;
slope and offset are read from the bytes, as it resets both in the header objects of its images.
"""

import math
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.scans.flags import bad
from bgb_assets.modalities.mri.scans.gzip_stream import beginning, head_of
from bgb_assets.modalities.mri.scans.limits import LIMITS, Limits

HEAD_BYTES = 1024
"""More than the larger header with its extension flag; what is inflated to read one."""

_HEADERS = {348: (1, 348, b"n+1\x00", b"ni1\x00", 352), 540: (2, 540, b"n+2\x00", b"ni2\x00", 544)}
"""`sizeof_hdr` -> version, bytes, magic of single files, magic of pairs, least place of the voxels."""
_MAGIC_AT = {1: 344, 2: 4}
_UNUSABLE = {0: "unknown", 1: "1 bit", 32: "complex64", 128: "RGB", 1536: "float128", 1792: "complex128"} | {
    2048: "complex256",
    2304: "RGBA",
}
_AXES = ("LR", "PA", "IS")
ORIENTATIONS = frozenset("".join(ends) for axes in permutations(_AXES) for ends in product(*axes))
"""All 48 names of orientations, such as RAS: where the first, second and third voxel axis point to."""


@dataclass(frozen=True)
class Reading:
    """What somebody said about a file that it does not say itself.

    Attributes:
        volume: Which volume of several is meant, counted from 0; None where the file has one.
        orientation: Where the voxel axes point to, such as RAS, where the header has neither qform nor sform.
    """

    volume: int | None = None
    orientation: str | None = None


AS_STORED = Reading()


@dataclass(frozen=True, eq=False)
class Header:
    """What a header says.

    Attributes:
        version: 1 or 2.
        shape: Voxels along x, y, z; then further axes, without trailing ones of length 1.
        pixdim_mm: Voxel sizes as stored, which may be wrong.
        dtype: Of the voxels as stored, byte order included.
        slope: Effective factor: 1 where the stored one is 0 or not finite.
        inter: Effective offset: `slope * stored + inter` is a voxel's value.
        affine: (4, 4) float64, voxel to RAS+ world in mm: the sform, else the qform, else axes of the stated or
            nibabel's default orientation about the centre. NaN where it cannot be made.
        qform: (4, 4), or None where qform_code is 0.
        qform_code: 0 where the header does not say.
        sform_code: 0 where the header does not say.
        assumed: The orientation that was used because the header has none, or None.
        vox_offset: Bytes before the voxels.
    """

    version: int
    shape: tuple[int, ...]
    pixdim_mm: tuple[float, float, float]
    dtype: np.dtype[Any]
    slope: float
    inter: float
    affine: NDArray[np.float64]
    qform: NDArray[np.float64] | None
    qform_code: int
    sform_code: int
    assumed: str | None
    vox_offset: int

    @property
    def oriented(self) -> bool:
        """Whether left and right are known."""
        return self.qform_code > 0 or self.sform_code > 0 or self.assumed is not None

    @property
    def zooms_mm(self) -> tuple[float, float, float]:
        """Voxel sizes by the affine: the lengths of its columns."""
        x, y, z = (float(length) for length in np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)))
        return x, y, z

    @property
    def orientation(self) -> str:
        """Where the voxel axes point to, such as RAS."""
        from nibabel.orientations import aff2axcodes

        return "".join(str(code) for code in aff2axcodes(self.affine))  # type: ignore[no-untyped-call]

    @property
    def obliquity_deg(self) -> float:
        """The largest angle between a voxel axis and the nearest world axis."""
        from nibabel.affines import obliquity

        return float(np.degrees(obliquity(self.affine)).max())  # type: ignore[no-untyped-call]

    @property
    def volumes(self) -> int:
        """How many three-dimensional volumes the file holds."""
        return math.prod(self.shape[3:])

    @property
    def volume_bytes(self) -> int:
        """Bytes of the voxels of one volume."""
        return math.prod(self.shape[:3]) * self.dtype.itemsize

    @property
    def file_bytes(self) -> int:
        """Bytes up to the last voxel, inflated."""
        return self.vox_offset + self.volume_bytes * self.volumes

    def as_json(self) -> dict[str, Any]:
        """Return what is written into records, in JSON types."""
        return {
            "shape": list(self.shape),
            "zooms_mm": list(self.zooms_mm),
            "dtype": self.dtype.newbyteorder("<").name,
            "slope": self.slope,
            "inter": self.inter,
            "affine": self.affine.tolist(),
            "qform_code": self.qform_code,
            "sform_code": self.sform_code,
            "orientation": self.orientation,
            "obliquity_deg": self.obliquity_deg,
        }


def read_header(source: bytes | Path, reading: Reading = AS_STORED, limits: Limits = LIMITS) -> Header:
    """Return the header of a file, or of what a file begins with; inflates at most 1 KiB.

    Raises:
        BadScan: `empty_file`, `not_nifti`, `header_only` (the pair of header and image), `gzip_truncated`,
            `gzip_crc`, `bad_dtype`, `too_large`, `non_finite` (the offset of scaled values).
    """
    head = beginning(source, HEAD_BYTES) if isinstance(source, Path) else head_of(source, HEAD_BYTES)
    version = _version(head)
    fields = _fields(head, version)
    shape = _shape(fields, limits)
    pixdim = tuple(float(size) for size in fields["pixdim"][1:4])
    qform, affine = _affines(fields, version, shape, reading.orientation)
    coded = fields["qform_code"] > 0 or fields["sform_code"] > 0
    header = Header(
        version=version,
        shape=shape,
        pixdim_mm=(pixdim[0], pixdim[1], pixdim[2]),
        dtype=_dtype(fields),
        slope=_slope(fields)[0],
        inter=_slope(fields)[1],
        affine=affine,
        qform=qform,
        qform_code=int(fields["qform_code"]),
        sform_code=int(fields["sform_code"]),
        assumed=None if coded else reading.orientation,
        vox_offset=_vox_offset(fields, version, limits),
    )
    if header.file_bytes > limits.max_inflated_bytes:
        raise bad(
            "too_large",
            f"the header claims {header.file_bytes} bytes in shape {shape}, at most {limits.max_inflated_bytes}",
            header.file_bytes,
        )
    return header


def _version(head: bytes) -> int:
    """Return 1 or 2; the byte order is that in which the first four bytes make sense."""
    if not head:
        raise bad("empty_file", "no bytes")
    sizes = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    known = next((_HEADERS[size] for size in sorted(sizes) if size in _HEADERS), None)
    if known is None or len(head) < 4:
        raise bad("not_nifti", f"sizeof_hdr is {head[:4]!r}, expected 348 or 540 in either byte order")
    version, size, single, pair, _ = known
    if len(head) < size:
        raise bad("data_short", f"{len(head)} bytes, fewer than the header's {size}", len(head))
    magic = head[_MAGIC_AT[version] : _MAGIC_AT[version] + 4]
    if magic == pair:
        raise bad("header_only", f"magic {magic!r}: the header of a pair of files, without its voxels")
    if magic != single:
        raise bad("not_nifti", f"magic is {magic!r}, expected {single!r}")
    return version


def _fields(head: bytes, version: int) -> Any:
    """Return nibabel's header over the first bytes."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    made = Nifti1Header if version == 1 else Nifti2Header
    fields: Any = made(head[: 348 if version == 1 else 540], check=False)  # type: ignore[no-untyped-call]
    # 0 and nonsense mean 1 (NIfTI-1, "pixdim[0]"); nibabel would refuse to make a qform.
    if fields["pixdim"][0] not in (-1, 1):
        fields["pixdim"][0] = 1
    return fields


def _shape(fields: Any, limits: Limits) -> tuple[int, ...]:
    n_axes = int(fields["dim"][0])
    axes = [int(length) for length in fields["dim"][1 : n_axes + 1]] if 1 <= n_axes <= 7 else []
    if not axes or min(axes) < 1:
        raise bad("not_nifti", f"dim is {fields['dim'].tolist()}, expected 1 to 7 axes of at least 1 voxel")
    axes += [1] * (3 - len(axes))
    if max(axes[:3]) > limits.max_axis:
        raise bad("too_large", f"the header claims shape {tuple(axes)}, at most {limits.max_axis} an axis", max(axes))
    while len(axes) > 3 and axes[-1] == 1:
        axes.pop()
    return tuple(axes)


def _dtype(fields: Any) -> np.dtype[Any]:
    code = int(fields["datatype"])
    if code in _UNUSABLE:
        raise bad("bad_dtype", f"datatype is {code} ({_UNUSABLE[code]}), expected whole or real numbers", code)
    try:
        dtype: np.dtype[Any] = fields.get_data_dtype()
    except KeyError as error:
        raise bad("bad_dtype", f"datatype is {code}, which NIfTI does not know", code) from error
    return dtype


def _slope(fields: Any) -> tuple[float, float]:
    slope, inter = float(fields["scl_slope"]), float(fields["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(inter):
        raise bad("non_finite", f"scl_inter is {inter!r} where scl_slope is {slope!r}")
    return slope, inter + 0.0


def _vox_offset(fields: Any, version: int, limits: Limits) -> int:
    least = _HEADERS[348 if version == 1 else 540][4]
    stored = float(fields["vox_offset"])
    if stored > limits.max_offset_bytes:
        raise bad("too_large", f"vox_offset is {stored!r}, at most {limits.max_offset_bytes}", stored)
    # 0 stands for the least, as in nibabel: some writers leave it out.
    offset = int(stored) if math.isfinite(stored) else -1
    if offset != 0 and offset < least:
        raise bad("not_nifti", f"vox_offset is {stored!r}, expected at least {least}")
    return offset or least


def _affines(
    fields: Any, version: int, shape: tuple[int, ...], orientation: str | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
    """Return the qform or None, and the affine that counts."""
    qform = _qform(fields) if fields["qform_code"] > 0 else None
    if fields["sform_code"] > 0:
        return qform, _no_negative_zero(fields.get_sform())
    if qform is not None:
        return qform, qform
    zooms = np.asarray(fields["pixdim"][1:4], dtype=np.float64)
    return None, _axes_about_centre(zooms, shape, orientation or "LAS")


def _qform(fields: Any) -> NDArray[np.float64]:
    """Return the qform; NaN where its numbers make no rotation."""
    from nibabel.spatialimages import HeaderDataError

    try:
        with np.errstate(all="ignore"):
            return _no_negative_zero(fields.get_qform())
    except (HeaderDataError, ValueError):
        return np.full((4, 4), np.nan)


def _axes_about_centre(zooms: NDArray[np.float64], shape: tuple[int, ...], orientation: str) -> NDArray[np.float64]:
    """Return the affine of axes that point as said, with the world's origin in the centre of the grid."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    for axis, end in enumerate(orientation):
        row = next(row for row, ends in enumerate(_AXES) if end in ends)
        affine[row, axis] = zooms[axis] * (1.0 if end in "RAS" else -1.0)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape[:3]) - 1) / 2)
    return _no_negative_zero(affine)


def _no_negative_zero(affine: Any) -> NDArray[np.float64]:
    """Return float64 without -0.0, so that equal affines have equal bytes."""
    return np.asarray(affine, dtype=np.float64) + 0.0
