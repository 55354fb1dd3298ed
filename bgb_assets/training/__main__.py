"""`python -m bgb_assets.training`: train a variant on a machine that has torch, Lightning and the tokens only.

Copy or mount the data folder, train, copy the model directory back. Needs neither dagster nor librosa nor nibabel.
Belongs here: arguments and exit codes (0 ok, 1 failed, 2 usage). Does not belong here: training itself (`run`).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bgb_assets.runtime.errors import BgbError, ContractError, UsageError
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.logs import heard


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        with heard("bgb_assets"):
            result = _train(options)
    except UsageError as error:
        parser.error(str(error))
    except BgbError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(result, indent=2, sort_keys=True) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bgb_assets.training", description="Train one variant of a model.")
    parser.add_argument("model", help="a modality (beatmap), or package.module:NAME of a ModelSpec")
    parser.add_argument("--variant", required=True, help="which of the model's variants")
    parser.add_argument("--tokens", required=True, type=Path, help="directory of index.json")
    parser.add_argument("--root", required=True, type=Path, help="store root that the index is relative to")
    parser.add_argument("--out", required=True, type=Path, help="model directory to make; must not exist")
    parser.add_argument("--work", required=True, type=Path, help="checkpoints; run again with the same to go on")
    parser.add_argument("--logs", required=True, type=Path, help="TensorBoard files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--workers", default="auto", type=_workers, help="processes that read, or auto")
    parser.add_argument("--checkpoint-every-steps", type=int, default=500)
    return parser


def _workers(text: str) -> int | str:
    return text if text == "auto" else int(text)


def _train(options: argparse.Namespace) -> dict[str, Any]:
    """Train in a directory beside the final one and rename it, so that a kill leaves no half model."""
    if options.out.exists():
        raise UsageError(f"--out {str(options.out)!r} exists; remove it or name another")
    spec = _resolve(options.model)
    # Here, not above: --help must not take the seconds that importing torch takes.
    from bgb_assets.storage.atomic import remove_tree, temporary_directory
    from bgb_assets.training.fit import Machine
    from bgb_assets.training.run import train_model

    if options.variant not in spec.defaults:
        raise UsageError(f"variant must be one of {sorted(spec.defaults)!r}, got {options.variant!r}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    # In `work` it would be cleaner, but that may be on another disk, where a rename is a copy.
    with temporary_directory(options.out.with_name(f".{options.out.name}.unfinished")) as out:
        trained = train_model(
            spec,
            spec.defaults[options.variant],
            variant=options.variant,
            tokens=options.tokens,
            root=options.root,
            work=options.work,
            out=out,
            logs=options.logs,
            seed=options.seed,
            lineage={},
            machine=Machine(options.device, options.workers, options.checkpoint_every_steps),
        )
        out.rename(options.out)
    remove_tree(options.out.with_name(f".{options.out.name}.unfinished"))
    return {"model": str(options.out), "metrics": dict(trained.metadata), "observed": dict(trained.observed)}


def _resolve(name: str) -> Any:
    """Return the ModelSpec of a modality or of an import string."""
    try:
        return resolve(name if ":" in name else f"bgb_assets.modalities.{name}.model:SPEC")
    except ContractError as error:
        raise UsageError(f"no model {name!r}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
