"""Reads the file that ties audio samples to beats: `BPMInfo.dat` (2.0.0) or the audio data of version 4.

Belongs here: the field names of both versions. What is done with the regions: beside version 4 difficulties
they are the tempo, beside older ones they are only compared (`difficulty`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.info import optional_number
from bgb_assets.modalities.beatmap.formats.objects import collection, numbers
from bgb_assets.modalities.beatmap.formats.versions import unwrapped
from bgb_assets.runtime.errors import BadInput

_V2_FIELDS = ("_startSampleIndex", "_endSampleIndex", "_startBeat", "_endBeat")
_V4_FIELDS = ("si", "ei", "sb", "eb")


@dataclass(frozen=True, eq=False)
class AudioData:
    """Regions of constant tempo.

    Attributes:
        frequency_hz: Samples per second of the song.
        regions: (n, 4) float64: start sample, end sample, start beat, end beat.
    """

    frequency_hz: float
    regions: NDArray[np.float64]


def parse_audio_data(document: Any, label: str) -> AudioData:
    """Return the regions of an audio data file of either version.

    Raises:
        BadInput: Not such a file, or its frequency is not positive while it has regions.
    """
    if not isinstance(document, Mapping):
        raise BadInput(f"{label}: expected a JSON object, got {type(document).__name__}", "fix or remove the file")
    flat = unwrapped(document)
    older = "_regions" in flat or "_songFrequency" in flat
    fields, name = (_V2_FIELDS, "_regions") if older else (_V4_FIELDS, "bpmData")
    rows = collection(flat, name, label)
    regions = np.stack([numbers(rows, key, f"{label}: {name}") for key in fields], axis=1)
    frequency = optional_number(flat.get("_songFrequency" if older else "songFrequency"))
    if len(rows) and (frequency is None or frequency <= 0):
        raise BadInput(f"{label}: the song's frequency must be positive, got {frequency!r}", "fix or remove the file")
    return AudioData(frequency or 0.0, regions)
