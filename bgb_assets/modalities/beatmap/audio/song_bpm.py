"""The tempo of an audio file: decoded as everywhere here, estimated, and said so that a person or a script can use it.

Belongs here: from a file to a report of its tempo. Does not belong here: the estimate (`bpm`), decoding (`cache`), and
what a song without a sure tempo means to those who need one (`generate`).
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap import cache
from bgb_assets.modalities.beatmap.audio.bpm import DOUBTFUL, SURE, TempoEstimate, estimate_tempo, onset_envelope
from bgb_assets.modalities.beatmap.audio.canonical_wav import map_pcm16

_REMEDY = "set it by ear: `bgb generate` takes --bpm or --tempo-map"


@dataclass(frozen=True)
class SongTempo:
    """What is known of a song's tempo.

    Attributes:
        song: The audio file.
        estimate: What was found.
        warnings: Sentences about the file itself.
    """

    song: Path
    estimate: TempoEstimate
    warnings: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether the tempo can be used at all."""
        return self.estimate.confidence >= DOUBTFUL

    @property
    def verdict(self) -> str:
        """How far the tempo can be trusted."""
        if not self.usable:
            return "no steady tempo found"
        return "sure" if self.estimate.confidence >= SURE else "not sure, compare the candidates"

    @property
    def refusal(self) -> tuple[str, str]:
        """Why an unusable tempo cannot be used, and what to do."""
        return f"{self.song.name}: no steady tempo found (confidence {self.estimate.confidence:.2f})", _REMEDY

    def as_json(self) -> dict[str, Any]:
        """Return the report for a script."""
        found = self.estimate
        return {
            "bpm": found.bpm,
            "confidence": found.confidence,
            "first_beat_s": found.first_beat_s,
            "candidates": [{"bpm": bpm, "strength": strength} for bpm, strength in found.candidates],
            "usable": self.usable,
            "variable": found.variable,
            "windows": [{"start_s": start_s, "bpm": bpm} for start_s, bpm in found.windows],
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """Return the report for a terminal."""
        found = self.estimate
        lines = [
            f"{self.song.name}: {found.bpm:.3f} BPM, confidence {found.confidence:.2f} ({self.verdict}), "
            f"first beat at {found.first_beat_s:.3f} s"
        ]
        lines += [f"  candidate {bpm:8.2f} BPM, strength {strength:.2f}" for bpm, strength in found.candidates]
        if found.variable:
            low, high = min(found.window_bpms), max(found.window_bpms)
            lines.append(f"variable tempo, {low:.2f} to {high:.2f} BPM; a tempo map fits better than one number:")
            lines += [f"  from {start_s:6.1f} s: {bpm:7.2f} BPM" for start_s, bpm in found.windows]
        return lines + [f"warning: {warning}" for warning in self.warnings]


def song_tempo(song: Path) -> SongTempo:
    """Return the tempo of an audio file.

    Raises:
        BadInput: It cannot be decoded.
    """
    with tempfile.TemporaryDirectory(prefix="bgb-bpm-") as space:
        upload, decoded = Path(space) / "upload", Path(space) / "decoded"
        upload.mkdir()
        decoded.mkdir()
        (upload / song.name).symlink_to(song.resolve())
        made = cache.run({"upload": upload}, cache.CacheParams(), decoded)
        rate_hz, pcm = map_pcm16(decoded / cache.WAV_FILE)
        return SongTempo(song, estimate_tempo(onset_envelope(pcm, rate_hz)), made.warnings)
