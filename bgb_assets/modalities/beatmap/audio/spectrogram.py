"""Mel spectrogram and onset strength of a song from one short-time Fourier transform.

Belongs here: samples in, arrays over STFT frames out. Does not belong here: beats (`beat_grid.py`), files and the
onset row's scale (`features.py`). The numbers are librosa 0.11's (`feature.melspectrogram`, `power_to_db`,
`onset.onset_strength`); the transform is ours because it is the hot path of this modality:

* blocks of frames, so that frames, spectrum and powers stay in the processor's cache;
* real and imaginary parts are squared in place, and their sum is left to the matrix product with the filter bank,
  whose rows are doubled for it;
* the two filter banks are cut into strips of 16 bands, each with the few frequency bins that they cover: a dense
  product would multiply by zeros nine times out of ten.

It needs no compiler at run time and no torch, whose import costs a worker more than 100 songs gain by its faster FFT.
"""

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FRAMES_PER_BLOCK = 128
_BANDS_PER_STRIP = 16
_POWER_FLOOR = 1e-10
_ONSET_LAG_FRAMES = 1


@dataclass(frozen=True)
class StftShape:
    """What the transform depends on.

    Attributes:
        rate_hz: Sample rate of the song.
        n_fft: Samples per frame.
        hop_length: Samples between frames.
        bands: Mel bands of each filter bank.
    """

    rate_hz: int
    n_fft: int
    hop_length: int
    bands: tuple[int, ...]

    def frames(self, samples: int) -> int:
        """Return the number of centred frames over so many samples."""
        return 1 + samples // self.hop_length


@dataclass(frozen=True)
class _Strip:
    """Filter rows for some neighbouring bands: columns of the output, interleaved columns of the spectrum."""

    bands: slice
    parts: slice
    weights: NDArray[np.float32]


def band_powers(pcm: NDArray[np.int16], scale: float, shape: StftShape) -> list[NDArray[np.float32]]:
    """Return the mel powers of a song, one array (frames, bands) for each filter bank of `shape.bands`.

    Frames are centred on multiples of the hop, with zeros before and after the song, under a periodic Hann window.

    Args:
        pcm: Samples; a memory map is read block by block.
        scale: What a sample is multiplied by to have the decoded amplitude.
        shape: The transform.
    """
    frames = shape.frames(len(pcm))
    banks = [np.empty((frames, bands), np.float32) for bands in shape.bands]
    for start, blocks in power_blocks(pcm, scale, shape):
        for bank, block in zip(banks, blocks, strict=True):
            bank[start : start + len(block)] = block
    return banks


def power_blocks(
    pcm: NDArray[np.int16], scale: float, shape: StftShape
) -> Iterator[tuple[int, list[NDArray[np.float32]]]]:
    """Yield the same block by block: the number of its first frame, and (frames, bands) for each filter bank.

    The arrays are written again by the next block.
    """
    frames = shape.frames(len(pcm))
    window, strips = _window_and_strips(shape)
    powers = np.empty((_FRAMES_PER_BLOCK, sum(shape.bands)), np.float32)
    banks = np.split(powers, np.cumsum(shape.bands[:-1]), axis=1)
    with _one_blas_thread():
        for start in range(0, frames, _FRAMES_PER_BLOCK):
            stop = min(start + _FRAMES_PER_BLOCK, frames)
            parts = _squared_parts(_frames_between(pcm, scale, start, stop, shape), window)
            for strip in strips:
                np.matmul(parts[:, strip.parts], strip.weights, out=powers[: stop - start, strip.bands])
            yield start, [bank[: stop - start] for bank in banks]


def relative_db(
    power: NDArray[np.float32], range_db: float, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return decibels relative to the loudest value, in [-range_db, 0].

    A song without any sound is -range_db throughout: silence, where the quotient of two floors would say 0 dB.

    Args:
        power: Any shape.
        range_db: Decibels between the loudest value and silence.
        out: Where to write; `power` itself is allowed.
    """
    loudest = _decibels(power.max())
    db = _decibels(power, out)
    if loudest <= _decibels(np.float32(_POWER_FLOOR)):
        db.fill(-range_db)
        return db
    db -= loudest
    return np.maximum(db, np.float32(-range_db), out=db)


def onset_strength(power: NDArray[np.float32], shape: StftShape, range_db: float) -> NDArray[np.float32]:
    """Return the spectral flux on STFT frames, as `librosa.onset.onset_strength` does with its defaults.

    The mean over bands of the rise in decibels since the frame before, delayed by the lag and by half a frame's
    length in hops, so that the row peaks 30 to 45 ms after the sound begins.
    """
    floor_db = _decibels(power.max()) - np.float32(range_db)
    strength = np.zeros(len(power), np.float32)
    for start in range(0, len(power) - 1, _FRAMES_PER_BLOCK):
        piece = power[start : start + _FRAMES_PER_BLOCK + 1]
        _put(strength, start + 1, _rise(np.maximum(_decibels(piece), floor_db)), shape)
    return strength


def streamed_onset_strength(
    pcm: NDArray[np.int16], scale: float, shape: StftShape, range_db: float
) -> NDArray[np.float32]:
    """Return the onset strength of a song's one filter bank, without its powers ever being in memory.

    The song passes twice: the first time for its loudest value.
    """
    loudest = max(block.max() for _, (block,) in power_blocks(pcm, scale, shape))
    floor_db = _decibels(loudest) - np.float32(range_db)
    strength = np.zeros(shape.frames(len(pcm)), np.float32)
    last = np.empty((0, shape.bands[0]), np.float32)
    for start, (power,) in power_blocks(pcm, scale, shape):
        db = np.concatenate([last, np.maximum(_decibels(power), floor_db)])
        _put(strength, start + 1 - len(last), _rise(db), shape)
        last = db[-1:]
    return strength


def _rise(db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean rise from each frame to the next, (frames - 1,)."""
    rise = db[1:] - db[:-1]
    np.maximum(rise, np.float32(0.0), out=rise)
    mean: NDArray[np.float32] = rise.mean(axis=1)
    return mean


def _put(strength: NDArray[np.float32], frame: int, rise: NDArray[np.float32], shape: StftShape) -> None:
    """Write the rise into `frame` and the frames after it where they belong: the lag and half a frame later."""
    start = frame - 1 + _ONSET_LAG_FRAMES + shape.n_fft // (2 * shape.hop_length)
    room = max(0, len(strength) - start)
    strength[start : start + len(rise)] = rise[:room]


def _squared_parts(frames: NDArray[np.float32], window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the squared real and imaginary parts of the spectra side by side, (frames, 2 * bins)."""
    from scipy import fft

    parts: NDArray[np.float32] = fft.rfft(frames * window, overwrite_x=True).view(np.float32)
    return np.square(parts, out=parts)


def _one_blas_thread() -> AbstractContextManager[object]:
    """Keep matrix products to one thread: songs run in parallel, and more threads round differently."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits


def _decibels(power: NDArray[np.float32] | np.float32, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    db = np.maximum(power, np.float32(_POWER_FLOOR), out=out)
    db = np.log10(db, out=out)
    return np.multiply(db, np.float32(10.0), out=out)


def _frames_between(
    pcm: NDArray[np.int16], scale: float, start: int, stop: int, shape: StftShape
) -> NDArray[np.float32]:
    """Return frames start..stop as overlapping rows (stop - start, n_fft) of one padded piece of the song."""
    first = start * shape.hop_length - shape.n_fft // 2
    length = (stop - start - 1) * shape.hop_length + shape.n_fft
    piece = np.zeros(length, np.float32)
    low, high = max(0, first), min(len(pcm), first + length)
    np.multiply(pcm[low:high], np.float32(scale), out=piece[low - first : high - first])
    return np.lib.stride_tricks.sliding_window_view(piece, shape.n_fft)[:: shape.hop_length]


@functools.cache
def _window_and_strips(shape: StftShape) -> tuple[NDArray[np.float32], tuple[_Strip, ...]]:
    from librosa import filters

    window = filters.get_window("hann", shape.n_fft).astype(np.float32)
    banks = [filters.mel(sr=shape.rate_hz, n_fft=shape.n_fft, n_mels=bands) for bands in shape.bands]
    strips: list[_Strip] = []
    offset = 0
    for bank in banks:
        strips.extend(_cut(bank, offset))
        offset += len(bank)
    return window, tuple(strips)


def _cut(bank: NDArray[np.float32], offset: int) -> Iterator[_Strip]:
    """Cut a filter bank (bands, bins) into strips with the bins they cover, each bin's weight given twice."""
    for start in range(0, len(bank), _BANDS_PER_STRIP):
        rows = bank[start : start + _BANDS_PER_STRIP]
        covered = np.flatnonzero(rows.any(axis=0))
        low, high = (int(covered[0]), int(covered[-1]) + 1) if len(covered) else (0, 1)
        weights = np.ascontiguousarray(np.repeat(rows[:, low:high].T, 2, axis=0))
        bands = slice(offset + start, offset + start + len(rows))
        yield _Strip(bands, slice(2 * low, 2 * high), weights)
