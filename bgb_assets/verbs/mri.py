"""Verbs about MRI scans and the lesions in them.

Belongs here: arguments and their help. Does not belong here: what a verb does (`bgb_assets.commands`, imported inside
each verb).
"""

from pathlib import Path
from typing import Annotated

import typer

from bgb_assets.verbs import groups

app = typer.Typer()


@app.command()
def segment(
    scan: Annotated[Path, typer.Argument(metavar="SCAN", help="A scan, .nii or .nii.gz.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Model directory; more than once for the mean of several. The newest where left out."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for mask, JSON and picture.")] = Path(
        "segmented"
    ),
    variant: Annotated[
        str | None, typer.Option(help="Model variant that is expected, or whose newest is used.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="A voxel is lesion where its probability is above.")] = 0.5,
    min_component_mm3: Annotated[float, typer.Option(help="Leave out pieces of less volume.")] = 0.0,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probability of each voxel too.")
    ] = False,
    max_memory: Annotated[
        str | None, typer.Option(help="What the network's features may take: 2GiB; 4 GiB, on a GPU 16, where left out.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    fast_crop: Annotated[
        bool, typer.Option("--fast-crop", help="Look at the box of the head only: quicker, and not exact.")
    ] = False,
    assume_orientation: Annotated[
        str | None, typer.Option(help="Where the voxel axes point to, such as RAS, where the scan does not say it.")
    ] = None,
    volume: Annotated[int | None, typer.Option(help="Which volume of a scan with several; the first is 0.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Outline the lesion in a scan by a trained model: a mask on the scan's own grid, its volume, a picture.

    No data set is needed. For example: `bgb segment sub-01_T2w.nii.gz --model DIR -o found`.
    """
    from bgb_assets.commands import mri_segment

    options = mri_segment.SegmentOptions(
        variant=variant,
        threshold=threshold,
        min_component_mm3=min_component_mm3,
        probabilities=probabilities,
        max_memory=max_memory,
        device=device,
        fast_crop=fast_crop,
        assume_orientation=assume_orientation,
        volume=volume,
    )
    mri_segment.segment(scan, model or [], output, options, as_json=json)


@groups.experiment.command("mri")
def experiment_mri(
    variant: Annotated[str | None, typer.Option(help="Model variant; the default one where left out.")] = None,
    folds: Annotated[int, typer.Option(help="Outer folds to test.")] = 3,
    restarts: Annotated[int, typer.Option(help="Runs of each fold, each with a seed of its own.")] = 10,
    limit_hours: Annotated[
        float | None, typer.Option(help="Stop after so many hours; the next call goes on from the last checkpoint.")
    ] = None,
    shuffled_labels: Annotated[
        bool, typer.Option("--shuffled-labels", help="Train controls, whose masks change places among the scans.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts, at the end.")] = False,
) -> None:
    """Train a variant on every outer fold, ten times each; runs that are there already are not trained again."""
    from bgb_assets.commands import mri_experiment

    mri_experiment.experiment(variant, folds, restarts, limit_hours, shuffled_labels=shuffled_labels, as_json=json)


@groups.evaluate.command("mri")
def evaluate_mri(
    variant: Annotated[str | None, typer.Option(help="Model variant; the default one where left out.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; evaluation/VARIANT where left out.")
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option(help="Of features, such as 4GiB; what is free where left out.", show_default=False)
    ] = None,
    model: Annotated[
        list[Path] | None, typer.Option(help="Model directories instead of the runs in the store; more than once.")
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="per_scan.parquet of another variant, to compare with; more than once.")
    ] = None,
    shuffled_labels: Annotated[
        bool, typer.Option("--shuffled-labels", help="Evaluate the controls that `bgb experiment` trained with it.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Score every run of a variant on the scans it never saw: per scan, over scans, over runs, with intervals."""
    from bgb_assets.commands import mri_evaluate

    mri_evaluate.evaluate(
        variant, output, max_memory, model or [], against or [], shuffled_labels=shuffled_labels, as_json=json
    )


@groups.export.command("mri")
def export_mri(
    output: Annotated[Path, typer.Argument(help="Folder for the files and export.json.")] = Path("exported"),
    onnx: Annotated[bool, typer.Option("--onnx", help="Write ONNX files.")] = False,
    model: Annotated[Path | None, typer.Option(help="Model directory; the newest trained one where left out.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="Model variant, or a run of an experiment: meshnet-26@fold-0_restart-3.")
    ] = None,
    forms: Annotated[str, typer.Option(help="With commas: float32, float16, int8.")] = "float32,float16,int8",
    calibration: Annotated[int, typer.Option(help="Training scans that int8 is calibrated on.")] = 8,
    scans: Annotated[
        int | None, typer.Option(help="Test scans to judge on; all of its fold where left out.", show_default=False)
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option(help="Of features, such as 4GiB; what is free where left out.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Write a trained model as ONNX files, and say what lesion Dice each form keeps on scans the model never saw."""
    from bgb_assets.commands import mri_export

    mri_export.export(
        output,
        model,
        variant,
        onnx=onnx,
        forms=forms,
        calibration=calibration,
        scans=scans,
        max_memory=max_memory,
        as_json=json,
    )
