"""Whether an exported file is as good as the network it was made from: by the lesions it finds, not by noise.

Belongs here: running files, and the verdict. Does not belong here: making them (`graphs`), the figure
(`measures.overlap`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.experiment.scoring import HeldOutScan, lesion_in, logits_on
from bgb_assets.modalities.mri.export.graphs import INPUT, OUTPUT
from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.modalities.mri.measures.overlap import overlap
from bgb_assets.runtime.errors import UsageError

DICE_LOSS_LIMIT: Mapping[str, float] = {"float32": 1e-4, "float16": 1e-3, "int8": 1e-2}
"""Form -> most mean lesion Dice that it may lose against torch, on the same scans."""


@dataclass(frozen=True)
class Verdict:
    """What one file is worth.

    Attributes:
        bytes: Size of the file.
        max_logit_difference: From torch's, over all voxels of all scans; None where a logit is not finite.
        lesion_dice: Mean over the scans.
        dice_loss: What torch finds, less that; below 0 where the file finds more.
        limit: Most loss at which it is accepted.
    """

    file: str
    bytes: int
    max_logit_difference: float | None
    lesion_dice: float
    dice_loss: float
    limit: float

    @property
    def accepted(self) -> bool:
        """Whether all its logits are finite, and it loses no more than it may."""
        return self.max_logit_difference is not None and self.dice_loss <= self.limit

    def to_json(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {**asdict(self), "accepted": self.accepted}


def judge(
    network: MeshNet, files: Mapping[str, Path], scans: Iterable[HeldOutScan], max_bytes: int | None = None
) -> tuple[float, dict[str, Verdict]]:
    """Compare files with the network they come from, scan by scan.

    Args:
        network: In eval mode, on the CPU.
        files: Form -> its file.
        scans: Such as the network never saw.
        max_bytes: Bound on the memory of torch's features.

    Returns:
        The network's own mean lesion Dice, and form -> verdict.

    Raises:
        UsageError: There is no scan, or a file cannot be run.
    """
    sessions = {form: _session(path) for form, path in files.items()}
    reference: list[float] = []
    dice: dict[str, list[float]] = {form: [] for form in files}
    differences = dict.fromkeys(files, 0.0)
    for scan in scans:
        expected = logits_on(network, scan.image, max_bytes)
        reference.append(_dice(expected, scan))
        for form, session in sessions.items():
            found = session.run([OUTPUT], {INPUT: scan.image.numpy()})[0][0]
            dice[form].append(_dice(found, scan))
            differences[form] = _worse(differences[form], found, expected)
    if not reference:
        raise UsageError("there is no scan to judge a file on")
    own = math.fsum(reference) / len(reference)
    return own, {form: _verdict(form, path, own, dice[form], differences[form]) for form, path in files.items()}


def _session(path: Path) -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    try:
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no family of errors
        raise UsageError(f"{path}: onnxruntime cannot run it ({error}); export again") from error


def _dice(logits: NDArray[np.float32], scan: HeldOutScan) -> float:
    return overlap(lesion_in(logits), scan.truth).lesion_dice()


def _worse(before: float, found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the larger difference; infinite once a logit is not finite."""
    difference = float(np.abs(found - expected).max())
    return max(before, difference) if math.isfinite(difference) else math.inf


def _verdict(form: str, path: Path, own: float, dice: list[float], difference: float) -> Verdict:
    mean = math.fsum(dice) / len(dice)
    return Verdict(
        file=path.name,
        bytes=path.stat().st_size,
        max_logit_difference=difference if math.isfinite(difference) else None,
        lesion_dice=mean,
        dice_loss=own - mean,
        limit=DICE_LOSS_LIMIT[form],
    )
