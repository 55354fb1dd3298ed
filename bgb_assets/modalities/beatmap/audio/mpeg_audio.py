"""Finds the MPEG audio frames of an MP3 file between its tags.

Belongs here: ID3v1, ID3v2 and APE blocks, and the frame header (ISO 11172-3, 13818-3) as far as lengths need it.
Does not belong here: decoding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_ID3V1_BYTES = 128
_APE_FOOTER_BYTES = 32
_SYNC_SEARCH_BYTES = 4096
_FRAMES_THAT_PROVE = 2
_BITRATES_KBPS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(1 or 2 for the lower sampling rates, layer) -> kbit/s by index."""
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Version bits -> rates: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5."""


class Bytes(Protocol):
    """What is read here: bytes or a memory map."""

    def __getitem__(self, key: slice, /) -> bytes:
        """Return a copy of some bytes."""
        ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class MpegAudio:
    """Where the frames lie and what they say.

    Attributes:
        start: Offset of the first frame.
        end: Offset behind the last byte that is no tag.
        rate_hz: Sample rate of the first frame.
        channels: Channels of the first frame.
        frames: Samples per channel, counted over all whole frames, an encoder's header frame included.
    """

    start: int
    end: int
    rate_hz: int
    channels: int
    frames: int


@dataclass(frozen=True)
class _Header:
    length_bytes: int
    samples: int
    rate_hz: int
    channels: int


def find_mpeg_audio(data: Bytes) -> MpegAudio | None:
    """Return the frames of an MP3 file, or None where two frames in a row are not found near its start."""
    begin, end = id3v2_end(data), _tags_start(data)
    for start in _candidates(data, begin, end):
        first = _header(data, start)
        if first is not None and _follows(data, start, first, end):
            return MpegAudio(start, end, first.rate_hz, first.channels, _count_samples(data, start, end))
    return None


def id3v2_end(data: Bytes) -> int:
    """Return the offset behind the ID3v2 tags at the start; 0 where there is none."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        flags, size = data[at + 5 : at + 6][0], data[at + 6 : at + 10]
        length = size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]
        at = min(at + 10 + length + (10 if flags & 0x10 else 0), len(data))
    return at


def _tags_start(data: Bytes) -> int:
    end = len(data)
    if end >= _ID3V1_BYTES and data[end - _ID3V1_BYTES : end - _ID3V1_BYTES + 3] == b"TAG":
        end -= _ID3V1_BYTES
    footer = data[max(0, end - _APE_FOOTER_BYTES) : end]
    if footer[:8] == b"APETAGEX":
        size = int.from_bytes(footer[12:16], "little")
        has_header = int.from_bytes(footer[20:24], "little") & 0x80000000
        end = max(0, end - size - (_APE_FOOTER_BYTES if has_header else 0))
    return end


def _candidates(data: Bytes, begin: int, end: int) -> Sequence[int]:
    searched = data[begin : min(begin + _SYNC_SEARCH_BYTES, end)]
    return [begin + at for at, byte in enumerate(searched[:-1]) if byte == 0xFF and searched[at + 1] >= 0xE0]


def _follows(data: Bytes, start: int, header: _Header, end: int) -> bool:
    at: int = start
    current: _Header | None = header
    for _ in range(_FRAMES_THAT_PROVE - 1):
        if current is None:
            return False
        at += current.length_bytes
        current = _header(data, at) if at + 4 <= end else None
    return current is not None and current.rate_hz == header.rate_hz


def _count_samples(data: Bytes, at: int, end: int) -> int:
    samples = 0
    while at + 4 <= end:
        header = _header(data, at)
        if header is None:
            at += 1  # damaged: look for the next frame
            continue
        at += header.length_bytes
        samples += header.samples if at <= end else 0
    return samples


def _header(data: Bytes, at: int) -> _Header | None:
    word = int.from_bytes(data[at : at + 4], "big")
    version, layer = word >> 19 & 3, 4 - (word >> 17 & 3)
    bitrate_index, rate_index = word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version == 1 or layer == 4 or bitrate_index in (0, 15) or rate_index == 3:
        return None
    low_rates = 1 if version == 3 else 2
    bits_per_s = 1000 * _BITRATES_KBPS[low_rates, layer][bitrate_index]
    rate_hz, padding = _RATES_HZ[version][rate_index], word >> 9 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and low_rates == 2 else 1152
    if layer == 1:
        length = (12 * bits_per_s // rate_hz + padding) * 4
    else:
        length = samples // 8 * bits_per_s // rate_hz + padding
    return _Header(length, samples, rate_hz, 1 if word >> 6 & 3 == 3 else 2)
