"""Stage raw: recognises one delivered scan, checks its headers and that its files are whole, and names its parts.

Belongs here: how uploads are found below a folder, what identifies one, and the stage's file and facets. Does not
belong here: which file is image or mask (`pairing`), NIfTI (`scans`), voxels (inflated by no one before `cache`).
Next in the flow: `cache` keeps the files as they are.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.contract import Found, StageResult
from bgb_assets.modalities.mri.pairing.facts import with_stated_facts
from bgb_assets.modalities.mri.pairing.folders import find_scans, only_scan
from bgb_assets.modalities.mri.pairing.names import acquisition_of
from bgb_assets.modalities.mri.scans import qc
from bgb_assets.modalities.mri.scans.flags import BadScan, Flag, refuse
from bgb_assets.modalities.mri.scans.gzip_stream import is_gzip
from bgb_assets.modalities.mri.scans.limits import LIMITS, Limits
from bgb_assets.modalities.mri.scans.nifti import ORIENTATIONS, Header, Reading, read_header
from bgb_assets.modalities.mri.scans.wholeness import check_digest, check_whole
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.digests import canonical_json, sha256_file, sha256_json

SCAN_FILE = "scan.json"
FACTS_FILE = "facts.json"
"""What a source says of the upload; handed over where a stage names it."""

# The conformed float32 volume, its float64 axis in work, and the voxels as stored and as values.
_BASE_BYTES = 384 << 20
_INFLATES_TO = 12


@dataclass(frozen=True)
class RawParams:
    """What is said of a file that it does not say itself, and how large it may be.

    Attributes:
        assume_orientation: Where the voxel axes point to, such as RAS, in files with neither qform nor sform; empty
            refuses them.
        volume: Which volume of an image with several is the scan, counted from 0; None refuses them.
        resample_mismatched: Whether a mask on another grid than its image's goes on, to be resampled.
        max_inflated_bytes: Of one file.
        max_axis: Voxels along one axis.
    """

    assume_orientation: str = ""
    volume: int | None = None
    resample_mismatched: bool = False
    max_inflated_bytes: int = LIMITS.max_inflated_bytes
    max_axis: int = LIMITS.max_axis

    def __post_init__(self) -> None:
        if self.assume_orientation and self.assume_orientation not in ORIENTATIONS:
            raise ConfigError(
                f"assume_orientation must be three ends of axes such as RAS or LPS, got {self.assume_orientation!r}"
            )
        if self.volume is not None and self.volume < 0:
            raise ConfigError(f"volume must be 0 or more, got {self.volume!r}")

    @property
    def limits(self) -> Limits:
        """The limits on one file."""
        return Limits(self.max_inflated_bytes, self.max_axis)


@dataclass(frozen=True)
class _File:
    """One file of a scan, its header read."""

    path: Path
    sha256: str
    header: Header
    reading: Reading
    flags: tuple[Flag, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "sha256": self.sha256,
            "bytes": self.path.stat().st_size,
            "format": "nii.gz" if is_gzip(self.path) else "nii",
            "reading": {"volume": self.reading.volume, "orientation": self.reading.orientation},
            "header": self.header.as_json(),
        }

    @property
    def facet(self) -> str:
        """The bytes, and with them what was said of how to read them."""
        said = {name: value for name, value in self.as_json()["reading"].items() if value is not None}
        return sha256_json([self.sha256, said]) if said else self.sha256


def discover(root: Path) -> Iterator[Found]:
    """Yield the scans below a folder; see `pairing.folders.find_scans`."""
    return find_scans(root)


def fingerprint(directory: Path) -> Mapping[str, str]:
    """Return the digests of the parts of one upload.

    `image` and `mask`: the bytes of the files; `pairing`: what names, sidecars and tables say, without any path.

    Raises:
        BadInput: There is no scan, or more than one.
        BadScan: `ambiguous_pair`, `unsafe_path`.
    """
    scan = only_scan(directory)
    roles = {"image": scan.pair.image, "mask": scan.pair.mask}
    blobs = {role: sha256_file(directory / path) for role, path in roles.items() if path is not None}
    return {**blobs, "pairing": sha256_json(scan.facts)}


def cost_bytes(directory: Path) -> int:
    """Return a bound on the memory one upload takes in a worker, from file sizes alone."""
    pair = only_scan(directory).pair
    sizes = [(directory / path).stat().st_size for path in (pair.image, pair.mask) if path is not None]
    return _BASE_BYTES + _INFLATES_TO * sum(sizes)


def run(inputs: Mapping[str, Path], params: RawParams, out: Path) -> StageResult:
    """Check the headers of one upload and write `scan.json`.

    Raises:
        BadInput: There is no scan, or more than one.
        BadScan: What headers, ends of files and pairing show to be wrong; see `scans.flags`.
    """
    directory = inputs["upload"]
    stated = _stated(directory)
    scan = with_stated_facts(only_scan(directory), stated)
    image = _file(directory, scan.pair.image, "image", params, stated)
    mask = _file(directory, scan.pair.mask, "mask", params, stated)
    flags = [*scan.pair.flags, *(flag for file in (image, mask) if file for flag in file.flags)]
    flags += _grid_flags(image, mask, params)
    refuse(flags)
    facts = {**scan.facts, "acquisition": acquisition_of(scan.acquisition_label)}
    summary = facts | {
        "image": image and image.as_json(),
        "mask": mask and mask.as_json(),
        "flags": [flag.as_json() for flag in flags],
    }
    (out / SCAN_FILE).write_bytes(canonical_json(summary) + b"\n")
    return StageResult(
        facets={**_facets(image, mask), "facts": sha256_json(facts)},
        metadata=_metadata(summary),
        warnings=tuple(f"{flag.code}: {flag.message}" for flag in flags),
    )


def _stated(directory: Path) -> dict[str, Any]:
    path = directory / FACTS_FILE
    stated: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return stated


def _file(directory: Path, name: str | None, role: str, params: RawParams, stated: Mapping[str, Any]) -> _File | None:
    """Read the header of one file and check what can be checked without inflating it."""
    if name is None:
        return None
    path = directory / name
    # One volume is chosen among those of an image; a mask has one.
    reading = Reading(params.volume if role == "image" else None, params.assume_orientation or None)
    try:
        sha256 = sha256_file(path)
        check_digest(sha256, stated.get(f"{role}_sha256"))
        header = read_header(path, reading, params.limits)
        flags = [*qc.header_flags(header, reading), *check_whole(path, header, params.limits)]
    except BadScan as error:
        raise BadScan(*(flag.about(role) for flag in error.flags)) from error
    used = Reading(reading.volume if header.volumes > 1 else None, header.assumed)
    flags = [flag.about(role) for flag in flags]
    refuse(flags)
    return _File(path, sha256, header, used, tuple(flags))


def _grid_flags(image: _File | None, mask: _File | None, params: RawParams) -> list[Flag]:
    if image is None or mask is None:
        return []
    flags = [flag.about("mask") for flag in qc.grid_flags(image.header, mask.header)]
    return [flag.allowed("resample_mismatched") for flag in flags] if params.resample_mismatched else flags


def _facets(image: _File | None, mask: _File | None) -> dict[str, str]:
    return {role: file.facet for role, file in (("image", image), ("mask", mask)) if file is not None}


def _metadata(summary: Mapping[str, Any]) -> dict[str, Any]:
    leading = summary["image"] or summary["mask"]
    named = ("subject", "session", "modality", "acquisition", "pair_method", "status")
    return {
        **{name: summary[name] for name in named},
        "shape": leading["header"]["shape"],
        "zooms_mm": leading["header"]["zooms_mm"],
        "orientation": leading["header"]["orientation"],
        "qc_flags": sorted({flag["code"] for flag in summary["flags"]}),
    }
