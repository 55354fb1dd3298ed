"""`bgb segment`: the lesion in a scan, as a mask on the scan's own grid.

Belongs here: checking the arguments, printing. Does not belong here: finding the lesion
(`modalities.mri.segmentation`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bgb_assets.commands.context import print_json
from bgb_assets.commands.models import newest_model
from bgb_assets.commands.store import parse_bytes
from bgb_assets.runtime.errors import UsageError

if TYPE_CHECKING:
    from bgb_assets.modalities.mri.segmentation.segment import Segmented

MODALITY = "mri"
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class SegmentOptions:
    """What `bgb segment` was told, as it was typed.

    Attributes:
        variant: Of the models.
        threshold: A voxel is lesion where its probability is above.
        min_component_mm3: Pieces of less volume are left out.
        probabilities: Whether they are written.
        max_memory: Such as `2GiB`.
        device: One of `DEVICES`.
        fast_crop: Whether only the box of the head is looked at.
        assume_orientation: Such as `RAS`.
        volume: Which volume of several.
    """

    variant: str | None = None
    threshold: float = 0.5
    min_component_mm3: float = 0.0
    probabilities: bool = False
    max_memory: str | None = None
    device: str = "auto"
    fast_crop: bool = False
    assume_orientation: str | None = None
    volume: int | None = None


def segment(scan: Path, models: Sequence[Path], output: Path, options: SegmentOptions, *, as_json: bool) -> None:
    """Outline the lesion of a scan, write the files, print what was found.

    Raises:
        UsageError: There is no such scan or model, models do not fit each other, or an option is wrong.
        BadScan: The scan is wrong.
        TrainingError: A model directory is damaged, or of another kind.
    """
    if not scan.is_file():
        raise UsageError(f"{scan}: no such file; give a scan, .nii or .nii.gz")
    if options.device not in DEVICES:
        raise UsageError(f"--device takes {', '.join(DEVICES)}, got {options.device!r}")
    chosen = list(models) or [newest_model(MODALITY, options.variant)]
    found = _found(scan, chosen, options)
    # Only now: it takes a second to import.
    from bgb_assets.modalities.mri.segmentation.results import said_of, write_all

    written = write_all(found, output, probabilities=options.probabilities)
    files = {name: str(path) for name, path in written.items()}
    if as_json:
        print_json({**said_of(found), "files": files})
    else:
        _report(found, files.values())


def _found(scan: Path, models: Sequence[Path], options: SegmentOptions) -> "Segmented":
    from bgb_assets.modalities.mri.scans.nifti import ORIENTATIONS, Reading
    from bgb_assets.modalities.mri.segmentation.segment import SegmentParams, segment
    from bgb_assets.modalities.mri.segmentation.trained import load_models

    assumed = options.assume_orientation
    if assumed is not None and assumed not in ORIENTATIONS:
        raise UsageError(f"--assume-orientation takes three ends of axes such as RAS or LPS, got {assumed!r}")
    return segment(
        scan,
        load_models(models, options.variant),
        SegmentParams(options.threshold, options.min_component_mm3, options.fast_crop),
        reading=Reading(options.volume, assumed),
        max_bytes=None if options.max_memory is None else parse_bytes(options.max_memory),
        device=options.device,
    )


def _report(found: "Segmented", files: Iterable[str]) -> None:
    for flag in found.flags:
        typer.echo(f"warning: {flag.code}: {flag.message}")
    lesion = found.measured
    left_out = f", {found.left_out} smaller ones left out" if found.left_out else ""
    typer.echo(
        f"{found.scan.path.name}: {lesion.volume_mm3 / 1000:.2f} ml of lesion, {lesion.voxels} voxels "
        f"in {lesion.components} pieces{left_out}"
    )
    name, _ = found.engine.choice
    cut = ", in the box of the head only: not exact" if found.engine.fast_crop else ""
    typer.echo(f"by {len(found.models)} x {found.models[0]['variant']}, engine {name} on {found.engine.device}{cut}")
    for file in files:
        typer.echo(f"written: {file}")
