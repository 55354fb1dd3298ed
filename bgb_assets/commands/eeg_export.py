"""`bgb export eeg`: the manifest in the form that trainers of per-window archives read.

Belongs here: finding the manifest, printing. Does not belong here: the form (`modalities.eeg.windows.classic`).
"""

from pathlib import Path

import typer

from bgb_assets.commands.context import opened_chain, print_json
from bgb_assets.engine.pictures import corpus_entries
from bgb_assets.runtime.errors import UsageError

MODALITY, STAGE = "eeg", "manifest"


def export(output: Path, split: str | None, *, as_json: bool) -> None:
    """Write `partial_seizure`, `full_seizure` and `no_seizure` of the current manifest as one JSON file.

    Args:
        output: The file.
        split: Only the windows of this split; those of all splits if None.

    Raises:
        UsageError: There is no manifest, no such split, or the file cannot lie there.
    """
    from bgb_assets.modalities.eeg.windows.classic import write_classic_manifest

    if output.is_dir() or not output.absolute().parent.is_dir():
        raise UsageError(f"{output}: must be a file in a folder that exists")
    with opened_chain(MODALITY, workers=0) as chain:
        entries = corpus_entries(chain)
        root = chain.store.root
    if STAGE not in entries:
        raise UsageError(f"{MODALITY}: there is no manifest yet; `bgb materialize {MODALITY}` makes one")
    counts = write_classic_manifest(entries[STAGE], output, split)
    if as_json:
        print_json({"file": str(output), "root": str(root), "split": split, "windows": counts})
        return
    typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    typer.echo(f"{output}: cache_file is relative to {root}")
