"""How large a scan may be, before a byte is allocated for it; headers are not trusted."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one file.

    Attributes:
        max_inflated_bytes: Header, extensions and all voxels.
        max_axis: Voxels along one spatial axis.
        max_offset_bytes: Where the voxels begin: header and extensions.
    """

    max_inflated_bytes: int = 2 << 30
    max_axis: int = 1024
    max_offset_bytes: int = 64 << 20


LIMITS = Limits()
