"""Uploads of small heads with BIDS names, each subject's lesion larger than the one's before."""

from pathlib import Path

import nibabel
import numpy as np

SHAPE = (24, 24, 24)
"""A conformed volume that holds them."""
EDGES_MM3 = (300.0, 600.0)
"""Bins that some of the lesions end in."""


def lesion_of(number: int) -> np.ndarray:
    """Return a lesion that grows with the number, in voxels of 2 x 1 x 1 mm."""
    mask = np.zeros((10, 20, 20), np.uint8)
    mask[3:6, 5 : 6 + 2 * number, 8:14] = 1
    return mask


def write_upload(folder: Path, number: int) -> Path:
    """Write image and mask of one subject with BIDS names."""
    folder.mkdir(parents=True)
    stem, affine = f"sub-M{number:03d}_ses-{7 * number}_acq-spc3p2", np.diag([2.0, 1, 1, 1])
    image = np.random.default_rng(number).integers(1, 400, (10, 20, 20)).astype(np.int16)
    for name, values in ((f"{stem}_T2w", image), (f"{stem}_desc-lesion_mask", lesion_of(number))):
        made = nibabel.Nifti1Image(values, affine)
        made.set_sform(affine, 1)
        made.to_filename(folder / f"{name}.nii.gz")
    return folder
