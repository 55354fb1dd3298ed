"""`bgb export mri --onnx`: a trained model as ONNX files, each with what it is worth.

Belongs here: finding model and scans, printing. Does not belong here: the files and the verdict
(`modalities.mri.export`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from bgb_assets.commands.context import human_bytes, opened_chain, print_json
from bgb_assets.commands.models import newest_model
from bgb_assets.commands.mri_splits import MODALITY
from bgb_assets.commands.store import parse_bytes
from bgb_assets.commands.tables import print_table
from bgb_assets.engine.pictures import corpus_entries
from bgb_assets.runtime.errors import UsageError


def export(
    output: Path,
    model: Path | None,
    variant: str | None,
    *,
    onnx: bool,
    forms: str,
    calibration: int,
    scans: int | None,
    max_memory: str | None,
    as_json: bool,
) -> None:
    """Write a model's ONNX files and `export.json`, and say which of them are good enough.

    Raises:
        UsageError: There is no model or no scan to judge it on, or a package is missing.
        TrainingError: The model directory is damaged.
    """
    if not onnx:
        raise UsageError(f"`bgb export {MODALITY}` writes ONNX files: give --onnx")
    with opened_chain(MODALITY, workers=0) as chain:
        entries = corpus_entries(chain)
        root = chain.store.root
    if "tokens" not in entries:
        raise UsageError(f"{MODALITY}: there are no scans to judge a model on; `bgb materialize {MODALITY}` first")
    directory = model or newest_model(MODALITY, variant)
    # Only now: it takes seconds to import.
    from bgb_assets.modalities.mri.experiment.scoring import load_run, open_index
    from bgb_assets.modalities.mri.export.exporting import export_run

    store = open_index(root, entries["tokens"])
    told = export_run(
        store,
        load_run(directory, store),
        directory,
        output,
        forms=[name.strip() for name in forms.split(",") if name.strip()],
        calibration=calibration,
        scans=scans,
        max_bytes=None if max_memory is None else parse_bytes(max_memory),
    )
    if as_json:
        print_json({"folder": str(output), "model": str(directory), **told})
    else:
        _show(told, output)


def _show(told: Mapping[str, Any], output: Path) -> None:
    rows = [
        [
            form,
            human_bytes(one["bytes"]),
            "not finite" if one["max_logit_difference"] is None else f"{one['max_logit_difference']:.2e}",
            f"{one['lesion_dice']:.4f}",
            f"{one['dice_loss']:+.4f}",
            "accepted" if one["accepted"] else f"REFUSED: may lose {one['limit']:g}",
        ]
        for form, one in told["forms"].items()
    ]
    print_table(["form", "size", "largest logit difference", "lesion Dice", "lost", "verdict"], rows)
    test = told["test"]
    typer.echo(f"torch: lesion Dice {test['torch_lesion_dice']:.4f} on {len(test['scans'])} scans it never saw")
    if refused := [one["file"] for one in told["forms"].values() if not one["accepted"]]:
        typer.echo(f"not good enough to be used: {', '.join(refused)}; kept, with `accepted: false`")
    typer.echo(f"{output}: {', '.join(one['file'] for one in told['forms'].values())}, export.json")
