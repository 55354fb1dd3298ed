"""What `bgb segment` leaves: the mask, what is known of it, a picture, and the probabilities where they are wanted.

Belongs here: names and content of the files. Does not belong here: finding the lesion (`segment`), NIfTI
(`nifti_file`), drawing (`pictures.montage`).
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bgb_assets.modalities.mri.pairing.names import without_suffix
from bgb_assets.modalities.mri.segmentation.native import to_conformed
from bgb_assets.modalities.mri.segmentation.nifti_file import like_scan
from bgb_assets.modalities.mri.segmentation.segment import Segmented
from bgb_assets.storage.digests import sha256_file

MASK, PROBABILITIES, SIDECAR, MONTAGE = "mask", "probabilities", "json", "montage"
_MM3_PER_ML = 1000.0


def write_all(found: Segmented, folder: Path, *, probabilities: bool = False) -> dict[str, Path]:
    """Write the files of one scan into a folder; return what each file is -> its path.

    `<stem>_desc-lesion_mask.nii.gz` (0 and 1, uint8), `.json` beside it, `<stem>_desc-lesion_montage.png`, and
    `<stem>_desc-lesion_probseg.nii.gz` (float32) where wanted. Equal scans, models and params give equal bytes.
    """
    stem = f"{without_suffix(found.scan.path.name)}_desc-lesion"
    layouts: dict[str, tuple[str, Callable[[], bytes]]] = {
        MASK: (f"{stem}_mask.nii.gz", lambda: _nifti(found, found.lesion.astype(np.uint8), "lesion mask")),
        SIDECAR: (f"{stem}_mask.json", lambda: json_bytes(found)),
        MONTAGE: (f"{stem}_montage.png", lambda: montage_png(found)),
    }
    if probabilities:
        layouts[PROBABILITIES] = (
            f"{stem}_probseg.nii.gz",
            lambda: _nifti(found, found.probability, "lesion probability"),
        )
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for layout, (name, made) in layouts.items():
        written[layout] = folder / name
        written[layout].write_bytes(made())
    return written


def said_of(found: Segmented) -> Mapping[str, Any]:
    """Return what is known of a mask, in JSON types; no path of this machine, so that it says the same elsewhere."""
    lesion, header = found.measured, found.scan.opened.volume.header
    return {
        "SpatialReference": f"bids:raw:{bids_path(found.scan.path)}",
        "Type": "Lesion",
        "image": {
            "sha256": sha256_file(found.scan.path),
            "volume_digest": found.scan.opened.digest,
            "shape": list(found.scan.opened.shape),
            "zooms_mm": list(header.zooms_mm),
            "orientation": header.orientation,
        },
        "models": [dict(one) for one in found.models],
        "engine": found.engine.as_json(),
        "threshold": found.params.threshold,
        "min_component_mm3": found.params.min_component_mm3,
        "lesion": {
            "voxels": lesion.voxels,
            "volume_ml": lesion.volume_mm3 / _MM3_PER_ML,
            "components": lesion.components,
            "components_left_out": found.left_out,
            "largest_component_ml": lesion.largest_mm3 / _MM3_PER_ML,
            "centroid_mm": None if lesion.centroid_mm is None else list(lesion.centroid_mm),
            "left_fraction": lesion.left_fraction,
        },
        "flags": [flag.as_json() for flag in found.flags],
        "notice": "No medical device: it was not examined for any use on patients.",
    }


def json_bytes(found: Segmented) -> bytes:
    """Return the sidecar of a mask."""
    return (json.dumps(said_of(found), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def montage_png(found: Segmented) -> bytes:
    """Return the picture: the mask as delivered, drawn on the conformed scan."""
    # Only now: it imports matplotlib.
    from bgb_assets.modalities.mri.pictures.head import Head
    from bgb_assets.modalities.mri.pictures.montage import montage
    from bgb_assets.runtime.rendering import render_png

    drawn = to_conformed(found.lesion, found.conformed.maps)
    head = Head(found.conformed.image, found.conformed.grid.affine, prediction=drawn)
    volume_ml = found.measured.volume_mm3 / _MM3_PER_ML
    cut = ", looked at in the box of the head only" if found.params.fast_crop else ""
    return render_png(montage(head, f"{found.scan.path.name}: {volume_ml:.2f} ml of lesion{cut}"), "light")


def bids_path(path: Path) -> str:
    """Return a scan's path from the folder of its subject on, where it lies in one; else its name."""
    parts = PurePosixPath(path.as_posix()).parts
    place = next((place for place, part in enumerate(parts[:-1]) if part.startswith("sub-")), len(parts) - 1)
    return "/".join(parts[place:])


def _nifti(found: Segmented, voxels: Any, description: str) -> bytes:
    header = found.scan.opened.volume.header
    return like_scan(found.scan.path, header, voxels, f"{description}, bgb_assets")
