"""Made-up scans as NIfTI files, byte for byte the same for the same numbers.

Belongs here: the files. Does not belong here: their voxels (`anatomy`), their forms (`forms`).
"""

import gzip
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.synthetic.forms import Affine, Form

DESCRIPTION = b"synthetic, bgb_assets"
"""In every header, so that a made-up scan says that it is one."""
SCANNER_CODE = 1

_VOXELS_AT = {1: 352, 2: 544}
_LEVEL = 9


def image_bytes(values: NDArray[np.float64], affine: Affine, form: Form) -> bytes:
    """Return intensities as int16, scaled as the form says."""
    stored = (values - form.inter) / form.slope if form.slope else values
    return _file(np.rint(stored).astype(np.int16), affine, form, form.slope, form.inter)


def mask_bytes(lesion: NDArray[np.bool_], affine: Affine, form: Form) -> bytes:
    """Return a mask as uint8, with the value for lesion and the scaling that the form says."""
    return _file(lesion.astype(np.uint8) * np.uint8(form.mask_value), affine, form, form.mask_slope, 0.0)


def _file(stored: NDArray[Any], affine: Affine, form: Form, slope: float, inter: float) -> bytes:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    made = Nifti1Header if form.version == 1 else Nifti2Header
    order: Literal["<", ">"] = ">" if form.big_endian else "<"
    header: Any = made(endianness=order)  # type: ignore[no-untyped-call]
    header.set_data_shape(stored.shape)
    header.set_data_dtype(stored.dtype)
    header.set_sform(affine, SCANNER_CODE)
    header.set_qform(affine, SCANNER_CODE)
    header.set_xyzt_units("mm")
    header["descrip"] = DESCRIPTION
    header["scl_slope"], header["scl_inter"] = slope, inter
    header["vox_offset"] = _VOXELS_AT[form.version]
    if form.version == 1:
        header["magic"] = b"n+1"
    voxels = stored.astype(stored.dtype.newbyteorder(order)).tobytes(order="F")
    return gzip.compress(header.binaryblock + bytes(4) + voxels, _LEVEL, mtime=0)
