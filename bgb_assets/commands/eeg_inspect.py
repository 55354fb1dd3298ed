"""`bgb inspect eeg`: what a folder of recordings would become, before any of it is taken in.

Belongs here: the params as configured, printing. Does not belong here: looking (`modalities.eeg.planning`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bgb_assets.commands.context import human_bytes, known_settings, print_json
from bgb_assets.commands.tables import print_table
from bgb_assets.engine.wanted import configured
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.errors import UsageError

if TYPE_CHECKING:
    from bgb_assets.modalities.eeg.planning.outlook import OutlookParams
    from bgb_assets.modalities.eeg.planning.seen import Seen

_NAMED = 10
_COLUMNS = ("split", "windows", "none", "partial", "full", "seizure", "epoch", "seizure in it", "pos_weight")


def inspect(path: Path, variant: str | None, *, as_json: bool) -> None:
    """Print windows, class ratio, an epoch's draw and disk use of the recordings of a folder; opens no signal.

    Args:
        path: A folder, or one recording.
        variant: Model variant whose draw is told; the default one if None.

    Raises:
        UsageError: There is no such path or variant, or nothing in it.
    """
    from bgb_assets.modalities.eeg.planning.outlook import outlook
    from bgb_assets.modalities.eeg.planning.seen import look

    params = _params(variant)
    seen = look(path, params.raw)
    told = outlook(seen, params).to_json()
    if as_json:
        print_json({"path": str(path), **told})
    else:
        _show(seen, told)


def _params(variant: str | None) -> "OutlookParams":
    """Return the params as `config.toml` has them."""
    from bgb_assets.modalities.eeg.planning.outlook import OutlookParams

    known = configured(modality("eeg"), known_settings())
    name = known.default_variant if variant is None else variant
    if name not in known.variants:
        raise UsageError(f"eeg: no variant {name!r}; there are {', '.join(known.variants)}")
    stages = {stage: known.stage(stage).params for stage in ("raw", "features", "manifest")}
    return OutlookParams(**stages, draw=known.variants[name].draw)


def _show(seen: "Seen", told: Mapping[str, Any]) -> None:
    typer.echo(
        f"{told['recordings']} recordings of {told['patients']} patients, {told['hours']:.2f} h; {told['seizures']} "
        f"seizures in {told['recordings_with_seizure']} of them"
    )
    if told["recordings_not_there"]:
        typer.echo(f"{told['recordings_not_there']} are told by their labels alone: the recordings are not there")
    if told["unlabelled"]:
        typer.echo(f"{told['unlabelled']} have no label and train nothing")
    print_table(_COLUMNS, [[name, *_row(counts)] for name, counts in told["windows"].items()])
    for name, size in told["bytes"].items():
        note = " (for comparison; nothing is stored so)" if name == "windows_as_float32" else ""
        typer.echo(f"{name}: {'not known without the recordings' if size is None else human_bytes(size)}{note}")
    typer.echo("signals opened before the first batch: 0; class ratio and pos_weight are exact, from these counts")
    _show_doubts(seen, told)


def _show_doubts(seen: "Seen", told: Mapping[str, Any]) -> None:
    lines = [f"would be quarantined: {name}: {error}" for name, error in seen.refused.items()]
    lines += [f"warning: {name}: {text}" for name, texts in told["warnings"].items() for text in texts]
    for problem in told["problems"]:
        typer.echo(f"the manifest would refuse: {problem}")
    for line in lines[:_NAMED]:
        typer.echo(line)
    if len(lines) > _NAMED:
        typer.echo(f"{len(lines) - _NAMED} more; all of them with --json")
    if told["archives_not_looked_into"]:
        typer.echo(f"not looked into: {len(told['archives_not_looked_into'])} archives")


def _row(counts: Mapping[str, Any]) -> list[str]:
    epoch = counts["epoch"]
    weight = counts["pos_weight"]
    return [
        *(str(counts[name]) for name in ("windows", "none", "partial", "full")),
        _share(counts["seizure_ratio"]),
        str(epoch["windows"]),
        _share(epoch["seizure_ratio"]),
        "-" if weight is None else f"{weight:.4f}",
    ]


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2%}"
