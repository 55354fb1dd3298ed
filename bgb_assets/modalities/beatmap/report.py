"""What a person looks at: which pictures there are of a song, of all songs, and of a model.

Belongs here: stage -> pictures. Does not belong here: how they are drawn (`report_song`, `report_grid`,
`report_corpus`), maps that lie in no store (`report_map`), rendering (`bgb_assets.runtime.rendering`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from bgb_assets.modalities.beatmap.pictures import report_corpus, report_song
from bgb_assets.modalities.beatmap.pictures.report_drawing import read_difficulties
from bgb_assets.modalities.beatmap.pictures.report_grid import grid_strip
from bgb_assets.modalities.beatmap.pictures.report_song import Asked

Entries: TypeAlias = Mapping[str, Path]
Figures: TypeAlias = Mapping[str, Any]


def pictures(stage: str, entries: Entries, root: Path) -> Figures:
    """Return the figures of one stage by name, those left out for which there is no data.

    Args:
        stage: A stage that `entries` has.
        entries: Stage -> directory, for the entries of one song, or of the corpus; `logs` of a model.
        root: The store root, to which the listings of manifest and tokens are relative.
    """
    if stage in ("features", "notes"):
        return song_pictures(stage, entries)
    draw: Mapping[str, Callable[[Entries, Path], Figures]] = {
        "manifest": _of_manifest,
        "tokens": _of_tokens,
        "model": _of_model,
    }
    drawn = draw[stage](entries, root) if stage in draw else {}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def song_pictures(stage: str, entries: Entries, asked_nps: Mapping[str, Asked] | None = None) -> Figures:
    """Return the figures of stage features or notes of one song.

    Args:
        stage: `features` gives `mel` and `onset`; `notes` gives `notes`, `density`, `grid` and, where there is audio,
            `mel`: the spectrogram with the notes over it.
        entries: Stage -> directory.
        asked_nps: Difficulty -> notes per second that were asked for, of a map that was generated.
    """
    if stage == "features":
        return {"mel": report_song.mel(entries["features"]), "onset": report_song.onset(entries["features"])}
    difficulties = read_difficulties(entries["notes"])
    if not difficulties:
        return {}
    heard = "features" in entries
    return {
        **({"mel": report_song.mel_with_notes(entries["features"], difficulties)} if heard else {}),
        "notes": report_song.note_strips(difficulties),
        "grid": grid_strip(difficulties),
        "density": report_song.density(difficulties, asked_nps or {}),
    }


def _of_manifest(entries: Entries, root: Path) -> Figures:
    manifest = entries["manifest"]
    return {
        "counts": report_corpus.counts(manifest),
        "timing": report_corpus.timing(manifest, root),
        "pace": report_corpus.pace(manifest),
    }


def _of_tokens(entries: Entries, root: Path) -> Figures:
    tokens = entries["tokens"]
    return {"lengths": report_corpus.lengths(tokens), "classes": report_corpus.classes(tokens, root)}


def _of_model(entries: Entries, root: Path) -> Figures:
    logs = entries.get("logs")
    return {
        "curves": report_corpus.curves(logs) if logs else None,
        "confusion": report_corpus.confusion(entries["model"]),
    }
