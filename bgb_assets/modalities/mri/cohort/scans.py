"""One scan as the manifest sees it, and whether it may train.

Belongs here: joining what notes and features say of a scan; duplicates; the cohort's rules. Does not belong here: folds
and columns (`rows`, next in the flow), reading the notes (`note_files`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgb_assets.modalities.contract import Member
from bgb_assets.modalities.mri.conform.stored import read_volume
from bgb_assets.modalities.mri.manifest_params import CohortParams
from bgb_assets.modalities.mri.splits.strata import Candidate
from bgb_assets.runtime.errors import ConfigError, ContractError

WHERE = "mri/manifest"
TRAINABLE, NO_MASK, MASK_ONLY, QUARANTINED = "trainable", "no_mask", "mask_only", "quarantined"
DUPLICATE_CONTENT, OTHER_MODALITY, OTHER_ACQUISITION = "duplicate_content", "other_modality", "excluded_acquisition"

_ONE_GRID = ("shape", "zoom_mm", "interpolation", "normalise", "store")


@dataclass(frozen=True, eq=False)
class Scan:
    """One upload.

    Attributes:
        key: The upload.
        noted: Its row of table `scans`.
        location: Directory of its features, relative to the store root.
        features: Identity of its features.
        digest: Of its features' content.
        volume: Content of `volume.json`.
    """

    key: str
    noted: Mapping[str, Any]
    location: str
    features: str
    digest: str
    volume: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """The group; the upload itself where the scan names nobody."""
        return str(self.noted["subject_id"] or self.key)

    @property
    def session(self) -> str:
        """The visit; the upload's key where the scan names none."""
        return str(self.noted["session_id"] or self.key)

    @property
    def image_volume(self) -> str | None:
        """Digest of the image's voxels; None where there is no image."""
        found: str | None = self.noted["image_volume_digest"]
        return found

    @property
    def candidate(self) -> Candidate:
        """The scan as a split sees it; it must have a mask."""
        noted = self.noted
        return Candidate(
            self.subject, self.session, noted["lesion_volume_mm3"], noted["volume_bin"], noted["acquisition"]
        )


@dataclass(frozen=True)
class Judged:
    """Whether a scan may train: `reason` is empty where it does."""

    scan: Scan
    status: str
    reason: str


def read_scan(member: Member, noted: Mapping[str, Any]) -> Scan:
    """Return what the entries of one upload say.

    Raises:
        ContractError: Notes and features were made from different volumes.
    """
    features = member.entries["features"]
    volume = read_volume(features.directory)
    for role in ("image", "mask"):
        said, held = noted[f"{role}_volume_digest"], volume[f"{role}_volume"]
        if said != held:
            raise ContractError(f"{WHERE} {member.key!r}: notes know {role} {said!r}, features {held!r}")
    return Scan(member.key, noted, features.location, features.identity, features.facets["volume"], volume)


def judge(scans: Sequence[Scan], params: CohortParams) -> list[Judged]:
    """Say of every scan, in order, whether it trains.

    An image that is there under two subjects trains under none: whose it is, nobody knows.
    """
    subjects: defaultdict[str | None, set[str]] = defaultdict(set)
    for scan in scans:
        subjects[scan.image_volume].add(scan.subject)
    shared = {digest for digest, found in subjects.items() if digest is not None and len(found) > 1}
    return [_judged(scan, scan.image_volume in shared, params) for scan in scans]


def same_images(scans: Sequence[Scan]) -> list[tuple[str, ...]]:
    """Return the keys of scans with one and the same image, for every such image."""
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for scan in scans:
        if scan.image_volume is not None:
            keys[scan.image_volume].append(scan.key)
    return sorted(tuple(found) for found in keys.values() if len(found) > 1)


def grid_of(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return what the features of all scans that train have in common; empty where none does.

    Raises:
        ConfigError: They differ.
    """
    training = [one.scan for one in judged if not one.reason]
    if not training:
        return {}
    first = training[0]
    for other in training[1:]:
        for name in _ONE_GRID:
            if first.volume[name] != other.volume[name]:
                raise ConfigError(
                    f"{WHERE}: features must have one {name}, {first.key!r} has {first.volume[name]!r} and "
                    f"{other.key!r} {other.volume[name]!r}; remove what overrides it for one of them"
                )
    return {name: first.volume[name] for name in _ONE_GRID}


def _judged(scan: Scan, shared: bool, params: CohortParams) -> Judged:
    if shared:
        return Judged(scan, QUARANTINED, DUPLICATE_CONTENT)
    if scan.noted["mask_volume_digest"] is None:
        return Judged(scan, NO_MASK, NO_MASK)
    if scan.image_volume is None:
        return Judged(scan, MASK_ONLY, MASK_ONLY)
    if scan.noted["modality"] != params.modality:
        return Judged(scan, TRAINABLE, OTHER_MODALITY)
    excluded = scan.noted["acquisition"] in params.excluded_acquisitions
    return Judged(scan, TRAINABLE, OTHER_ACQUISITION if excluded else "")
