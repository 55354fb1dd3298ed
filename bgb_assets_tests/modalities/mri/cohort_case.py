"""Small cohorts with real notes files, features files, manifest and tokens: what tests of those stages start from.

A scan's voxels are random; notes and features are written in their formats, not by their stages.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.contract import EntryView, FanIn, Member, StageResult
from bgb_assets.modalities.mri import manifest, tokens
from bgb_assets.modalities.mri.conform.stored import IMAGE_FILE, MASK_FILE, VOLUME_FILE, write_array
from bgb_assets.modalities.mri.lesions.bins import volume_bin
from bgb_assets.modalities.mri.lesions.schemas import SCANS, write_scan
from bgb_assets.modalities.mri.manifest_params import ManifestParams
from bgb_assets.storage.digests import sha256_bytes, sha256_file, sha256_json

SHAPE = (8, 8, 9)
PARAMS = ManifestParams()


@dataclass
class Cohort:
    """A store of conformed scans.

    Attributes:
        members: Key -> the upload with its entries.
        parts_made: Names of the table files that the last manifest had to write.
    """

    root: Path
    members: dict[str, Member] = field(default_factory=dict)
    parts_made: list[str] = field(default_factory=list)

    def add(
        self,
        subject: str,
        session: str = "1",
        volume_mm3: float | None = 1_000.0,
        acquisition: str | None = "space_2x",
        *,
        image: str | None = "own",
        modality: str = "T2w",
        written: bool = True,
        store: str = "f16",
    ) -> str:
        """Register a scan; return its key.

        Args:
            subject: Group.
            session: Visit.
            volume_mm3: Of the lesion; None for a scan without a mask.
            acquisition: Of the image.
            image: Name of its content, by default its own; None for a mask without an image.
            modality: Of the image.
            written: Whether the arrays are written and not only described.
            store: Type of the stored image.
        """
        key = f"sub-{subject}_ses-{session}"
        digest = None if image is None else sha256_json(["image", key if image == "own" else image])
        mask = None if volume_mm3 is None else sha256_json(["mask", key, volume_mm3])
        row: dict[str, Any] = dict.fromkeys(SCANS.names)
        row |= {"subject_id": subject, "session_id": session, "modality": modality, "acquisition": acquisition}
        row |= {"image_volume_digest": digest, "mask_volume_digest": mask, "participant": {}, "qc_flags": []}
        row |= {"lesion_volume_mm3": volume_mm3, "volume_bin": None if mask is None else volume_bin(volume_mm3)}
        entries = {
            "notes": self._entry("notes", key, lambda out: _notes(out, row)),
            "features": self._entry("features", key, lambda out: _features(out, row, written, store)),
        }
        self.members[key] = Member(key, {}, entries)
        return key

    def fan_in(self) -> FanIn:
        """Return what stage manifest is handed, without parts."""
        members = [self.members[key] for key in sorted(self.members)]
        return FanIn(members, {}, {}, {}, self.root / "pins" / "mri", self.root)

    def manifest(self, params: ManifestParams = PARAMS) -> tuple[Path, StageResult]:
        """Make the table files that are missing, then the manifest; return its directory and result."""
        fan_in, self.parts_made, parts = self.fan_in(), [], {}
        for name, plan in manifest.plan(fan_in, params).items():
            identity = sha256_json({"facets": dict(plan.facets), "params": dict(plan.params)})
            location = f"manifest/mri/{identity[:2]}/{identity}"
            if not (self.root / location).exists():
                (self.root / location).mkdir(parents=True)
                self.parts_made.append(name)
                own = dataclasses.replace(fan_in, members=[self.members[key] for key in plan.members])
                manifest.run_part(name, own, params, self.root / location)
            parts[name] = EntryView(identity, location, {}, {}, self.root / location)
        out = self.root / "manifest/mri/00" / sha256_bytes(repr((params, fan_in, _pins(fan_in.pins))).encode())
        out.mkdir(parents=True, exist_ok=True)
        return out, manifest.run(dataclasses.replace(fan_in, parts=parts), params, out)

    def tokens(self, params: ManifestParams = PARAMS) -> tuple[Path, StageResult]:
        """Make the manifest and the tokens; return their directory and result."""
        directory, _ = self.manifest(params)
        out = self.root / "tokens/mri/00" / directory.name
        out.mkdir(parents=True, exist_ok=True)
        return out, tokens.run(dataclasses.replace(self.fan_in(), inputs={"manifest": directory}), None, out)

    def _entry(self, stage: str, key: str, run: Any) -> EntryView:
        identity = sha256_json([stage, key])
        location = f"{stage}/mri/{identity[:2]}/{identity}"
        directory = self.root / location
        directory.mkdir(parents=True, exist_ok=True)
        result: StageResult = run(directory)
        return EntryView(identity, location, result.facets, result.metadata, directory)


def voxels_of(key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return image in [0, 1] and mask of a scan."""
    random = np.random.default_rng(int(sha256_bytes(key.encode())[:8], 16))
    return random.random(SHAPE, np.float32), random.random(SHAPE) < 0.1


def _notes(out: Path, row: Mapping[str, Any]) -> StageResult:
    write_scan(row, out)
    return StageResult({"notes": sha256_json(row)})


def _features(out: Path, row: Mapping[str, Any], written: bool, store: str) -> StageResult:
    image, mask = voxels_of(f"sub-{row['subject_id']}_ses-{row['session_id']}")
    has_image, has_mask = row["image_volume_digest"] is not None, row["mask_volume_digest"] is not None
    volume = {"shape": list(SHAPE), "zoom_mm": 1.0, "interpolation": "linear", "normalise": "minmax", "store": store}
    volume |= {"image_volume": row["image_volume_digest"], "mask_volume": row["mask_volume_digest"]}
    volume |= {"lo": 20.0, "hi": 220.0, "centre": 20.0, "scale": 200.0, "step": 0.5 if store == "u16" else None}
    volume |= {"total_voxels": mask.size, "lesion_voxels": int(mask.sum()) if has_mask else None}
    if written and has_image:
        stored = image.astype(np.float16) if store == "f16" else np.rint(image * 400).astype(np.uint16)
        write_array(out / IMAGE_FILE, stored)
    if written and has_mask:
        write_array(out / MASK_FILE, np.packbits(mask))
    (out / VOLUME_FILE).write_text(json.dumps(volume))
    digests = [sha256_file(out / name) for name in (IMAGE_FILE, MASK_FILE) if (out / name).exists()]
    return StageResult({"volume": sha256_bytes("".join(digests).encode() + (out / VOLUME_FILE).read_bytes())})


def _pins(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((path.name, path.read_bytes()) for path in folder.rglob("*.json")) if folder.is_dir() else []
