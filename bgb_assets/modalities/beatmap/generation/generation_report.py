"""What a generation says of itself: the tempo it used, what it wrote, and what a person should know.

Belongs here: the values and how they are put into lines and JSON. Does not belong here: the measures (`quality`,
`seams`), writing the map (`generate`).
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.audio.bpm import TempoEstimate
from bgb_assets.modalities.beatmap.measures.quality import MapQuality, nps_error

MOST_NPS_ERROR = 0.10
"""A pace further from the one asked for is worth a warning."""


@dataclass(frozen=True)
class Written:
    """One difficulty of a generated map.

    Attributes:
        difficulty: Its name.
        asked_nps: The pace asked for, from its first note to its last; None for none.
        turned_notes: Notes that got another direction, so that a hand can play them.
        seam_ratio: Parity violations near the seams of windows over those elsewhere; None where it cannot be told.
        quality: Its measures.
    """

    difficulty: str
    asked_nps: float | None
    turned_notes: int
    seam_ratio: float | None
    quality: MapQuality

    def line(self) -> str:
        """Return it for a terminal."""
        asked = "" if self.asked_nps is None else f" of {self.asked_nps:.3g} asked for"
        return (
            f"{self.difficulty}: {self.quality.notes} notes, {self.quality.nps:.2f} notes/s{asked}, "
            f"parity violations {self.quality.parity_rate:.1%} ({self.turned_notes} notes turned), "
            f"onset F1 {self.quality.onset_f1:.2f}"
        )

    def doubts(self) -> list[str]:
        """Return what a person should read."""
        if not self.asked_nps or nps_error(self.quality.nps, self.asked_nps) <= MOST_NPS_ERROR:
            return []
        return [
            f"{self.difficulty}: {self.quality.nps:.2f} notes/s were written, {self.asked_nps:.3g} asked for; "
            "the model hears too few or too many places for notes in this song"
        ]


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        out: The zip or folder.
        bpm: Tempo at the beginning.
        tempo: The estimate, where the tempo was not given.
        silence_s: Silence put in front of the audio.
        seam_beats: Beats of the map at which one window of the generation gives way to the next.
        difficulties: One entry each, in the order asked for.
        warnings: Sentences a person should read.
    """

    out: Path
    bpm: float
    tempo: TempoEstimate | None
    silence_s: float
    seam_beats: tuple[float, ...]
    difficulties: tuple[Written, ...]
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the report for a terminal."""
        sure = "" if self.tempo is None else f" (confidence {self.tempo.confidence:.2f})"
        first = f"{self.out}: {self.bpm:.3f} BPM{sure}, {self.silence_s:.3f} s of silence put in front"
        return [first, *(one.line() for one in self.difficulties), *(f"warning: {text}" for text in self.warnings)]

    def as_json(self) -> dict[str, Any]:
        """Return the report for scripts."""
        return {
            "out": str(self.out),
            "bpm": self.bpm,
            "tempo_confidence": None if self.tempo is None else self.tempo.confidence,
            "silence_s": self.silence_s,
            "seam_beats": list(self.seam_beats),
            "difficulties": [asdict(one) for one in self.difficulties],
            "warnings": list(self.warnings),
        }
