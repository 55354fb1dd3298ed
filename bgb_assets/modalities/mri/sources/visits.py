"""What a source has of one visit of one subject, and which visits a folder's names make up.

Belongs here: the types that all sources of scans plan with, and the visits of a data set in BIDS names. Does not belong
here: which image a mask is of (`pairing.pairs`), which visits are wanted (`cohort`), rows of Parquet (`rows`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from bgb_assets.modalities.mri.pairing.names import MODALITIES, ScanName, is_nifti, parse_name, without_suffix
from bgb_assets.modalities.mri.pairing.pairs import Images, Method, Pair, ambiguous, pair_mask
from bgb_assets.modalities.mri.scans.flags import BadScan, Flag

Role = Literal["image", "mask", "sidecar"]

_NO_RAW_IMAGES = frozenset({"derivatives", "sourcedata"})


@dataclass(frozen=True)
class SourceFile:
    """One file that a source has.

    Attributes:
        path: Below the source's root, POSIX.
        n_bytes: As the source says; None where it does not.
        version: Changes when its bytes do.
        sha256: As the source says.
        is_here: Whether its bytes can be read now.
        leaves: Whether it is a link that leads out of the root.
    """

    path: str
    n_bytes: int | None
    version: str
    sha256: str | None = None
    is_here: bool = True
    leaves: bool = False


@dataclass(frozen=True)
class Visit:
    """One scan as a source has it.

    Attributes:
        subject: `sub-<label>`.
        session: `ses-<label>`, or None.
        files: What would be fetched, by role; without those that there are none of.
        has_mask: Whether there is a mask, even one that cannot be used.
        method: How image and mask were brought together.
        acquisition_label: As the entity `acq` of the image's name has it.
        flags: Why it cannot be used, if it cannot.
        facts: What the source says that the files do not (`pairing.facts`).
        place: Where its bytes lie, for sources that are no folder; plain JSON.
    """

    subject: str
    session: str | None
    files: Mapping[Role, SourceFile] = field(default_factory=dict)
    has_mask: bool = False
    method: Method = "none"
    acquisition_label: str | None = None
    flags: tuple[Flag, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    place: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its upload is called."""
        return self.subject if self.session is None else f"{self.subject}_{self.session}"


@dataclass(frozen=True)
class Survey:
    """All that a source has.

    Attributes:
        visits: In the order of their names.
        n_items: Images of any kind, masks too; or rows.
        n_bytes: Of those images, or of the files that the rows lie in.
        unseen: Visits without a lesion that were passed over unread.
        items: What is counted, for people.
    """

    visits: tuple[Visit, ...]
    n_items: int
    n_bytes: int
    unseen: int = 0
    items: str = "images"


def survey_names(files: Iterable[SourceFile], modality: str, sidecar_of: Callable[[str], bytes | None]) -> Survey:
    """Return the visits of a data set in BIDS names, one for every subject and session that has any image.

    Args:
        files: All of the data set, in any order.
        modality: The kind of image that is the scan.
        sidecar_of: Gives the bytes of a JSON file at a path, or None; asked for those beside masks only.
    """
    by_path = {file.path: file for file in files}
    names = [parse_name(path) for path in sorted(by_path) if is_nifti(path)]
    names = [name for name in names if name.is_bids]
    images = [name for name in names if name.modality and not name.is_mask and _is_raw(name.path)]
    masks = [name for name in names if name.is_mask]
    groups = {(name.subject or "", name.session): _Group(by_path, modality) for name in names}
    for image in images:
        groups[image.subject or "", image.session].images.append(image)
    universe = Images(image.path for image in images)
    for mask in masks:
        groups[mask.subject or "", mask.session].pair(mask, universe, sidecar_of)
    visits = [group.visit(*key) for key, group in groups.items()]
    listed = [by_path[name.path] for name in names]
    n_bytes = sum(file.n_bytes or 0 for file in listed)
    return Survey(tuple(sorted(visits, key=lambda visit: visit.name)), len(listed), n_bytes)


class _Group:
    """The images and masks of one subject and session, while they are gathered."""

    def __init__(self, files: Mapping[str, SourceFile], modality: str) -> None:
        self.images: list[ScanName] = []
        self._files = files
        self._modality = modality
        self._pairs: list[Pair] = []
        self._flags: list[Flag] = []

    def pair(self, mask: ScanName, universe: Images, sidecar_of: Callable[[str], bytes | None]) -> None:
        """Find the image of a mask; one of another kind of image than is asked for is none of the visit's."""
        try:
            pair = pair_mask(mask.path, sidecar_of(_sidecar(mask.path)), universe)
        except BadScan as error:
            self._flags += error.flags
            return
        if _kind(pair) in (None, self._modality):
            self._pairs.append(pair)

    def visit(self, subject: str, session: str | None) -> Visit:
        """Return what was gathered."""
        try:
            pair = self._only_pair()
        except BadScan as error:
            return Visit(subject, session, has_mask=self._has_mask, flags=(*self._flags, *error.flags))
        files = self._roles(pair)
        outside = [file.path for file in files.values() if file.leaves]
        leaving = tuple(Flag("unsafe_path", f"{path} is a link out of the folder", path) for path in outside)
        label = parse_name(pair.image or pair.mask or "").acquisition_label
        return Visit(subject, session, files, self._has_mask, pair.method, label, (*self._flags, *leaving))

    @property
    def _has_mask(self) -> bool:
        return bool(self._pairs or self._flags)

    def _only_pair(self) -> Pair:
        if len(self._pairs) > 1:
            raise ambiguous("the mask of the scan", [pair.mask or "" for pair in self._pairs])
        if self._pairs:
            return self._pairs[0]
        mine = [image.path for image in self.images if image.modality == self._modality]
        if len(mine) > 1 and not self._flags:
            raise ambiguous("the image of the scan", mine)
        return Pair(mine[0] if len(mine) == 1 else None, None, "none")

    def _roles(self, pair: Pair) -> dict[Role, SourceFile]:
        sidecar = None if pair.mask is None else _sidecar(pair.mask)
        roles: Sequence[tuple[Role, str | None]] = (("image", pair.image), ("mask", pair.mask), ("sidecar", sidecar))
        return {role: self._files[path] for role, path in roles if path is not None and path in self._files}


def _is_raw(path: str) -> bool:
    return not _NO_RAW_IMAGES.intersection(PurePosixPath(path).parts)


def _sidecar(mask: str) -> str:
    return f"{without_suffix(mask)}.json"


def _kind(pair: Pair) -> str | None:
    """Return the kind of image that a mask is of, if its image or its name says so."""
    kind = parse_name(pair.image or pair.mask or "").modality
    return kind if kind in MODALITIES else None
