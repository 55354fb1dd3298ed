"""Which image a mask was drawn on: by what its sidecar says, else by its name.

Belongs here: the rules, as functions of names and of the sidecar's words. Does not belong here: folders and files
(`folders`), tables of pairs (`csv_rows`).
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from bgb_assets.modalities.mri.pairing.names import ScanName, could_be_of, parse_name
from bgb_assets.modalities.mri.scans.flags import Flag, bad

Method = Literal["spatial_reference", "stem", "row", "csv", "none"]
"""How image and mask were brought together; `none` where there is only one of both."""

_REFERENCE = "bids:raw:"


@dataclass(frozen=True)
class Pair:
    """One scan's files, as paths.

    Attributes:
        method: How they were brought together.
        flags: `pair_by_stem`, where the sidecar did not say.
    """

    image: str | None
    mask: str | None
    method: Method
    flags: tuple[Flag, ...] = ()

    @property
    def status(self) -> Literal["paired", "no_mask", "mask_only"]:
        """What the scan is good for."""
        return "mask_only" if self.image is None else "no_mask" if self.mask is None else "paired"


class Images:
    """The images that a mask may be of, by path, by name and by stem; built once for a whole plan."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.names = tuple(parse_name(path) for path in sorted(paths))
        self._paths = {name.path for name in self.names}
        self._by_file: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        self._by_visit: dict[tuple[str | None, str | None], list[ScanName]] = {}
        for name in self.names:
            self._by_file.setdefault(PurePosixPath(name.path).name, []).append(name.path)
            self._by_stem.setdefault(name.stem, []).append(name.path)
            self._by_visit.setdefault((name.subject, name.session), []).append(name)

    def at(self, path: str) -> list[str]:
        """Return the images that a path within the data set means: itself, else by the file's name."""
        return [path] if path in self._paths else self._by_file.get(PurePosixPath(path).name, [])

    def of_stem(self, stem: str) -> list[str]:
        """Return the images of one stem, in whatever folder."""
        return self._by_stem.get(stem, [])

    def of_visit(self, mask: ScanName) -> list[str]:
        """Return the images of the mask's visit that its name does not rule out."""
        visit = self._by_visit.get((mask.subject, mask.session), [])
        return [image.path for image in visit if could_be_of(mask, image)]


def pair_mask(mask: str, sidecar: bytes | None, images: Images) -> Pair:
    """Return a mask with its image, or alone where no image can be its own.

    In this order: what its sidecar's SpatialReference names; the image of its stem; of the images of its visit the
    only one that its name does not rule out. The last two are flagged.

    Args:
        mask: Its path.
        sidecar: The bytes of the JSON beside it, or None.
        images: Those of the whole plan.

    Raises:
        BadScan: `unsafe_path`, `ambiguous_pair`.
    """
    referred = spatial_reference(sidecar)
    if referred is not None:
        found = images.at(referred)
        if found:
            return Pair(_only(found, mask), mask, "spatial_reference")
    name = parse_name(mask)
    for found in (_beside(images.of_stem(name.stem), name), images.of_visit(name)):
        if found:
            return Pair(_only(found, mask), mask, "stem", (_by_stem(mask, sidecar, referred),))
    return Pair(None, mask, "none")


def spatial_reference(sidecar: bytes | None) -> str | None:
    """Return the path that a mask's sidecar refers to, or None where it does not say in the form `bids:raw:<path>`.

    Raises:
        BadScan: `unsafe_path`.
    """
    try:
        said = json.loads(sidecar) if sidecar is not None else None
    except (ValueError, RecursionError):
        return None
    reference = said.get("SpatialReference") if isinstance(said, Mapping) else None
    if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
        return None
    return safe_path(reference.removeprefix(_REFERENCE), "SpatialReference")


def safe_path(path: str, where: str) -> str:
    """Return a relative path that stays inside its folder.

    Raises:
        BadScan: `unsafe_path`.
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or parts[0].endswith(":") or ".." in parts or "\0" in path:
        raise bad("unsafe_path", f"{where} names {path!r}, which leaves the folder", path)
    return "/".join(parts)


def ambiguous(what: str, candidates: Collection[str]) -> Exception:
    """Return the error of several files where there must be one."""
    named = sorted(candidates)
    return bad("ambiguous_pair", f"{what}: {len(named)} candidates, {', '.join(named)}", named)


def _beside(found: list[str], mask: ScanName) -> list[str]:
    """Keep of several images of one stem those in the mask's folder but for `derivatives/<name>/`, if any."""
    if len(found) < 2:
        return found
    parts = PurePosixPath(mask.path).parts
    own = parts[parts.index("derivatives") + 2 :] if "derivatives" in parts else parts
    folder = PurePosixPath(*own).parent
    return [path for path in found if PurePosixPath(path).parent == folder] or found


def _only(found: list[str], mask: str) -> str:
    if len(found) > 1:
        raise ambiguous(f"the image of {PurePosixPath(mask).name}", found)
    return found[0]


def _by_stem(mask: str, sidecar: bytes | None, referred: str | None) -> Flag:
    if sidecar is None:
        why = "it has no sidecar"
    elif referred is None:
        why = f"its sidecar has no SpatialReference of the form {_REFERENCE}<path>"
    else:
        why = f"its sidecar refers to {referred}, which is not there"
    return Flag("pair_by_stem", f"mask: paired by the name of {parse_name(mask).stem}: {why}", referred)
