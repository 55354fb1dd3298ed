"""What all pictures of songs share: figures of one width, the hands' colors, arrows for cuts, and reading of entries.

Belongs here: parts of pictures. Does not belong here: whole pictures (`report_song`, `report_grid`, `report_corpus`).
Matplotlib's figures are used without its global state, so that pictures can be drawn in any process.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.features import FEATURES_FILE
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap

Columns: TypeAlias = Mapping[str, NDArray[Any]]

WIDTH_INCHES = 8.0
HAND_COLORS = ("#e8474c", "#2f8fd8")
"""Left and right, as in the game."""
HAND_NAMES = ("left", "right")
DIFFICULTY_COLORS: Mapping[str, str] = {
    "Easy": "#3cb371",
    "Normal": "#59b0f4",
    "Hard": "#ff8247",
    "Expert": "#d0334d",
    "ExpertPlus": "#8f48db",
}
LANES, LAYERS = 4, 3

_HALF = float(np.sqrt(0.5))
# Unit vectors of cuts 0 to 7; 8 has none.
_CUT_VECTORS = np.array(
    [(0, 1), (0, -1), (-1, 0), (1, 0), (-_HALF, _HALF), (_HALF, _HALF), (-_HALF, -_HALF), (_HALF, -_HALF), (0, 0)]
)
_TABLES = ("notes", "bombs", "tempo")


@dataclass(frozen=True, eq=False)
class Drawn:
    """One difficulty to draw.

    Attributes:
        characteristic: And `difficulty`: its names.
        tempo_id: Which of the song's mels lies on its beats.
        notes: Columns of table `notes`.
        bombs: Columns of table `bombs`; empty where there are none.
        tempo: Its tempo map.
    """

    characteristic: str
    difficulty: str
    tempo_id: str
    notes: Columns
    bombs: Columns
    tempo: TempoMap

    @property
    def name(self) -> str:
        """Its names, for titles."""
        return f"{self.characteristic} {self.difficulty}"

    @property
    def count(self) -> int:
        """How many notes it has."""
        return len(self.notes["beat"])


def figure_of(height_inches: float, rows: int = 1, columns: int = 1) -> tuple[Any, list[Any]]:
    """Return a figure of the common width and its axes, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def read_difficulties(notes: Path) -> list[Drawn]:
    """Return the difficulties of an entry of stage notes that have notes, in the order of the file."""
    tables = {table: _by_difficulty(notes / f"{table}.parquet") for table in _TABLES}
    drawn = []
    for row in _rows(notes / "beatmaps.parquet", ["characteristic", "difficulty", "tempo_id"]):
        names = (row["characteristic"], row["difficulty"])
        if names not in tables["notes"]:
            continue
        tempo = tables["tempo"][names]
        drawn.append(
            Drawn(
                *names,
                row["tempo_id"],
                tables["notes"][names],
                tables["bombs"].get(names, {}),
                TempoMap(tempo["beat"], tempo["time_s"], tempo["bpm"]),
            )
        )
    return drawn


def densest(difficulties: list[Drawn]) -> Drawn:
    """Return the difficulty with most notes."""
    return max(difficulties, key=lambda one: one.count)


def read_mel(features: Path, tempo_id: str) -> tuple[NDArray[np.float16], int]:
    """Return the mel on a tempo map's beats, (rows, 81), and its rows per beat."""
    described = json.loads((features / FEATURES_FILE).read_text(encoding="utf-8"))
    grid: NDArray[np.float16] = np.load(features / described["tempo_maps"][tempo_id]["file"], mmap_mode="r")
    return grid, described["frames_per_beat"]


def cut_vectors(notes: Columns) -> NDArray[np.float64]:
    """Return the direction of each note's cut, (n, 2), right and up; (0, 0) for a note without one."""
    vectors: NDArray[np.float64] = _CUT_VECTORS[np.clip(notes["cut_direction"], 0, len(_CUT_VECTORS) - 1)]
    turn = np.deg2rad(notes["angle_deg"].astype(np.float64))
    cosine, sine = np.cos(turn), np.sin(turn)
    across, up = vectors.T
    return np.stack([across * cosine - up * sine, across * sine + up * cosine], axis=1)


def draw_cuts(axes: Any, across: NDArray[Any], up: NDArray[Any], notes: Columns) -> None:
    """Draw a dot per note in its hand's color and, where the cut has a direction, an arrow that way."""
    vectors = cut_vectors(notes)
    for hand, color in enumerate(HAND_COLORS):
        own = notes["color"] == hand
        axes.scatter(across[own], up[own], s=12, color=color, linewidths=0, zorder=3, label=HAND_NAMES[hand])
        axes.quiver(
            across[own], up[own], vectors[own, 0], vectors[own, 1], color=color,
            angles="uv", units="inches", scale=7.0, width=0.018, headwidth=4, zorder=3,
        )  # fmt: skip


def inside(columns: Columns, by: str, start: float, stop: float) -> Columns:
    """Return the rows whose value in a column is at least `start` and below `stop`."""
    chosen = (columns[by] >= start) & (columns[by] < stop)
    return {name: column[chosen] for name, column in columns.items()}


def _by_difficulty(path: Path) -> dict[tuple[str, str], Columns]:
    """Return (characteristic, difficulty) -> the columns of its rows; nothing where there is no file.

    By name, not by id: two difficulties of a song may hold the same notes.
    """
    import pyarrow.parquet as pq

    if not path.is_file():
        return {}
    table = pq.read_table(path)
    columns = {name: np.asarray(table[name].to_pylist()) for name in table.column_names}
    names = list(zip(columns["characteristic"].tolist(), columns["difficulty"].tolist(), strict=True))
    rows: dict[tuple[str, str], list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return {name: {key: column[held] for key, column in columns.items()} for name, held in rows.items()}


def _rows(path: Path, columns: list[str]) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return list(pq.read_table(path, columns=columns).to_pylist()) if path.is_file() else []
