"""Made-up scans: heads with a lesion each, in the forms that deliveries come in, and what is true of each.

Belongs here: whole uploads on disk, in a BIDS tree. Does not belong here: heads (`synthetic.anatomy`), grids and forms
(`synthetic.forms`), files (`synthetic.scan_file`). Scan n of a seed is the same whatever the number of scans is.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.mri.synthetic.anatomy import NOISE_SD, draw_person, intensity, lesion_share
from bgb_assets.modalities.mri.synthetic.forms import Form, grid_of, points_of
from bgb_assets.modalities.mri.synthetic.scan_file import image_bytes, mask_bytes
from bgb_assets.runtime.errors import UsageError

PLAIN: tuple[Form, ...] = (Form(), Form(acquisition="spc3"))
"""One form in two acquisitions, for cohorts whose folds are to balance."""

FAINT = 6.7e-5
"""A slope that makes 255 a value of 0.017: all above 0 is lesion."""

KINDS: tuple[Form, ...] = (
    Form(),
    Form(orientation="LAS", acquisition="spc3"),
    Form(spacing_mm=(2.4, 2.4, 4.8), tilt_deg=(9.0, -6.0, 4.0)),
    Form(slope=0.25, inter=-20.0, acquisition="spc3"),
    Form(mask_value=255, mask_slope=FAINT),
    Form(orientation="PSR", acquisition="spc3"),
    Form(version=2, mask_value=255),
    Form(big_endian=True, acquisition="spc3"),
    Form(masked=False),
)
"""How the scans of `synth` are written, by turns."""

SAMPLES_SEED = 20
SAMPLES: tuple[Form, ...] = (
    Form(spacing_mm=(3.4, 3.4, 3.4)),
    Form(orientation="LAS", spacing_mm=(3.4, 3.4, 3.4), acquisition="spc3"),
    Form(spacing_mm=(2.8, 2.8, 5.6), tilt_deg=(9.0, -6.0, 4.0)),
    Form(spacing_mm=(3.4, 3.4, 3.4), slope=0.25, inter=-20.0, acquisition="spc3"),
    Form(orientation="PSR", spacing_mm=(3.4, 3.4, 3.4), mask_value=255, mask_slope=FAINT),
    Form(spacing_mm=(3.4, 3.4, 3.4), masked=False),
)
"""How the scans of `write_samples` are written."""

LESION_RADII_MM = (15.0, 21.5, 28.0, 34.0)
"""By turns: lesions of all four bins of volume."""

MASKS = "derivatives/lesion_masks"
SESSION = "ses-1"


def synth(out: Path, n: int, seed: int) -> Mapping[str, Any]:
    """Write n uploads below `out`, one scan of each of n subjects, written as `KINDS` say by turns.

    Returns:
        `seed` and `scans`, see `synthesise`.
    """
    return synthesise(out, n, seed, KINDS)


def synthesise(out: Path, subjects: int, seed: int, forms: Sequence[Form] = PLAIN) -> Mapping[str, Any]:
    """Write scans of made-up subjects with their masks below `out`.

    Args:
        out: Where the BIDS tree begins.
        subjects: How many.
        seed: Equal seeds give equal bytes.
        forms: How they are written, by turns.

    Returns:
        `seed`, and for each scan in `scans`: `key` (of the upload), `image` and `mask` (paths below `out`; a scan may
        have none), `orientation`, `side` of the lesion (`left` or `right`), `lesion_voxels` and `lesion_volume_mm3` on
        the scan's grid, whether or not a mask is delivered.

    Raises:
        UsageError: Fewer than no subjects.
    """
    if subjects < 0:
        raise UsageError(f"synthetic scans: got {subjects} subjects; expected 0 or more")
    scans = [write_scan(out, number, seed, forms[number % len(forms)]) for number in range(subjects)]
    return {"seed": seed, "scans": scans}


def write_samples(out: Path) -> Mapping[str, Any]:
    """Write the scans that come with the project: small ones in odd forms; see `synthesise`."""
    return synthesise(out, len(SAMPLES), SAMPLES_SEED, SAMPLES)


def write_scan(out: Path, number: int, seed: int, form: Form) -> dict[str, Any]:
    """Write one scan and its mask and return what is true of it, see `synthesise`."""
    subject = f"sub-S{seed}P{number:03d}"
    rng = np.random.default_rng([seed, number])
    radius_mm = LESION_RADII_MM[number % len(LESION_RADII_MM)] * rng.uniform(0.96, 1.04)
    person = draw_person(rng, radius_mm)
    shape, affine = grid_of(form)
    points = points_of(shape, affine)
    lesion = lesion_share(person, points) >= 0.5
    # Magnitudes of noise, as scanners give them: never below 0.
    values = np.abs(intensity(person, points) + rng.normal(0.0, NOISE_SD, shape))
    stem = f"{subject}_{SESSION}_acq-{form.acquisition}_T2w"
    image = f"{subject}/{SESSION}/anat/{stem}.nii.gz"
    mask = f"{MASKS}/{subject}/{SESSION}/anat/{stem}_desc-lesion_mask.nii.gz" if form.masked else None
    _put(out / image, image_bytes(values, affine, form))
    if mask is not None:
        _put(out / mask, mask_bytes(lesion, affine, form))
        sidecar = {"SpatialReference": f"bids:raw:{image}", "Type": "Lesion", "Synthetic": True}
        _put(out / mask.replace(".nii.gz", ".json"), (json.dumps(sidecar, indent=1) + "\n").encode())
    voxels = int(np.count_nonzero(lesion))
    return {
        "key": f"{subject}_{SESSION}",
        "image": image,
        "mask": mask,
        "orientation": form.orientation,
        "side": "left" if person.lesion_mm[0] < 0 else "right",
        "lesion_voxels": voxels,
        "lesion_volume_mm3": voxels * float(np.prod(form.spacing_mm)),
    }


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
