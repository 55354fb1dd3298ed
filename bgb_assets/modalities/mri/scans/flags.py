"""What can be said about a scan: codes, how grave each is, and what its owner can do.

Belongs here: the one list of codes, `Flag`, and the error that a grave one becomes. Does not belong here: looking for
any of them (`nifti`, `gzip_stream`, `volumes`, `wholeness`, `qc`).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bgb_assets.runtime.errors import BadInput

Level = Literal["reject", "warn"]

REJECTS = {
    "empty_file": "deliver the file again",
    "not_nifti": "convert the image to NIfTI-1 or NIfTI-2 in a single file",
    "header_only": "deliver the image as a single .nii or .nii.gz file",
    "data_short": "deliver the whole file again",
    "gzip_truncated": "deliver the whole file again",
    "gzip_crc": "deliver the file again: its bytes were damaged",
    "digest_mismatch": "fetch the file again from its source",
    "ambiguous_pair": "name one image for the mask, in its sidecar's SpatialReference or in a CSV beside the files",
    "unsafe_path": "use a path that stays inside the folder of the upload",
    "too_large": "crop or resample the image, or raise the limit in the settings of raw",
    "bad_voxel_size": "re-export the NIfTI or exclude the upload",
    "bad_affine": "re-export the NIfTI or exclude the upload",
    "no_orientation": "re-export it oriented, or state how it lies: --assume-orientation RAS, or in overrides/mri.yaml",
    "not_3d": "choose one volume, the first is 0: --volume K, or in overrides/mri.yaml",
    "bad_dtype": "convert the voxels to integers or to float32",
    "non_finite": "replace the values that are not finite, or exclude the upload",
    "constant_image": "deliver the image again: it shows nothing",
    "mask_grid": "deliver the mask on the image's grid, or allow resample_mismatched in overrides/mri.yaml",
    "mask_empty": "deliver a mask with a lesion, or set allow_empty in overrides/mri.yaml where none is right",
    "mask_labels": "deliver a mask of 0 and one other value",
    "mask_huge": "check that the mask is not a brain mask, and not inverted",
    "crop_loss": "raise the shape of the conformed volume, or crop the scan to the head",
    "duplicate_content": "check who was scanned, and deliver the scan under one subject",
}
"""Code -> remedy: with one of these a scan goes to quarantine."""

WARNS = frozenset(
    {
        *("mask_scaled", "mask_off_head", "qform_sform", "oblique", "size_outlier", "pair_by_stem", "gzip_trailing"),
    }
)
"""Codes that are told, and the scan goes on; so are those of `REJECTS` that a setting allows."""


@dataclass(frozen=True)
class Flag:
    """One finding.

    Attributes:
        code: A key of `REJECTS` or a member of `WARNS`.
        message: What was got against what was expected, with the file's role or name first.
        value: What was measured: a plain JSON value.
        level: Whether the scan is refused; by the code, unless a setting allows what was found (`allowed`).
    """

    code: str
    message: str
    value: Any = None
    level: Level | None = None

    def __post_init__(self) -> None:
        if self.code not in REJECTS and self.code not in WARNS:
            raise ValueError(f"no such code: {self.code!r}")
        if self.level is None:
            object.__setattr__(self, "level", "reject" if self.code in REJECTS else "warn")

    def as_json(self) -> dict[str, Any]:
        """Return the flag in JSON types."""
        return asdict(self)

    def about(self, role: str) -> "Flag":
        """Return the flag with the role of the file, `image` or `mask`, before its message."""
        return replace(self, message=f"{role}: {self.message}")

    def allowed(self, by: str) -> "Flag":
        """Return the flag as a warning, with the setting that allows what it says."""
        return replace(self, message=f"{self.message}; allowed by {by}", level="warn")


class BadScan(BadInput):
    """A scan that goes to quarantine, with the flags that say why; `code` is the first one's."""

    def __init__(self, *flags: Flag) -> None:
        super().__init__(
            "; ".join(f"{flag.code}: {flag.message}" for flag in flags),
            "; ".join(dict.fromkeys(REJECTS[flag.code] for flag in flags)),
        )
        self.flags = flags

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.flags

    @property
    def code(self) -> str:
        """The first flag's code."""
        return self.flags[0].code


def refuse(flags: Iterable[Flag]) -> None:
    """Raise what is grave among some flags.

    Raises:
        BadScan: At least one is of level `reject`; all of these are named.
    """
    if grave := [flag for flag in flags if flag.level == "reject"]:
        raise BadScan(*grave)


def bad(code: str, message: str, value: Any = None) -> BadScan:
    """Return the error of one grave finding."""
    return BadScan(Flag(code, message, value))
