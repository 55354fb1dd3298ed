"""`bgb evaluate beatmap`: how good a map is, by every measure, alone or against another map of its song.

Belongs here: finding what a map is held against, and printing. Does not belong here: the measures
(`modalities.beatmap.evaluation`).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bgb_assets.commands.context import print_json
from bgb_assets.commands.tables import print_table
from bgb_assets.runtime.errors import BadInput, BgbError, UsageError
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.layout import Layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bgb_assets.modalities.beatmap.formats.song import Song
    from bgb_assets.modalities.beatmap.measures.evaluation import Missing, Scores
    from bgb_assets.modalities.beatmap.measures.variety import Counts

NAME, STAGE = "beatmap", "manifest"


def evaluate(
    map_path: Path,
    reference: Path | None,
    audio: Path | None,
    *,
    nps: float | None,
    seams: str | None,
    as_json: bool,
) -> None:
    """Print the measures of every difficulty of a map.

    Raises:
        UsageError: A path does not exist, or an option cannot be read.
        BadInput: The map, the reference or the audio that was named cannot be read.
    """
    from bgb_assets.modalities.beatmap.formats.opening import opened_map
    from bgb_assets.modalities.beatmap.formats.song import read_song
    from bgb_assets.modalities.beatmap.measures.evaluation import Against, Missing, evaluate

    if nps is not None and not 0 < nps < math.inf:
        raise UsageError(f"--nps takes a pace above 0, got {nps!r}")
    seam_beats = _beats(seams)
    if audio is not None and not audio.is_file():
        raise UsageError(f"{audio}: no such file; give an Ogg, WAV, FLAC or MP3 file")
    with ExitStack() as stack:
        directory = stack.enter_context(opened_map(map_path))
        song = read_song(directory)
        other = read_song(stack.enter_context(opened_map(reference))) if reference else None
        against = Against(
            onset_peaks_s=_onset_peaks(directory, song, audio),
            reference=other or Missing("no --reference was given"),
            training=_training(),
            asked_nps=nps or Missing("no --nps was given"),
            seam_beats=seam_beats or Missing("no --seams were given"),
        )
        scores = evaluate(song, against)
    warnings = [*song.warnings, *_doubts(song, other)]
    if as_json:
        print_json(
            {
                "map": str(map_path),
                "reference": str(reference) if reference else None,
                "audio": _audio_name(song, audio),
                "difficulties": [one.to_json() for one in scores],
                "warnings": warnings,
            }
        )
    else:
        _show(scores, warnings)


def _beats(seams: str | None) -> tuple[float, ...]:
    try:
        beats = tuple(float(text) for text in seams.split(",")) if seams else ()
    except ValueError:
        beats = (math.nan,)
    if not all(map(math.isfinite, beats)):
        raise UsageError(f"--seams takes beats with commas between them, got {seams!r}")
    return beats


def _audio_name(song: "Song", audio: Path | None) -> str | None:
    return str(audio) if audio else song.audio_file


def _onset_peaks(directory: Path, song: "Song", audio: Path | None) -> "NDArray[np.float64] | Missing":
    """Return the onsets of the audio that was named, else of the map's own where it has one that can be decoded."""
    from bgb_assets.modalities.beatmap.audio.onset_peaks import peaks_of_audio
    from bgb_assets.modalities.beatmap.measures.evaluation import Missing

    if audio is not None:
        return peaks_of_audio(audio)
    if song.audio_file is None:
        return Missing("the map has no audio and no --audio was given")
    try:
        return peaks_of_audio(directory / song.audio_file)
    except BadInput as error:
        return Missing(str(error))


def _training() -> "Counts | Missing":
    """Return the notes of the newest manifest's training rows; a map can be evaluated without any store."""
    from bgb_assets.modalities.beatmap.measures.evaluation import Missing
    from bgb_assets.modalities.beatmap.tables.training_notes import training_notes

    try:
        layout = Layout(load_settings().data_root)
        head = heads_of(layout, NAME).get(STAGE)
        if head is None:
            return Missing(f"no manifest in {layout.root}")
        return training_notes(layout.entry(STAGE, NAME, head.identity), layout.root)
    except BgbError as error:
        return Missing(str(error))


def _doubts(song: "Song", reference: "Song | None") -> Iterator[str]:
    if reference is None:
        return
    yield from (f"reference: {warning}" for warning in reference.warnings)
    if song.audio and reference.audio and song.audio_id != reference.audio_id:
        yield "the reference's audio is not the map's: times may not agree"


def _show(scores: Sequence["Scores"], warnings: Sequence[str]) -> None:
    from bgb_assets.modalities.beatmap.measures.evaluation import MEASURES, Missing

    readable = [one for one in scores if one.measures]
    names = [f"{one.characteristic}\n{one.difficulty}" for one in readable]
    rows = [[name, *(_text(one.measures[name]) for one in readable), told] for name, told in MEASURES.items()]
    print_table(["measure", *names, "what it is"], rows, explained=True)
    reasons: dict[str, list[str]] = {}
    for one in readable:
        for name, value in one.measures.items():
            if isinstance(value, Missing) and name not in reasons.setdefault(value.reason, []):
                reasons[value.reason].append(name)
    for reason, missing in reasons.items():
        typer.echo(f"not told: {', '.join(missing)}: {reason}")
    for warning in warnings:
        typer.echo(f"warning: {warning}")


def _text(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if isinstance(value, float) else "-"
