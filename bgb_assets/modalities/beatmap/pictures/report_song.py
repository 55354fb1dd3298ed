"""Pictures of one song: its mel spectrogram, its onsets, its notes on both, and their density.

Belongs here: figures of one song's entries. Does not belong here: the wall note by note (`report_grid`), the corpus
(`report_corpus`), rendering to PNG or HTML, and any measure.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.audio.beat_grid import BEATS_PER_BAR
from bgb_assets.modalities.beatmap.features import FEATURES_FILE, ONSET_FILE
from bgb_assets.modalities.beatmap.formats.naming import CHARACTERISTICS
from bgb_assets.modalities.beatmap.pictures.report_drawing import (
    DIFFICULTY_COLORS,
    HAND_COLORS,
    LANES,
    LAYERS,
    Drawn,
    densest,
    draw_cuts,
    figure_of,
    inside,
    read_mel,
)

Asked: TypeAlias = float | tuple[Sequence[float], Sequence[float]]
"""Notes per second asked for; where they vary, (seconds, notes per second from each of them on)."""

_STRIP_S = 10.0
_MAX_STRIPS = 8
_BARS_PER_ROW, _MAX_ROWS = 8, 8
_DENSITY_WINDOW_S = 4.0
_LABELLED_CHANGES = 8
_TEMPO_COLOR = "#c88a12"
_LAYER_NAMES = ("bottom", "middle", "top")


def mel(features: Path) -> Any:
    """Return a figure of the whole song's mel spectrogram on its beat grid."""
    described = json.loads((features / FEATURES_FILE).read_text(encoding="utf-8"))
    grid, frames_per_beat = read_mel(features, min(described["tempo_maps"]))
    figure, (axes,) = figure_of(height_inches=3.2)
    beats = len(grid) / frames_per_beat
    _draw_mel(axes, grid, 0.0, beats, cmap="magma", loudest=1.0)
    bars = round(beats) // BEATS_PER_BAR
    # A label every fourth bar of a short song, every sixteenth of a long one.
    step = BEATS_PER_BAR * (4 if bars <= 64 else 16)
    _label_bars(axes, range(0, round(beats) + 1, step))
    axes.set(xlabel="bar", ylabel="mel band")
    count = len(described["tempo_maps"])
    axes.set_title("Mel spectrogram on the beat grid" + (f", first of {count} tempo maps" if count > 1 else ""))
    return figure


def onset(features: Path) -> Any:
    """Return a figure of the onset strength over time."""
    described = json.loads((features / FEATURES_FILE).read_text(encoding="utf-8"))
    figure, (axes,) = figure_of(height_inches=2.2)
    strength = np.load(features / ONSET_FILE)
    axes.plot(np.arange(len(strength)) * described["hop_s"], strength, linewidth=0.6, color=HAND_COLORS[1])
    axes.set(xlabel="time (s)", ylabel="onset strength (dB)", xlim=(0, described["seconds"]), ylim=(0, None))
    axes.set_title("Onset strength")
    return figure


def mel_with_notes(features: Path, difficulties: list[Drawn]) -> Any:
    """Return a figure of the mel, eight bars a row, with the notes of the densest difficulty on it.

    A note stands at its beat; its height is its place on the wall (layer, and within it the lane), its color its
    hand, its arrow the cut. Thin lines are beats, thick ones bars, dashed ones changes of the tempo.
    """
    one = densest(difficulties)
    grid, frames_per_beat = read_mel(features, one.tempo_id)
    bars = -(-len(grid) // (frames_per_beat * BEATS_PER_BAR))
    rows = min(_MAX_ROWS, -(-bars // _BARS_PER_ROW))
    per_row = min(_BARS_PER_ROW, -(-bars // rows))
    figure, all_axes = figure_of(height_inches=0.7 + 1.3 * rows, rows=rows)
    for row, axes in enumerate(all_axes):
        beats = range(row * per_row * BEATS_PER_BAR, (row + 1) * per_row * BEATS_PER_BAR + 1)
        _draw_row(axes, grid, frames_per_beat, one, beats)
    all_axes[-1].set_xlabel("bar")
    shown = min(bars, rows * per_row)
    part = f"all {bars} bars" if shown == bars else f"the first {shown} of {bars} bars"
    figure.suptitle(f"{one.name} on the mel spectrogram, {part}; red left hand, blue right hand", fontsize=11)
    return figure


def note_strips(difficulties: list[Drawn]) -> Any:
    """Return a figure of the first 80 s of the densest difficulty as strips: time to the right, lanes upwards."""
    one = densest(difficulties)
    first_s = float(np.floor(one.notes["time_s"].min()))
    strips = min(_MAX_STRIPS, 1 + int((one.notes["time_s"].max() - first_s) // _STRIP_S))
    figure, all_axes = figure_of(height_inches=0.8 + 1.1 * strips, rows=strips)
    for strip, axes in enumerate(all_axes):
        start_s = first_s + strip * _STRIP_S
        part = inside(one.notes, "time_s", start_s, start_s + _STRIP_S)
        # The layer moves a note a little up within its lane.
        draw_cuts(axes, part["time_s"], part["x"] + 0.25 * (part["y"] - 1), part)
        axes.set(xlim=(start_s - 0.2, start_s + _STRIP_S), ylim=(-1.1, LANES + 0.1), yticks=range(LANES), ylabel="lane")
        axes.grid(axis="y", alpha=0.25)
    all_axes[-1].set_xlabel("time (s); lanes from the left, upper layers higher within a lane")
    shown = int((one.notes["time_s"] < first_s + strips * _STRIP_S).sum())
    part_of = f"{one.count} notes" if shown == one.count else f"the first {shown} of {one.count} notes"
    all_axes[0].set_title(f"{one.name}: {part_of}; red left hand, blue right hand", fontsize=11)
    return figure


def density(difficulties: list[Drawn], asked_nps: Mapping[str, Asked]) -> Any:
    """Return a figure of the pace of all difficulties over time, and dashed what was asked for.

    Args:
        difficulties: What to draw.
        asked_nps: Difficulty -> what was asked for, of a map that was generated.
    """
    figure, (axes,) = figure_of(height_inches=2.8)
    for one in sorted(difficulties, key=lambda one: one.count):
        times_s = np.sort(one.notes["time_s"])
        at_s, pace = _pace(times_s)
        whole = one.count / max(1e-9, times_s[-1] - times_s[0])
        asked = asked_nps.get(one.difficulty)
        told = f"{one.name}: {whole:.1f}/s" + ("" if asked is None else f", asked {_told(asked)}/s")
        color = DIFFICULTY_COLORS[one.difficulty]
        style = "-" if one.characteristic == CHARACTERISTICS[0] else "-."
        axes.plot(at_s, pace, linewidth=1.2, linestyle=style, color=color, label=told)
        if asked is not None:
            from_s, nps = ([0.0], [asked]) if isinstance(asked, float | int) else asked
            steps = np.append(from_s, max(at_s[-1], from_s[-1])), np.append(nps, nps[-1])
            axes.plot(*steps, drawstyle="steps-post", linestyle="--", linewidth=1.0, color=color)
    axes.set(xlabel="time (s)", ylabel=f"notes/s over {_DENSITY_WINDOW_S:g} s", xlim=(0, None), ylim=(0, None))
    axes.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_title("Density" + (", dashed what was asked for" if asked_nps else ""))
    return figure


def _told(asked: Asked) -> str:
    if isinstance(asked, float | int):
        return f"{asked:.3g}"
    return f"{min(asked[1]):.3g} to {max(asked[1]):.3g}"


def _pace(times_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return moments in seconds and the notes per second in the window around each."""
    at_s = np.arange(0.0, times_s[-1] + _DENSITY_WINDOW_S, 0.25)
    low, high = at_s - _DENSITY_WINDOW_S / 2, at_s + _DENSITY_WINDOW_S / 2
    return at_s, (np.searchsorted(times_s, high) - np.searchsorted(times_s, low)) / _DENSITY_WINDOW_S


def _draw_row(axes: Any, grid: NDArray[np.float16], frames_per_beat: int, one: Drawn, beats: range) -> None:
    """Draw some bars, from the first to the last of `beats`: mel, beats and bars, tempo, notes."""
    first, last = beats[0], beats[-1]
    bands = grid.shape[1] - 1
    piece = grid[first * frames_per_beat : last * frames_per_beat]
    # Grey and dimmed, so that both hands stand out.
    _draw_mel(axes, piece, first, first + len(piece) / frames_per_beat, cmap="gray", loudest=1.5)
    for beat in beats:
        bar = beat % BEATS_PER_BAR == 0
        axes.axvline(beat, color="#9a9a9a", alpha=0.8 if bar else 0.3, linewidth=0.9 if bar else 0.5)
    _draw_tempo(axes, one, first, last)
    notes = inside(one.notes, "beat", first, last)
    draw_cuts(axes, notes["beat"], _height(notes["y"] + (notes["x"] + 0.5) / LANES) * bands, notes)
    _label_bars(axes, beats[::BEATS_PER_BAR])
    axes.set_yticks([_height(layer + 0.5) * bands for layer in range(LAYERS)], _LAYER_NAMES, fontsize=7)
    axes.set(xlim=(first - 0.25, last + 0.25), ylim=(0, bands))


def _height(layer: Any) -> Any:
    """Return where on the axis, 0 to 1, a height on the wall is drawn; arrows need some room at both ends."""
    return 0.1 + 0.8 * layer / LAYERS


def _draw_tempo(axes: Any, one: Drawn, first: int, last: int) -> None:
    """Write time and tempo at the right of a row, and draw the changes of the tempo inside it."""
    start_s, bpm = float(one.tempo.time(first)), float(one.tempo.bpm_at(first))
    told = f"{start_s // 60:.0f}:{start_s % 60:04.1f}\n{bpm:.4g} BPM"
    axes.text(1.005, 0.5, told, transform=axes.transAxes, va="center", fontsize=7)
    changes = [number for number, beat in enumerate(one.tempo.beats) if number and first <= beat < last]
    for number in changes:
        axes.axvline(one.tempo.beats[number], color=_TEMPO_COLOR, linestyle="--", linewidth=1.0)
        # Beside one another, only some have room.
        if len(changes) <= _LABELLED_CHANGES:
            told, at = f"{one.tempo.bpms[number]:.4g} BPM", (one.tempo.beats[number], 1.01)
            axes.text(*at, told, fontsize=7, color=_TEMPO_COLOR, ha="center", transform=axes.get_xaxis_transform())


def _draw_mel(axes: Any, grid: NDArray[np.float16], first: float, last: float, *, cmap: str, loudest: float) -> None:
    bands = grid.shape[1] - 1
    if len(grid):
        values = grid[:, :-1].T.astype(np.float32)
        axes.imshow(
            values, origin="lower", aspect="auto", cmap=cmap, extent=(first, last, 0, bands), vmin=0, vmax=loudest
        )


def _label_bars(axes: Any, beats: Sequence[int]) -> None:
    axes.set_xticks(list(beats), [str(beat // BEATS_PER_BAR) for beat in beats], fontsize=8)
