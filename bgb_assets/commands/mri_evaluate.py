"""`bgb evaluate mri`: every trained run on the scans it never saw, scan by scan and summed up.

Belongs here: finding runs and scores that are there, files, printing. Does not belong here: predicting and measuring
(`modalities.mri.experiment.scoring`), sums, intervals and comparisons (`modalities.mri.measures`).
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bgb_assets.chain import Chain
from bgb_assets.commands.context import opened_chain, print_json
from bgb_assets.commands.mri_experiment import params_of
from bgb_assets.commands.mri_splits import MODALITY
from bgb_assets.commands.store import parse_bytes
from bgb_assets.commands.tables import print_table
from bgb_assets.engine.experiment import RunMade, runs_made
from bgb_assets.engine.pictures import corpus_entries
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.atomic import temporary_directory
from bgb_assets.storage.digests import sha256_file, sha256_json

if TYPE_CHECKING:
    from bgb_assets.modalities.mri.experiment.scoring import Index
    from bgb_assets.modalities.mri.measures.per_scan import ScoredScan

RUNS_FOLDER = "runs"
"""Holds the scores of each run, named by all that they come from: they are measured once."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is to be evaluated.

    Attributes:
        variant: The model variant.
        output: Folder of the results.
        max_bytes: Bound on the memory of features; what is free if None.
        shuffled_labels: Take the control runs, whose masks were dealt anew among their training scans.
        models: Model directories to take instead of the runs in the store.
        against: `per_scan.parquet` of other variants to compare with.
    """

    variant: str
    output: Path
    max_bytes: int | None = None
    shuffled_labels: bool = False
    models: tuple[Path, ...] = ()
    against: tuple[Path, ...] = ()


def evaluate(
    variant: str | None,
    output: Path | None,
    max_memory: str | None,
    models: Sequence[Path],
    against: Sequence[Path],
    *,
    shuffled_labels: bool,
    as_json: bool,
) -> None:
    """Score the runs of a variant, write `per_scan.parquet` and `summary.json`, and print the summary.

    Raises:
        UsageError: There is no run of that variant for the scans as they are, or a model does not fit them.
    """
    with opened_chain(MODALITY, workers=0) as chain:
        name = variant or chain.modality.default_variant
        folder = output or Path("evaluation") / (f"{name}-shuffled-labels" if shuffled_labels else name)
        max_bytes = None if max_memory is None else parse_bytes(max_memory)
        asked = Asked(name, folder, max_bytes, shuffled_labels, tuple(models), tuple(against))
        summary, passed_over = evaluated(chain, asked)
    if as_json:
        print_json({"folder": str(folder), "summary": summary, "passed_over": passed_over})
    else:
        _show(summary, passed_over, folder)


def evaluated(chain: Chain, asked: Asked) -> tuple[dict[str, Any], list[str]]:
    """Score runs that have no scores yet, and write the results.

    Returns:
        The summary, and a sentence for each run that was passed over.

    Raises:
        UsageError: There is no run to score, or one does not fit the scans here.
    """
    from bgb_assets.modalities.mri.experiment.scoring import GRID, open_index
    from bgb_assets.modalities.mri.measures.aggregates import compare_variants, summarise, write_summary
    from bgb_assets.modalities.mri.measures.per_scan import make_evaluation, read_per_scan, write_per_scan

    directories, passed_over = _models_of(chain, asked)
    entries = corpus_entries(chain)
    if "tokens" not in entries:
        raise UsageError(f"{MODALITY}: there are no tokens yet; `bgb experiment {MODALITY}` makes them and trains")
    store = open_index(chain.store.root, entries["tokens"])
    scans = [scan for directory in directories for scan in _scores(store, directory, asked)]
    name = f"{asked.variant} (shuffled labels)" if asked.shuffled_labels else asked.variant
    evaluation = make_evaluation(name, GRID, store.index.upstream["split"]["digest"], scans)
    others = [read_per_scan(path) for path in asked.against]
    compared = compare_variants(evaluation, others)
    summary = {
        **summarise(evaluation),
        "shuffled_labels": asked.shuffled_labels,
        "comparisons": [dataclasses.asdict(one) for one in compared],
    }
    write_per_scan(asked.output, evaluation)
    write_summary(asked.output, summary)
    return summary, passed_over


def _models_of(chain: Chain, asked: Asked) -> tuple[list[Path], list[str]]:
    """Return the model directories to score, and what was passed over."""
    if asked.models:
        return list(asked.models), []
    from bgb_assets.modalities.mri.experiment.runs import asked_now

    params = params_of(chain, asked.variant)
    made = runs_made(chain, asked.variant, lambda held: asked_now(params, held))
    wanted = [run for run in made if _is_control(run) == asked.shuffled_labels]
    fitting = [run for run in wanted if not run.stale]
    passed_over = [
        f"{run.run or 'its own model'} is of another run now: {'; '.join(run.stale)}" for run in wanted if run.stale
    ]
    if not fitting:
        told = f"; {passed_over[0]}" if passed_over else ""
        flag = " --shuffled-labels" if asked.shuffled_labels else ""
        raise UsageError(
            f"{MODALITY}: no run of {asked.variant} is trained on the scans as they are{told}; "
            f"`bgb experiment {MODALITY} --variant {asked.variant}{flag}` trains them"
        )
    return [chain.store.directory(run.record) for run in fitting], passed_over


def _is_control(run: RunMade) -> bool:
    return bool(run.record.parts_of_identity["params"]["shuffled_labels"])


def _scores(store: "Index", directory: Path, asked: Asked) -> Iterator["ScoredScan"]:
    """Yield the scores of a run: those that are there, or measured now and kept."""
    from bgb_assets.modalities.mri.experiment.scoring import GRID, load_run, score_run
    from bgb_assets.modalities.mri.measures.per_scan import (
        PER_SCAN_FILE,
        make_evaluation,
        read_per_scan,
        write_per_scan,
    )
    from bgb_assets.modalities.mri.measures.scan import SCORER_VERSION

    run = load_run(directory, store, asked.variant, "auto")
    if run.is_control != asked.shuffled_labels:
        raise UsageError(
            f"{directory}: is {'a control' if run.is_control else 'no control'}, and --shuffled-labels says otherwise; "
            "evaluate controls and runs apart"
        )
    made_of = [_digest_of_files(directory), _digest_of_files(store.index_dir), SCORER_VERSION, GRID]
    kept = asked.output / RUNS_FOLDER / sha256_json(made_of)
    if not kept.is_dir():
        split = store.index.upstream["split"]["digest"]
        scored = make_evaluation(asked.variant, GRID, split, score_run(store, run, asked.max_bytes))
        with temporary_directory(kept.parent) as made:
            write_per_scan(made, scored)
            made.rename(kept)
    yield from read_per_scan(kept / PER_SCAN_FILE).scans


def _digest_of_files(directory: Path) -> str:
    files = (path for path in sorted(directory.iterdir()) if path.suffix in (".safetensors", ".json", ".parquet"))
    return sha256_json({path.name: sha256_file(path) for path in files if path.name != "record.json"})


def _show(summary: Mapping[str, Any], passed_over: Sequence[str], folder: Path) -> None:
    over, runs = summary["over_scans"], summary["over_runs"]
    rows = [
        [
            name,
            *(_text(held.get(word)) for word in ("mean", "median", "sd_over_scans")),
            " to ".join(map(_text, held.get("interval", ()))) or "-",
            _text(runs[name]["sd_over_runs"]),
            str(held["n"]),
        ]
        for name, held in over["figures"].items()
    ]
    names = ["figure", "mean", "median", "sd over scans", "95 % interval of the mean", "sd over runs", "scans"]
    print_table(names, rows)
    count = len(runs["lesion_dice"]["runs"])
    typer.echo(f"{summary['variant']}: {over['n_scans']} scans, {count} runs, grid {summary['grid']}")
    for one in summary["comparisons"]:
        typer.echo(
            f"{one['variant']} less {one['reference']}: {one['figure']} {one['mean_difference']:+.4f} over "
            f"{one['pairs']} scans, p {one['p_value']:.3g}, after Holm {one['p_holm']:.3g}"
        )
    for sentence in passed_over:
        typer.echo(f"passed over: {sentence}")
    typer.echo(f"{folder}: per_scan.parquet, summary.json")


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}"
