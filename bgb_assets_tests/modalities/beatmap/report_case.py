"""Entries to draw: samples taken through the stages of songs, and counting what is on a figure."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap import notes
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.modalities.beatmap.audio_stages import run_song


def song_entries(work: Path, song: str = "song_0002") -> Mapping[str, Path]:
    """Return stage -> directory of one sample, raw to notes."""
    folders = dict(run_song(REPOSITORY / "data" / "samples" / "beatmap" / song, work))
    folders["notes"] = work / "notes"
    folders["notes"].mkdir()
    notes.run({"raw": folders["raw"], "features": folders["features"]}, None, folders["notes"])
    return folders


def drawn_notes(figure: Any) -> dict[str, int]:
    """Return hand -> dots on all axes of a figure."""
    counted = {"left": 0, "right": 0}
    for axes in figure.axes:
        for handle in axes.collections:
            if handle.get_label() in counted:
                counted[handle.get_label()] += len(handle.get_offsets())
    return counted


def texts(figure: Any) -> list[str]:
    """Return all that is written on a figure, once it is laid out."""
    from matplotlib.text import Text

    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
