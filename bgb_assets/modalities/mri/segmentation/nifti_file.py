"""NIfTI files on the grid of a given scan, byte for byte the same whenever they are made.

Belongs here: a header like the scan's, and the file. Does not belong here: the voxels (`native`), reading
(`scans.nifti`).
"""

import gzip
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bgb_assets.modalities.mri.scans.gzip_stream import beginning
from bgb_assets.modalities.mri.scans.nifti import HEAD_BYTES, Header

_SIZES = {1: (348, 352), 2: (540, 544)}
"""NIfTI version -> bytes of the header, and where voxels begin behind it."""
_BLANK = {
    **dict.fromkeys(("db_name", "aux_file", "intent_name", "data_type"), b""),
    **dict.fromkeys(("cal_min", "cal_max", "toffset", "slice_duration", "scl_inter"), 0),
    **dict.fromkeys(("slice_code", "slice_start", "slice_end", "intent_code", "dim_info"), 0),
    "scl_slope": 1,
}
"""What a scan's header says of its intensities, its acquisition and perhaps its patient."""
_LEVEL = 6


def like_scan(path: Path, header: Header, voxels: NDArray[Any], description: str) -> bytes:
    """Return a compressed file of other voxels on the grid of a scan.

    Shape, qform and sform with their codes, voxel sizes and units are the scan's; so is the NIfTI version. Nothing
    else of its header is kept. The compressed stream names no time and no file.

    Args:
        path: The scan.
        header: Its header.
        voxels: (i, j, k), in the order of the scan's own axes; uint8 or float32.
        description: What the file is, at most 79 bytes.
    """
    fields = _fields(path, header)
    fields.set_data_shape(voxels.shape)
    fields.set_data_dtype(voxels.dtype)
    fields["pixdim"][4:] = 1
    fields["vox_offset"] = _SIZES[header.version][1]
    fields["descrip"] = description.encode("ascii")
    for name, value in _BLANK.items():
        if name in fields.keys():  # noqa: SIM118 - nibabel's header is no mapping
            fields[name] = value
    if header.version == 1:
        fields["magic"] = b"n+1"
    no_extension = bytes(4)
    stored = voxels.astype(voxels.dtype.newbyteorder("<"), copy=False)
    return gzip.compress(fields.binaryblock + no_extension + stored.tobytes(order="F"), _LEVEL, mtime=0)


def _fields(path: Path, header: Header) -> Any:
    """Return the scan's own header, little-endian, to be written over."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    made = Nifti1Header if header.version == 1 else Nifti2Header
    head = beginning(path, HEAD_BYTES)[: _SIZES[header.version][0]]
    fields: Any = made(head, check=False)  # type: ignore[no-untyped-call]
    return fields if fields.endianness == "<" else fields.as_byteswapped("<")
