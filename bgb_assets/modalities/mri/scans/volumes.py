"""The voxels of one file, and the digest that says which volume it is.

Belongs here: reading voxels as they are stored, and the digest over them. Does not belong here: headers (`nifti`),
scaled values, grids and lesions.

Two files with one digest hold the same volume on the same grid: .nii or .nii.gz, either byte order, NIfTI-1 or -2,
whatever the compression, the description and the name. One voxel, one number of the affine, the slope or the shape
makes another.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.scans.flags import bad
from bgb_assets.modalities.mri.scans.gzip_stream import ScanBytes
from bgb_assets.modalities.mri.scans.limits import LIMITS, Limits
from bgb_assets.modalities.mri.scans.nifti import AS_STORED, Header, Reading, read_header


@dataclass(frozen=True, eq=False)
class Volume:
    """One volume as stored.

    Attributes:
        header: Its file's.
        voxels: (x, y, z), Fortran order, in the stored dtype and byte order, unscaled; of a file with several
            volumes, and none chosen, all axes.
    """

    header: Header
    voxels: NDArray[Any]


def open_voxels(path: Path, reading: Reading = AS_STORED, limits: Limits = LIMITS) -> Volume:
    """Read a file whole; of a compressed one, every CRC and length is checked.

    Raises:
        BadScan: What `read_header` raises, and `data_short`, `gzip_truncated`, `gzip_crc`, `not_3d` (no such volume).
    """
    header = read_header(path, reading, limits)
    shape, start, n_bytes = _wanted(header, reading)
    buffer = np.empty(n_bytes, dtype=np.uint8)
    filled = 0
    for block in _clipped(path, header, start, n_bytes, limits):
        buffer[filled : filled + len(block)] = np.frombuffer(block, dtype=np.uint8)
        filled += len(block)
    return Volume(header, buffer.view(header.dtype).reshape(shape, order="F"))


def volume_digest(path: Path, reading: Reading = AS_STORED, limits: Limits = LIMITS) -> str:
    """Return the SHA-256 of a file's volume, in a few blocks of memory; checks what `open_voxels` checks.

    Over `nifti-volume/1`, the little-endian name of the dtype and the shape, a line each; slope, intercept and the
    first three rows of the affine as 14 little-endian float64; the voxels, little-endian, first axis fastest.

    Raises:
        BadScan: As `open_voxels`.
    """
    header = read_header(path, reading, limits)
    shape, start, n_bytes = _wanted(header, reading)
    digest = hashlib.sha256(_preface(header, shape))
    for block in _little_endian(_clipped(path, header, start, n_bytes, limits), header.dtype):
        digest.update(block)
    return digest.hexdigest()


def _wanted(header: Header, reading: Reading) -> tuple[tuple[int, ...], int, int]:
    """Return the shape of what is read, where it begins and its bytes."""
    if reading.volume is None:
        return header.shape, header.vox_offset, header.file_bytes - header.vox_offset
    if not 0 <= reading.volume < header.volumes:
        raise bad("not_3d", f"volume {reading.volume} of {header.volumes} in shape {header.shape}", header.volumes)
    return header.shape[:3], header.vox_offset + reading.volume * header.volume_bytes, header.volume_bytes


def _clipped(path: Path, header: Header, start: int, n_bytes: int, limits: Limits) -> Iterator[memoryview]:
    """Yield the bytes of one range of a file that is read to its end."""
    source = ScanBytes(path, header.file_bytes, limits.max_inflated_bytes)
    place = 0
    for block in source:
        low, high = max(start - place, 0), min(start + n_bytes - place, len(block))
        place += len(block)
        if low < high:
            yield memoryview(block)[low:high]
    if place < header.file_bytes:
        raise bad("data_short", f"{place} bytes, the header promises {header.file_bytes}", place)


def _preface(header: Header, shape: tuple[int, ...]) -> bytes:
    dtype = header.dtype.newbyteorder("<").str
    lines = f"nifti-volume/1\n{dtype}\n{','.join(map(str, shape))}\n"
    return lines.encode() + struct.pack("<14d", header.slope, header.inter, *header.affine[:3].ravel())


def _little_endian(blocks: Iterator[memoryview], dtype: np.dtype[Any]) -> Iterator[bytes | memoryview]:
    """Turn the voxels of blocks that may end within one."""
    if dtype.byteorder != ">":
        yield from blocks
        return
    rest = b""
    for block in blocks:
        data = rest + block
        whole = len(data) - len(data) % dtype.itemsize
        yield np.frombuffer(data[:whole], dtype=dtype).byteswap().tobytes()
        rest = data[whole:]
