"""Pictures of all songs together: what the manifest counts, what the tokens hold, how a model learned and errs.

Belongs here: figures of the entries of manifest, tokens and model. Does not belong here: one song (`report_song`),
rendering to PNG or HTML, and any measure.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.naming import CHARACTERISTICS, DIFFICULTIES
from bgb_assets.modalities.beatmap.pictures.report_drawing import DIFFICULTY_COLORS, HAND_COLORS, figure_of
from bgb_assets.modalities.beatmap.sequences.token_classes import CONFUSION_FILE, NAMES, class_of_id
from bgb_assets.training.curves import read_curves

SPLITS: Mapping[int, str] = {0: "train", 1: "val", 2: "test", -1: "none"}
MAX_TOKENS = 20_000_000
"""So many tokens, evenly spread over the shards, are counted for the shares of classes."""

_INCLUDED, _EXCLUDED = HAND_COLORS[1], "#a0a6b0"
_COLORS = ("#2f8fd8", "#e8474c", "#3fa76a", "#e0a030", "#8a63c9", "#4fb3b3", "#c65d9b", "#7b8794")
_BINS = 40


def counts(manifest: Path) -> Any | None:
    """Return a figure of how many difficulties there are by difficulty, split and reason, or None without any."""
    rows = _rows(manifest, ("characteristic", "difficulty", "split", "included", "reason"))
    if not rows["included"]:
        return None
    reasons = Counter(reason for reason in rows["reason"] if reason)
    figure, (by_difficulty, by_split, by_reason) = figure_of(3.2, columns=3)
    _stacked(by_difficulty, rows["difficulty"], rows["characteristic"], DIFFICULTIES, CHARACTERISTICS)
    by_difficulty.set_title("by difficulty", fontsize=10)
    names = [SPLITS.get(split, str(split)) for split in rows["split"]]
    kept = ["included" if included else "left out" for included in rows["included"]]
    _stacked(by_split, names, kept, tuple(SPLITS.values()), ("included", "left out"), (_INCLUDED, _EXCLUDED))
    by_split.set_title("by split", fontsize=10)
    ordered = reasons.most_common(8)[::-1]
    bars = by_reason.barh([name for name, _ in ordered], [count for _, count in ordered], color=_EXCLUDED)
    by_reason.bar_label(bars, fontsize=7, padding=2)
    by_reason.set_title("left out, by reason" if ordered else "none left out", fontsize=10)
    by_reason.margins(x=0.18)
    _whole_numbers(by_reason.xaxis)
    for axes in (by_difficulty, by_split):
        axes.set_ylabel("difficulties", fontsize=8)
    by_reason.set_xlabel("difficulties", fontsize=8)
    for axes in (by_difficulty, by_split, by_reason):
        axes.tick_params(labelsize=7)
    included = sum(rows["included"])
    figure.suptitle(f"{len(rows['included']):,} difficulties, {included:,} included", fontsize=11)
    return figure


def timing(manifest: Path, root: Path) -> Any | None:
    """Return a figure of timing shift and timing ratio over all difficulties with audio, or None without any.

    Dashed are the limits outside of which the manifest leaves a difficulty out.
    """
    shifts_ms, ratios = (_timing_column(manifest, root, name) for name in ("timing_shift_ms", "timing_ratio"))
    if not len(shifts_ms):
        return None
    limits = json.loads((manifest / "manifest.json").read_bytes())["params"]["filters"]
    figure, (left, right) = figure_of(2.8, columns=2)
    left.hist(shifts_ms, bins=np.arange(-152.5, 157.5, 5), color=_INCLUDED)
    left.set(xlabel="timing shift (ms): notes ahead of the onsets", ylabel="difficulties")
    right.hist(ratios, bins=np.linspace(0, max(3.0, float(ratios.max())), _BINS), color=_INCLUDED)
    right.set(xlabel="timing ratio: onset strength at the notes / mean", ylabel="difficulties")
    for axes, names in ((left, ("min_timing_shift_ms", "max_timing_shift_ms")), (right, ("min_timing_ratio",))):
        for name in names:
            axes.axvline(limits[name], color=HAND_COLORS[0], linestyle="--", linewidth=1.0)
        axes.xaxis.label.set_fontsize(9)
        axes.tick_params(labelsize=8)
        _whole_numbers(axes.yaxis)
    figure.suptitle(
        f"Timing of {len(shifts_ms):,} difficulties with audio; dashed: limits of the manifest", fontsize=11
    )
    return figure


def pace(manifest: Path) -> Any | None:
    """Return a figure of the notes per second by difficulty, or None where no difficulty has any."""
    rows = _rows(manifest, ("difficulty", "nps"))
    held = {
        name: [
            nps for difficulty, nps in zip(rows["difficulty"], rows["nps"], strict=True) if difficulty == name and nps
        ]
        for name in DIFFICULTIES
    }
    held = {name: values for name, values in held.items() if values}
    if not held:
        return None
    most = max(max(values) for values in held.values())
    figure, (axes,) = figure_of(2.8)
    bins = np.arange(0, most + 1.0, 0.5)
    colors = [DIFFICULTY_COLORS[name] for name in held]
    labels = [f"{name}: {len(values):,}, median {np.median(values):.1f}/s" for name, values in held.items()]
    axes.hist(list(held.values()), bins=bins, stacked=True, color=colors, label=labels)
    axes.set(xlabel="notes per second, whole difficulty", ylabel="difficulties", xlim=(0, None))
    axes.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_title("Pace")
    _whole_numbers(axes.yaxis)
    return figure


def lengths(tokens: Path) -> Any | None:
    """Return a figure of how long the token sequences are, or None without any."""
    import pyarrow.parquet as pq

    samples = pq.read_table(tokens / "samples.parquet", columns=["length", "bars"])
    if not samples.num_rows:
        return None
    figure, (left, right) = figure_of(2.8, columns=2)
    length = np.asarray(samples.column("length"))
    bars = np.asarray(samples.column("bars"))
    for axes, values, name in ((left, length, "tokens per sequence"), (right, bars, "bars per sequence")):
        axes.hist(values, bins=min(_BINS, max(5, len(values) // 2)), color=_INCLUDED)
        axes.set(xlabel=name, ylabel="sequences", xlim=(0, None))
        axes.tick_params(labelsize=8)
        _whole_numbers(axes.yaxis)
    per_bar = length.sum() / max(1, bars.sum())
    figure.suptitle(f"{len(length):,} sequences, {length.sum():,} tokens, {per_bar:.1f} a bar", fontsize=11)
    return figure


def classes(tokens: Path, root: Path) -> Any | None:
    """Return a figure of the share of each class of token, or None without tokens."""
    counted, total = _class_counts(tokens, root)
    if not counted.sum():
        return None
    shares = 100.0 * counted / counted.sum()
    order = [number for number in np.argsort(shares) if counted[number]]
    figure, (axes,) = figure_of(0.9 + 0.26 * len(order))
    bars = axes.barh([NAMES[number] for number in order], shares[order], color=_INCLUDED)
    axes.bar_label(bars, [f"{shares[number]:.2f} %" for number in order], fontsize=7, padding=3)
    axes.set_xlabel("share of all tokens (%)")
    axes.margins(x=0.1)
    looked = f"{total:,} tokens" if counted.sum() == total else f"{counted.sum():,} of {total:,} tokens"
    axes.set_title(f"Classes of {looked}", fontsize=11)
    return figure


def curves(logs: Path) -> Any | None:
    """Return a figure of the loss in training and validation and of the accuracies, or None without logs."""
    held = read_curves(logs)
    losses = {name: curve for name, curve in held.items() if name in ("train/loss", "validation/loss")}
    if not losses:
        return None
    figure, (left, right) = figure_of(3.0, columns=2)
    for number, (name, (steps, values)) in enumerate(sorted(losses.items())):
        _line(left, steps, values, name.partition("/")[0], _COLORS[number])
    left.set(xlabel="step", ylabel="loss (nats per token)", ylim=(0, None))
    names = sorted(name for name in held if name.startswith("validation/") and name.endswith("_accuracy"))
    for number, name in enumerate(names):
        label = name.removeprefix("validation/").removesuffix("_accuracy")
        _line(right, held[name][0], held[name][1], label, _COLORS[number])
    right.set(xlabel="step", ylabel="accuracy in validation", ylim=(0, 1.02))
    for axes in (left, right):
        axes.legend(fontsize="small", frameon=False)
    figure.suptitle("Training", fontsize=11)
    return figure


def confusion(model: Path) -> Any | None:
    """Return a figure of which class of token is taken for which, or None where nothing was validated."""
    path = model / CONFUSION_FILE
    content: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {"windows": 0}
    if not content["windows"]:
        return None
    table = np.array(content["counts"], np.float64)
    seen = [number for number in range(len(table)) if table[number].any() or table[:, number].any()]
    table, names = table[np.ix_(seen, seen)], [content["classes"][number] for number in seen]
    totals = np.atleast_2d(table.sum(axis=1)).T
    shares = np.divide(table, totals, out=np.zeros_like(table), where=totals > 0)
    figure, (axes,) = figure_of(1.6 + 0.42 * len(seen))
    # What never comes is left in the background's color, light or dark.
    axes.imshow(np.ma.masked_equal(shares, 0.0), cmap="Blues", vmin=-0.15, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if table[row, column]:
            color = "#fffffe" if share > 0.5 else "#101418"
            axes.text(column, row, f"{100 * share:.1f}", ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(len(seen)), names)
    axes.set_yticks(
        range(len(seen)), [f"{name} ({int(total):,})" for name, total in zip(names, totals[:, 0], strict=True)]
    )
    axes.set(xlabel="class of the likeliest token", ylabel="class of the true token (how many)")
    windows = f"{content['windows']:,} of {content['of']:,} validation windows"
    axes.set_title(f"Classes of tokens taken for one another, % of a row; {windows}", fontsize=11)
    return figure


def _rows(manifest: Path, columns: Sequence[str]) -> dict[str, list[Any]]:
    from bgb_assets.storage.manifest import read_rows

    held: dict[str, list[Any]] = read_rows(manifest, columns).to_pydict()
    return held


def _timing_column(manifest: Path, root: Path, name: str) -> NDArray[np.float64]:
    from bgb_assets.storage.table_reader import Tables

    with Tables(manifest, root) as tables:
        if "beatmaps" not in tables.names:
            return np.zeros(0)
        values = np.asarray(tables.read("beatmaps", [name]).column(name).to_pandas(), np.float64)
    return values[np.isfinite(values)]


def _stacked(
    axes: Any,
    across: Sequence[str],
    up: Sequence[str],
    order: Sequence[str],
    stack: Sequence[str],
    colors: Sequence[str] = _COLORS,
) -> None:
    """Draw a bar for each value of `across`, cut by `up`; values in no order come last."""
    pairs = Counter(zip(across, up, strict=True))
    names = [name for name in (*order, *sorted(set(across) - set(order))) if name in set(across)]
    bottom = np.zeros(len(names))
    kinds = [kind for kind in (*stack, *sorted(set(up) - set(stack))) if kind in set(up)]
    for number, kind in enumerate(kinds):
        heights = np.array([pairs[name, kind] for name in names], float)
        axes.bar(names, heights, bottom=bottom, label=kind, color=colors[number % len(colors)])
        bottom += heights
    axes.legend(fontsize=7, frameon=False)
    axes.set_ylim(0, 1.35 * max(1.0, *bottom))  # room for the legend
    axes.tick_params(axis="x", rotation=30)
    _whole_numbers(axes.yaxis)


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def _class_counts(tokens: Path, root: Path) -> tuple[NDArray[np.int64], int]:
    """Return how often each class comes among at most `MAX_TOKENS` tokens, and how many tokens there are."""
    from bgb_assets.storage.shards import read_index

    shards = read_index(tokens).shards
    files = [root / shard.location / shard.arrays["tokens"].file for shard in shards]
    total = sum(shard.arrays["tokens"].shape[0] for shard in shards)
    share = min(1.0, MAX_TOKENS / max(1, total))
    counted = np.zeros(len(NAMES), np.int64)
    for file in files:
        ids = np.load(file, mmap_mode="r")
        ids = ids[: round(len(ids) * share)]
        counted += np.bincount(class_of_id()[ids], minlength=len(NAMES))
    return counted, total


def _line(axes: Any, steps: NDArray[np.int64], values: NDArray[np.float64], label: str, color: str) -> None:
    axes.plot(steps, values, linewidth=1.2, label=label, color=color, marker="." if len(steps) < 30 else "")
