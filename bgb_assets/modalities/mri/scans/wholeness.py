"""Whether all of a file is there, found out without inflating it where that is possible.

Belongs here: sizes, the end of a gzip stream, digests that a source states. Does not belong here: what the voxels are
(`qc`); every CRC is checked again where a file is read whole (`volumes`).
"""

from pathlib import Path

from bgb_assets.modalities.mri.scans.flags import Flag, bad
from bgb_assets.modalities.mri.scans.gzip_stream import ScanBytes, is_gzip, isize
from bgb_assets.modalities.mri.scans.limits import LIMITS, Limits
from bgb_assets.modalities.mri.scans.nifti import Header


def check_whole(path: Path, header: Header, limits: Limits = LIMITS) -> tuple[Flag, ...]:
    """Say what is odd about the end of a file; refuse one that is not whole.

    Of a compressed file the length in its last four bytes is compared with what the header promises. Only where they
    differ, which several members or bytes behind them make legal, it is inflated, and CRC and length decide.

    Raises:
        BadScan: `header_only`, `data_short`, `gzip_truncated`, `gzip_crc`, `too_large`.
    """
    if not is_gzip(path):
        _require(path.stat().st_size, header)
        return ()
    if isize(path) == header.file_bytes % (1 << 32):
        return ()
    source = ScanBytes(path, header.file_bytes, limits.max_inflated_bytes)
    for _ in source:
        pass
    _require(source.total_bytes, header)
    if not source.trailing_bytes:
        return ()
    n_bytes = source.trailing_bytes
    return (Flag("gzip_trailing", f"{n_bytes} bytes after the end of the gzip stream are left out", n_bytes),)


def check_digest(actual: str, stated: str | None) -> None:
    """Refuse bytes that are not those a source states.

    Raises:
        BadScan: `digest_mismatch`.
    """
    if stated is not None and stated.lower() != actual:
        raise bad("digest_mismatch", f"SHA-256 is {actual}, the source states {stated}", actual)


def _require(n_bytes: int, header: Header) -> None:
    if n_bytes <= header.vox_offset:
        raise bad("header_only", f"{n_bytes} bytes, none of them voxels: these begin at {header.vox_offset}", n_bytes)
    if n_bytes < header.file_bytes:
        raise bad("data_short", f"{n_bytes} bytes, the header promises {header.file_bytes}", n_bytes)
