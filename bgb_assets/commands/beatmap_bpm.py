"""`bgb bpm`: the tempo of a song, and how sure it is.

Belongs here: printing. Does not belong here: estimating (`modalities.beatmap.song_bpm`).
"""

from pathlib import Path

import typer

from bgb_assets.commands.context import print_json
from bgb_assets.runtime.errors import BadInput, UsageError


def bpm(song: Path, *, as_json: bool) -> None:
    """Print the tempo of a song.

    Raises:
        UsageError: There is no such file.
        BadInput: It cannot be decoded, or has no tempo that could be used; what was found is printed before.
    """
    if not song.is_file():
        raise UsageError(f"{song}: no such file; give an Ogg, WAV, FLAC or MP3 file")
    from bgb_assets.modalities.beatmap.audio.song_bpm import song_tempo

    found = song_tempo(song)
    if as_json:
        print_json({"song": str(song), **found.as_json()})
    else:
        for line in found.lines():
            typer.echo(line)
    if not found.usable:
        raise BadInput(*found.refusal)
