"""Pictures of a song that a person looks at: its mel spectrogram, its onsets, its notes and their density.

Belongs here: figures of one entry's files. Does not belong here: rendering to PNG or HTML, and any measure.
Matplotlib's figures are used without its global state, so that pictures can be drawn in any process.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.beat_grid import BEATS_PER_BAR
from bgb_assets.modalities.beatmap.features import FEATURES_FILE, ONSET_FILE

Columns = Mapping[str, NDArray[Any]]

_HAND_COLORS = ("#e8474c", "#2f8fd8")
_HAND_NAMES = ("left", "right")
_WIDTH_INCHES = 8.0
_STRIP_S = 10.0
_MAX_STRIPS = 8
_DENSITY_WINDOW_S = 4.0
_HALF = float(np.sqrt(0.5))
# Unit vectors of cuts 0 to 7; 8 has none.
_CUT_VECTORS = np.array(
    [(0, 1), (0, -1), (-1, 0), (1, 0), (-_HALF, _HALF), (_HALF, _HALF), (-_HALF, -_HALF), (_HALF, -_HALF), (0, 0)]
)
_LANES, _LAYERS = 4, 3


def pictures(stage: str, directory: Path) -> Mapping[str, Any]:
    """Return the figures of one entry by name; a stage without pictures has none.

    Args:
        stage: `features` gives `mel` and `onset`, `notes` gives `notes` and `density`.
        directory: The entry's files.
    """
    draw: Mapping[str, Callable[[Path], Mapping[str, Any]]] = {"features": _features, "notes": _notes}
    return draw[stage](directory) if stage in draw else {}


def mel_with_notes(features: Path, notes: Path) -> Any:
    """Return a figure of the mel on its beat grid with the notes of the densest difficulty on it.

    A note stands at its beat; its height is its place on the wall, its color its hand, its arrow the cut.
    """
    table = _densest(_read_notes(notes))
    tempo_id = _tempo_of(notes, table["beatmap_id"][0])
    grid, frames_per_beat = _grid(features, tempo_id)
    figure, axes = _figure(height_inches=3.6)
    # Grey and dimmed, so that both hands stand out.
    _draw_mel(axes, grid, frames_per_beat, cmap="gray", loudest=1.6)
    bands = grid.shape[1] - 1
    height = (table["y"] * _LANES + table["x"] + 0.5) / (_LANES * _LAYERS) * bands
    _draw_cuts(axes, table["beat"], height, table)
    axes.set_title(f"{_name(table)} on the mel spectrogram")
    return figure


def _features(directory: Path) -> Mapping[str, Any]:
    described = json.loads((directory / FEATURES_FILE).read_text(encoding="utf-8"))
    grid, frames_per_beat = _grid(directory, min(described["tempo_maps"]))
    mel, axes = _figure(height_inches=3.2)
    _draw_mel(axes, grid, frames_per_beat)
    count = len(described["tempo_maps"])
    axes.set_title("Mel spectrogram on the beat grid" + (f", first of {count} tempo maps" if count > 1 else ""))
    onset, axes = _figure(height_inches=2.2)
    strength = np.load(directory / ONSET_FILE)
    axes.plot(np.arange(len(strength)) * described["hop_s"], strength, linewidth=0.6, color=_HAND_COLORS[1])
    axes.set(xlabel="seconds", ylabel="onset strength (dB)", xlim=(0, described["seconds"]), ylim=(0, None))
    axes.set_title("Onset strength")
    return {"mel": mel, "onset": onset}


def _notes(directory: Path) -> Mapping[str, Any]:
    difficulties = _read_notes(directory)
    if not difficulties:
        return {}
    return {"notes": _note_strips(_densest(difficulties)), "density": _density(difficulties)}


def _note_strips(table: Columns) -> Any:
    """Draw the first 80 s as strips: time to the right, the four lanes from bottom to top, one colour a hand."""
    first_s = float(np.floor(table["time_s"].min()))
    strips = min(_MAX_STRIPS, 1 + int((table["time_s"].max() - first_s) // _STRIP_S))
    figure, all_axes = _figure(height_inches=0.8 + 1.1 * strips, rows=strips)
    for strip, axes in enumerate(np.atleast_1d(all_axes)):
        start_s = first_s + strip * _STRIP_S
        inside = (table["time_s"] >= start_s) & (table["time_s"] < start_s + _STRIP_S)
        part = {name: column[inside] for name, column in table.items()}
        # The layer moves a note a little up within its lane.
        _draw_cuts(axes, part["time_s"], part["x"] + 0.25 * (part["y"] - 1), part)
        axes.set(xlim=(start_s - 0.2, start_s + _STRIP_S), ylim=(-1.1, _LANES), yticks=range(_LANES))
        axes.grid(axis="y", alpha=0.25)
    axes.set_xlabel("seconds; lanes 0 to 3 from the left, upper layers higher within a lane")
    np.atleast_1d(all_axes)[0].set_title(f"{_name(table)}: {len(table['beat'])} notes, red left, blue right")
    return figure


def _density(difficulties: list[Columns]) -> Any:
    figure, axes = _figure(height_inches=2.6)
    for table in sorted(difficulties, key=lambda table: len(table["beat"])):
        times_s = np.sort(table["time_s"])
        at_s = np.arange(0.0, times_s[-1] + _DENSITY_WINDOW_S, 0.25)
        low, high = at_s - _DENSITY_WINDOW_S / 2, at_s + _DENSITY_WINDOW_S / 2
        count = np.searchsorted(times_s, high) - np.searchsorted(times_s, low)
        axes.plot(at_s, count / _DENSITY_WINDOW_S, linewidth=1.2, label=_name(table))
    axes.set(
        xlabel="seconds", ylabel=f"notes per second (over {_DENSITY_WINDOW_S:g} s)", xlim=(0, None), ylim=(0, None)
    )
    axes.legend(fontsize="small", frameon=False)
    axes.set_title("Density")
    return figure


def _figure(height_inches: float, rows: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
    return figure, figure.subplots(rows)


def _draw_mel(
    axes: Any, grid: NDArray[np.float16], frames_per_beat: int, cmap: str = "magma", loudest: float = 1.0
) -> None:
    beats = len(grid) / frames_per_beat
    bands = grid.shape[1] - 1
    mel = grid[:, :-1].T.astype(np.float32)
    axes.imshow(mel, origin="lower", aspect="auto", cmap=cmap, extent=(0, beats, 0, bands), vmin=0, vmax=loudest)
    bars = round(beats) // BEATS_PER_BAR
    # A label every fourth bar of a short song, every sixteenth of a long one.
    step = BEATS_PER_BAR * (4 if bars <= 64 else 16)
    axes.set_xticks(
        np.arange(0, beats + 1, step), [f"{beat // BEATS_PER_BAR:.0f}" for beat in range(0, round(beats) + 1, step)]
    )
    axes.set(xlabel="bar", ylabel="mel band")


def _draw_cuts(axes: Any, across: NDArray[Any], up: NDArray[Any], table: Columns) -> None:
    """Draw a dot per note and, where the cut has a direction, an arrow in its direction."""
    vectors = _CUT_VECTORS[np.clip(table["cut_direction"], 0, len(_CUT_VECTORS) - 1)]
    for hand, color in enumerate(_HAND_COLORS):
        own = table["color"] == hand
        axes.scatter(across[own], up[own], s=10, color=color, linewidths=0, zorder=3, label=_HAND_NAMES[hand])
        axes.quiver(
            across[own], up[own], vectors[own, 0], vectors[own, 1], color=color,
            angles="uv", units="inches", scale=7.0, width=0.018, headwidth=4, zorder=3,
        )  # fmt: skip


def _grid(features: Path, tempo_id: str) -> tuple[NDArray[np.float16], int]:
    described = json.loads((features / FEATURES_FILE).read_text(encoding="utf-8"))
    grid: NDArray[np.float16] = np.load(features / described["tempo_maps"][tempo_id]["file"], mmap_mode="r")
    return grid, described["frames_per_beat"]


def _read_notes(directory: Path) -> list[Columns]:
    """Return the notes of each difficulty as columns, in the order of the file; none where no notes are."""
    import pyarrow.parquet as pq

    path = directory / "notes.parquet"
    if not path.is_file():
        return []
    table = pq.read_table(path)
    columns = {name: np.asarray(table[name].to_pylist()) for name in table.column_names}
    # By name, not by id: two difficulties of a song may hold the same notes.
    names = np.char.add(np.char.add(columns["characteristic"], " "), columns["difficulty"])
    return [{name: column[names == one] for name, column in columns.items()} for one in dict.fromkeys(names.tolist())]


def _tempo_of(notes: Path, beatmap_id: str) -> str:
    import pyarrow.parquet as pq

    rows = pq.read_table(notes / "beatmaps.parquet", columns=["beatmap_id", "tempo_id"]).to_pylist()
    return next(str(row["tempo_id"]) for row in rows if row["beatmap_id"] == beatmap_id)


def _densest(difficulties: list[Columns]) -> Columns:
    return max(difficulties, key=lambda table: len(table["beat"]))


def _name(table: Columns) -> str:
    return f"{table['characteristic'][0]} {table['difficulty'][0]}"
