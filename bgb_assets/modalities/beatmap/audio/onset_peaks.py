"""Where a song's sounds begin: the peaks of its onset strength, which a map's notes are held against.

Belongs here: picking the peaks, and hearing an audio file for them. Does not belong here: the strength itself
(`spectrogram`), scoring (`onset_scores`). It is the strength that stage features stores, not the finer one that the
tempo is estimated from: their peaks lie 13 ms apart, and `NOTES_LEAD_S` was measured on this one.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap import cache, features
from bgb_assets.modalities.beatmap.audio.canonical_wav import map_pcm16

NOTES_LEAD_S = 0.035
"""People place notes 30 to 45 ms before the peaks of the onset strength."""


def onset_peaks(strength: NDArray[np.float32], hop_s: float) -> NDArray[np.float64]:
    """Return the seconds of the peaks, ascending, as `librosa.onset.onset_detect` picks them; none in silence.

    Args:
        strength: (frames,) onset strength, frame k at k * hop_s.
        hop_s: Seconds between frames.
    """
    import librosa

    if not strength.any():
        return np.zeros(0)
    frames = librosa.onset.onset_detect(onset_envelope=strength, sr=1.0 / hop_s, hop_length=1)
    return np.asarray(frames, np.float64) * hop_s


def peaks_of_audio(path: Path) -> NDArray[np.float64]:
    """Return the seconds of the onset peaks of an audio file, decoded as the chain decodes it.

    Raises:
        BadInput: It cannot be decoded, or is too long.
    """
    with tempfile.TemporaryDirectory(prefix="bgb-onsets-") as space:
        upload, decoded = Path(space, "upload"), Path(space, "decoded")
        upload.mkdir()
        decoded.mkdir()
        (upload / path.name).symlink_to(path.resolve())
        cache.run({"upload": upload}, cache.CacheParams(), decoded)
        rate_hz, pcm = map_pcm16(decoded / cache.WAV_FILE)
        gain = float(json.loads((decoded / cache.FACTS_FILE).read_text(encoding="utf-8"))["gain"])
        song = features.song_frames(pcm, rate_hz, gain, features.FeatureParams())
    return onset_peaks(song.onset, song.hop_s)
