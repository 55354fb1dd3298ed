"""Stage `cache`: the slow decode of a song, done once, into a mono PCM16 WAV that features can map.

Belongs here: decoding, downmix, resampling, the gain. Does not belong here: what the sound means
(`spectrogram.py`), the identity of the file (`audio_identity.py`), how its landmarks are found (`landmarks.py`).
Next in the flow: `features.py`.

The decoded song passes through in blocks, so that an hour of audio takes no more memory than a minute: first
into an unnamed spool file of float32 while the peak is found, then scaled into the WAV.
"""

import hashlib
import json
import math
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.audio import ogg
from bgb_assets.modalities.beatmap.audio.audio_identity import identify_audio
from bgb_assets.modalities.beatmap.audio.canonical_wav import PCM_PEAK, map_pcm16, write_pcm16
from bgb_assets.modalities.beatmap.audio.landmarks import LANDMARKS_FILE, find_landmarks, landmarks_digest
from bgb_assets.modalities.contract import StageResult
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import BadInput

WAV_FILE = "audio.wav"
FACTS_FILE = "audio.json"

_BLOCK_FRAMES = 1 << 16
_MAX_PEAK = 1e12
"""Whole numbers of 32 bits taken as floats are far below; far above, the power of a spectrum is no float32."""

_MAX_OGG_PAGE_BYTES = 65_307
_OGG_LAST_PAGE = 4


@dataclass(frozen=True)
class CacheParams:
    """What the cached audio depends on.

    Attributes:
        rate_hz: Sample rate of the WAV.
        max_seconds: A longer song is refused.
        silence_db: Below the song's peak, what counts as silence at its two ends.
    """

    rate_hz: int = 22_050
    max_seconds: float = 3_600.0
    silence_db: float = -60.0


@dataclass(frozen=True)
class Source:
    """A delivered audio file as libsndfile opened it: by its content, not by its suffix."""

    name: str
    codec: str
    rate_hz: int
    channels: int
    frames: int


@dataclass(frozen=True)
class Spooled:
    """What one pass over the decoded song found; `frames` at the target rate, `source_frames` at its own."""

    frames: int
    source_frames: int
    peak: float
    sum_of_squares: float


def run(inputs: Mapping[str, Path], params: CacheParams, out: Path) -> StageResult:
    """Decode the one audio file below `inputs["upload"]` into `audio.wav`, `audio.json` and `landmarks.npy`.

    `audio.wav` is scaled so that its peak is 32,767: decoded Vorbis often exceeds 1.0, and clipping it costs
    several dB. `gain` in `audio.json` is the factor, so that `pcm / gain` is the decoded amplitude.

    Raises:
        BadInput: The file cannot be decoded, is empty, holds values that are not finite or no sound, or is too long.
    """
    path = _audio_file(inputs)
    if path is None:
        return StageResult(absent="no audio")
    made = write_song(path, params, out)
    landmarks = find_landmarks(map_pcm16(out / WAV_FILE)[1])
    np.save(out / LANDMARKS_FILE, landmarks.astype("<u8", copy=False))
    return replace(
        made,
        facets={**made.facets, "landmarks": landmarks_digest(landmarks)},
        metadata={**made.metadata, "landmarks": len(landmarks)},
    )


def write_song(path: Path, params: CacheParams, out: Path) -> StageResult:
    """Decode one file into `audio.wav` and `audio.json`; see `run`."""
    with tempfile.TemporaryFile(dir=out) as spool:
        source, spooled = decode(path, params, spool)
        gain = PCM_PEAK / spooled.peak if spooled.peak > 0.0 else 1.0
        digest = hashlib.sha256(struct.pack("<IQd", params.rate_hz, spooled.frames, gain))
        blocks = _ScaledBlocks(spool, gain, PCM_PEAK * 10.0 ** (params.silence_db / 20.0), digest)
        write_pcm16(out / WAV_FILE, params.rate_hz, blocks)
    facts = _facts(params.rate_hz, spooled, gain, blocks)
    (out / FACTS_FILE).write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    truncated = _is_truncated(path, source, spooled)
    described = {"codec": source.codec, "source_rate_hz": source.rate_hz, "source_channels": source.channels}
    return StageResult(
        facets={"wav": digest.hexdigest()},
        metadata={**facts, **described, "truncated": truncated},
        warnings=_warnings(source, spooled, truncated),
    )


def decode(path: Path, params: CacheParams, spool: IO[bytes]) -> tuple[Source, Spooled]:
    """Write a file's mono samples at the target rate to `spool` as float32.

    Raises:
        BadInput: See `run`.
    """
    import soundfile

    # A descriptor instead of the path: libsndfile must judge by content, and a path ending in .raw or .vox is
    # taken as headerless samples.
    descriptor = os.open(path, os.O_RDONLY)
    monitoring.count("decodes")
    try:
        with soundfile.SoundFile(descriptor, closefd=False) as file:
            source = Source(
                path.name, f"{file.format}/{file.subtype}", int(file.samplerate), file.channels, file.frames
            )
            _check_length(source, source.frames, params)
            return source, _spool(file, source, params, spool)
    except soundfile.LibsndfileError as error:
        raise BadInput(
            f"{path.name}: cannot be decoded as audio ({_stated(path)}): {error.error_string.strip()!r}",
            "replace it by an Ogg Vorbis, WAV, FLAC or MP3 file",
        ) from error
    finally:
        os.close(descriptor)


def _stated(path: Path) -> str:
    """Return what a file that cannot be decoded says of itself, as far as its header can be read."""
    found = identify_audio(path)
    length = [f"{found.seconds:.1f} s"] if found.seconds else []
    channels = [] if found.channels is None else [f"{found.channels} channels"]
    return ", ".join([f"codec {found.codec}", *length, *channels, f"{path.stat().st_size} bytes"])


def _spool(file: Any, source: Source, params: CacheParams, spool: IO[bytes]) -> Spooled:
    frames, peak, sum_of_squares, source_frames = 0, 0.0, 0.0, 0
    resample = _resampler(source.rate_hz, params.rate_hz)
    for block, last in _mono_blocks(file, source):
        source_frames += len(block)
        _check_length(source, source_frames, params)
        samples = resample(block, last)
        if len(samples):
            frames += len(samples)
            peak = max(peak, float(np.abs(samples).max()))
            _check_peak(source, peak)
            sum_of_squares += float(np.dot(samples, samples.astype(np.float64)))
            spool.write(samples.tobytes())
    if not frames:
        raise BadInput(
            f"{source.name}: {source.codec} with no samples (0.0 s, {source.channels} channels)",
            "replace the audio file by a complete one",
        )
    return Spooled(frames, source_frames, peak, sum_of_squares)


def _mono_blocks(file: Any, source: Source) -> Iterator[tuple[NDArray[np.float32], bool]]:
    """Yield (samples, whether they are the last); an empty last block flushes the resampler."""
    import soundfile

    # A matrix product: `mean(axis=1)` over two channels takes 24 times as long.
    weights = np.full(source.channels, 1.0 / source.channels, np.float32)
    done = 0
    while True:
        try:
            block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise BadInput(
                f"{source.name}: {source.codec} breaks off after {done / source.rate_hz:.1f} of "
                f"{source.frames / source.rate_hz:.1f} s: {error.error_string.strip()!r}",
                "replace the audio file by a complete one",
            ) from error
        with np.errstate(invalid="ignore", over="ignore"):  # the check below says it better
            mono = block @ weights
        if not np.isfinite(mono).all():
            raise BadInput(
                f"{source.name}: {source.codec} holds samples that are not finite after {done / source.rate_hz:.1f} s",
                "export the audio again",
            )
        done += len(mono)
        last = len(block) < _BLOCK_FRAMES
        yield mono, last
        if last:
            return


def _resampler(rate_hz: int, target_hz: int) -> Any:
    """Return `resample(block, last)`; soxr's HQ is the lowest quality that leaves the top mel bands alone."""
    if rate_hz == target_hz:
        return lambda block, last: block
    import soxr

    stream = soxr.ResampleStream(rate_hz, target_hz, 1, dtype="float32", quality="HQ")
    return stream.resample_chunk


class _ScaledBlocks:
    """Iterates the spooled samples as PCM16, adding them to `digest`; then holds where sound began and ended."""

    def __init__(self, spool: IO[bytes], gain: float, threshold: float, digest: "hashlib._Hash") -> None:
        self._spool, self._gain, self._threshold, self._digest = spool, gain, threshold, digest
        self.first_heard: int | None = None
        self.last_heard: int | None = None

    def __iter__(self) -> Iterator[NDArray[np.int16]]:
        self._spool.seek(0)
        start = 0
        while data := self._spool.read(4 * _BLOCK_FRAMES):
            scaled = np.frombuffer(data, np.float32) * np.float64(self._gain)
            pcm = np.rint(scaled).astype("<i2")
            heard = np.flatnonzero(np.abs(pcm) > self._threshold)
            if len(heard):
                self.first_heard = start + int(heard[0]) if self.first_heard is None else self.first_heard
                self.last_heard = start + int(heard[-1])
            self._digest.update(pcm.tobytes())
            start += len(pcm)
            yield pcm


def _facts(rate_hz: int, spooled: Spooled, gain: float, blocks: _ScaledBlocks) -> dict[str, Any]:
    seconds = spooled.frames / rate_hz
    first, last = blocks.first_heard, blocks.last_heard
    return {
        "rate_hz": rate_hz,
        "frames": spooled.frames,
        "seconds": seconds,
        "gain": gain,
        "peak": spooled.peak,
        "rms": math.sqrt(spooled.sum_of_squares / spooled.frames),
        "leading_silence_s": seconds if first is None else first / rate_hz,
        "trailing_silence_s": seconds if last is None else (spooled.frames - 1 - last) / rate_hz,
    }


def _audio_file(inputs: Mapping[str, Path]) -> Path | None:
    """Return the only file handed over, at whatever depth its relative path puts it."""
    upload = inputs.get("upload")
    files = sorted(path for path in upload.rglob("*") if path.is_file()) if upload and upload.is_dir() else []
    return files[0] if files else None


def _check_length(source: Source, frames: int, params: CacheParams) -> None:
    seconds = frames / source.rate_hz
    if seconds > params.max_seconds:
        raise BadInput(
            f"{source.name}: {source.codec} of {seconds:.1f} s, more than {params.max_seconds:.0f} s",
            "cut the song or leave the map out",
        )


def _check_peak(source: Source, peak: float) -> None:
    if peak > _MAX_PEAK:
        raise BadInput(
            f"{source.name}: {source.codec} holds samples as large as {peak:.1e}, full scale is 1",
            "export the audio again",
        )


def _is_truncated(path: Path, source: Source, spooled: Spooled) -> bool:
    return spooled.source_frames < source.frames or (source.codec.startswith("OGG/") and not _ogg_ends(path))


def _ogg_ends(path: Path) -> bool:
    """Say whether the last page of an Ogg file is whole and marked as the last of its stream."""
    with path.open("rb") as file:
        # Only the tail: a page has at most 65,307 bytes.
        file.seek(max(0, path.stat().st_size - 2 * _MAX_OGG_PAGE_BYTES))
        tail = file.read()
    last = None
    for page in ogg.pages(tail):
        last = page
    return last is not None and bool(last.flags & _OGG_LAST_PAGE) and last.end - last.start == sum(last.lacing)


def _warnings(source: Source, spooled: Spooled, truncated: bool) -> tuple[str, ...]:
    found = []
    if truncated:
        seconds = spooled.source_frames / source.rate_hz
        found.append(f"the {source.codec} audio is cut off: its first {seconds:.1f} s decode and are used")
    if spooled.peak == 0.0:
        found.append("the audio is silent: every sample is 0")
    return tuple(found)
