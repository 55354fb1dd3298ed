"""The WAV file that the cache stage writes and the features stage maps: mono PCM16, 44 bytes of header, samples.

Belongs here: the layout of that one file. Does not belong here: decoding a delivered file (`cache.py`) or any
reading of sound (`spectrogram.py`).
"""

import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.runtime.errors import ContractError

PCM_PEAK = 32_767
"""Largest magnitude stored; -32,768 never occurs, so that a scaled song is symmetric."""

_HEADER_BYTES = 44
_SAMPLE_BYTES = 2


def write_pcm16(path: Path, rate_hz: int, blocks: Iterable[NDArray[np.int16]]) -> None:
    """Write mono blocks of samples, one after the other, as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(rate_hz)
        for block in blocks:
            file.writeframesraw(block.astype("<i2", copy=False).tobytes())


def map_pcm16(path: Path) -> tuple[int, NDArray[np.int16]]:
    """Return the sample rate in Hz and the samples as a memory map: nothing is read before it is used.

    Raises:
        ContractError: The file is not one that `write_pcm16` wrote.
    """
    with wave.open(str(path), "rb") as file:
        rate_hz, frames = file.getframerate(), file.getnframes()
        layout = (file.getnchannels(), file.getsampwidth())
    if layout != (1, _SAMPLE_BYTES) or path.stat().st_size != _HEADER_BYTES + frames * _SAMPLE_BYTES:
        raise ContractError(f"{path.name}: not a canonical mono PCM16 WAV, got (channels, bytes) {layout!r}")
    samples = np.memmap(path, dtype="<i2", mode="r", offset=_HEADER_BYTES, shape=(frames,))
    return rate_hz, np.asarray(samples)
