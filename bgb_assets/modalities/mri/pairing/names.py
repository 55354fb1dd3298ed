"""What the name of a file says: subject, session, kind of image, acquisition; and whether it is a mask.

Belongs here: BIDS entities, as they stand in one path. Does not belong here: other files' names, and which belong
together (`pairs`, `folders`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

MODALITIES = ("T2w", "FLAIR", "T1w")
"""Kinds of image that a lesion may be drawn on; of a visit with several, the earlier here is the scan."""

ACQUISITIONS = {"spc3p2": "space_2x", "spc3": "space_no_accel", "tse3": "turbo_spin_echo"}
"""Label of the BIDS entity `acq` -> what it is; by exact match."""

_NIFTI = (".nii.gz", ".nii")
NIFTI_PATTERNS = ("*.nii", "*.nii.gz", "*.NII", "*.NII.GZ", "*.nii.GZ")
"""What a stage declares to be handed the scans among an upload's files."""
_MASK = re.compile(r"_(?:desc-[A-Za-z0-9]+_)?mask$")
_OTHER_WORLD = frozenset({"sub", "ses", "desc", "label", "space"})


@dataclass(frozen=True)
class ScanName:
    """What one path says.

    Attributes:
        path: The path itself.
        stem: The file's name without suffix; of a mask, without `_desc-<label>_mask` too: the name of its image.
        subject: `sub-<label>`, or None where the name has none.
        session: `ses-<label>`, or None.
        modality: One of `MODALITIES`; of a mask, its image's, where the name says so; or None.
        entities: All BIDS entities of the name, without their order.
        is_mask: Whether it is a mask by its name.
    """

    path: str
    stem: str
    subject: str | None
    session: str | None
    modality: str | None
    entities: Mapping[str, str]
    is_mask: bool

    @property
    def acquisition_label(self) -> str | None:
        """The label of the entity `acq`."""
        return self.entities.get("acq")

    @property
    def is_bids(self) -> bool:
        """Whether the name begins as BIDS has it."""
        return self.subject is not None


def is_nifti(path: str) -> bool:
    """Say whether a name is one of a NIfTI file."""
    return path.lower().endswith(_NIFTI)


def without_suffix(path: str) -> str:
    """Return a path without `.nii`, `.nii.gz` or its last suffix."""
    ending = next((ending for ending in _NIFTI if path.lower().endswith(ending)), PurePosixPath(path).suffix)
    return path[: len(path) - len(ending)]


def parse_name(path: str) -> ScanName:
    """Return what a relative POSIX path says; entities are taken from the file's name, else from its folders."""
    name = without_suffix(PurePosixPath(path).name)
    is_mask = _MASK.search(name) is not None
    stem = _MASK.sub("", name) if is_mask else name
    words = stem.split("_")
    entities = {key: value for key, dash, value in (word.partition("-") for word in words) if dash and key and value}
    folders = PurePosixPath(path).parts[:-1]
    return ScanName(
        path=path,
        stem=stem,
        subject=_entity("sub", entities, folders),
        session=_entity("ses", entities, folders),
        modality=words[-1] if words[-1] in MODALITIES else None,
        entities=entities,
        is_mask=is_mask,
    )


def could_be_of(mask: ScanName, image: ScanName) -> bool:
    """Say whether all that a mask's name says of its image holds for this one; both of one subject and session."""
    said = {key: value for key, value in mask.entities.items() if key not in _OTHER_WORLD}
    same_visit = (mask.subject, mask.session) == (image.subject, image.session)
    return same_visit and mask.modality in (None, image.modality) and said.items() <= image.entities.items()


def acquisition_of(label: str | None) -> str | None:
    """Return what an acquisition label stands for; a label that is not known stands for itself."""
    return None if not label else ACQUISITIONS.get(label, label)


def with_prefix(prefix: str, label: str | None) -> str | None:
    """Return `sub-M2001` for `M2001` and for `sub-M2001`; None for nothing."""
    return None if not label else label if label.startswith(f"{prefix}-") else f"{prefix}-{label}"


def _entity(key: str, entities: Mapping[str, str], folders: tuple[str, ...]) -> str | None:
    value = entities.get(key)
    if value is None:
        pattern = re.compile(rf"{key}-([A-Za-z0-9]+)")
        value = next((match[1] for folder in reversed(folders) if (match := pattern.fullmatch(folder))), None)
    return with_prefix(key, value)
