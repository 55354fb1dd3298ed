"""Landmarks of a recording: what its sound has in common with itself in another encode, and with nothing else.

The method is Wang's (2003, "An industrial-strength audio search algorithm", ISMIR): peaks of the spectrogram that
stand out among their neighbours in time and frequency, a hash of how neighbouring peaks lie to each other, and the
frame where they lie. Three differences, each measured on encodes of one recording and on unrelated songs:

* a hash takes three peaks instead of two (as in Six and Leman, 2014, "Panako"), so that songs that share instruments
  and pitches share few hashes, and a corpus can be joined hash by hash;
* frames of 186 ms in steps of 46 ms: with steps of 23 ms a shift of half a step lost four hashes out of five;
* of all hashes the `SKETCH_HASHES` smallest are kept (Broder, 1997, "On the resemblance and containment of
  documents"): every song samples the same hashes, so that a few kilobytes tell two songs apart or one from itself.

Belongs here: samples in, landmarks out. Does not belong here: comparing songs (`recordings.py`), files (`cache.py`).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

LANDMARKS_FILE = "landmarks.npy"
SKETCH_HASHES = 512
"""So many different hashes are kept of a song."""

Landmarks = NDArray[np.uint64]
"""Sorted; the upper 32 bits of each are the hash, the lower 32 the STFT frame of its first peak."""

_N_FFT, _HOP = 4_096, 1_024
_LOW_BIN, _HIGH_BIN = 20, 300
"""108 to 1,610 Hz at 22,050 Hz: what the poorest encodes still hold."""

_NEAR_FRAMES, _NEAR_BINS = 6, 14
_FLOOR_DB = -70.0
_FOLLOWERS = 8
_MAX_SPAN_FRAMES = 63
_MAX_REPEATS = 4
_FRAMES_PER_BLOCK = 256


def find_landmarks(pcm: NDArray[np.int16]) -> Landmarks:
    """Return the landmarks of a song at 22,050 Hz whose peak is at full scale; silence has none."""
    return of_peaks(*find_peaks(pcm))


def of_peaks(frames: NDArray[np.int64], bins: NDArray[np.int64]) -> Landmarks:
    """Return the landmarks of peaks that are sorted by frame, then bin.

    Of a hash that occurs more than four times the first four are kept.
    """
    hashes, starts = _hash_triples(frames, bins)
    found = np.unique((hashes << np.uint64(32)) | starts.astype(np.uint64))
    _, first, inverse = np.unique(found >> np.uint64(32), return_index=True, return_inverse=True)
    repeats = np.arange(len(found)) - first[inverse]
    kept: Landmarks = found[(inverse < SKETCH_HASHES) & (repeats < _MAX_REPEATS)]
    return kept


def find_peaks(pcm: NDArray[np.int16]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (frames, bins) of the peaks: the loudest of all within 6 frames and 14 bins; sorted by frame, then bin.

    The song passes through in blocks of frames, so that an hour takes no more memory than a minute.
    """
    count = 1 + len(pcm) // _HOP
    frames, bins = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, count, _FRAMES_PER_BLOCK):
        stop = min(start + _FRAMES_PER_BLOCK, count)
        low, high = max(0, start - _NEAR_FRAMES), min(count, stop + _NEAR_FRAMES)
        in_frame, in_bin = np.nonzero(_stand_out(_powers(pcm, low, high))[start - low : stop - low])
        frames.append(in_frame + start)
        bins.append(in_bin)
    return np.concatenate(frames), np.concatenate(bins)


def landmarks_digest(landmarks: Landmarks) -> str:
    """Return the digest of their content."""
    return hashlib.sha256(landmarks.astype("<u8", copy=False).tobytes()).hexdigest()


def _powers(pcm: NDArray[np.int16], start: int, stop: int) -> NDArray[np.float32]:
    """Return the powers (stop - start, bins) of the frames centred on multiples of the hop, zeros around the song."""
    from scipy import fft

    first = start * _HOP - _N_FFT // 2
    length = (stop - start - 1) * _HOP + _N_FFT
    piece = np.zeros(length, np.float32)
    low, high = max(0, first), min(len(pcm), first + length)
    piece[low - first : high - first] = pcm[low:high]
    window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
    framed = np.lib.stride_tricks.sliding_window_view(piece, _N_FFT)[::_HOP] * window
    spectrum = fft.rfft(framed, overwrite_x=True)[:, _LOW_BIN:_HIGH_BIN]
    powers: NDArray[np.float32] = spectrum.real**2 + spectrum.imag**2
    return powers


def _stand_out(powers: NDArray[np.float32]) -> NDArray[np.bool_]:
    from scipy import ndimage

    loudest = ndimage.maximum_filter1d(powers, 2 * _NEAR_BINS + 1, axis=1)
    loudest = ndimage.maximum_filter1d(loudest, 2 * _NEAR_FRAMES + 1, axis=0)
    # A sine at full scale has an amplitude of a quarter of the frame's length under the Hann window.
    full_scale = (32_767.0 * _N_FFT / 4) ** 2
    stand_out: NDArray[np.bool_] = (powers == loudest) & (powers > full_scale * 10.0 ** (_FLOOR_DB / 10))
    return stand_out


def _hash_triples(frames: NDArray[np.int64], bins: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the 32-bit hash and the first frame of every peak with two of the eight that follow it."""
    hashes, starts = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for last in range(2, _FOLLOWERS + 1):
        count = max(0, len(frames) - last)
        span = frames[last:] - frames[:count]
        near = (span > 0) & (span <= _MAX_SPAN_FRAMES)
        for middle in range(1, last):
            step = frames[middle : middle + count] - frames[:count]
            packed = (bins[:count] << 30) | (bins[middle : middle + count] << 21) | (bins[last:] << 12)
            hashes.append(_mixed((packed | (step << 6) | span)[near].astype(np.uint64)))
            starts.append(frames[:count][near])
    return np.concatenate(hashes), np.concatenate(starts)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 32 bits that depend on all bits, so that the smallest are a fair sample (a finaliser of two rounds)."""
    values = (values ^ (values >> np.uint64(31))) * np.uint64(0x7FB5D329728EA185)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x81DADEF4BC2DD44D)
    mixed: NDArray[np.uint64] = (values ^ (values >> np.uint64(33))) >> np.uint64(32)
    return mixed
