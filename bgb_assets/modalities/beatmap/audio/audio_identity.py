"""The identity of a recording: a digest of its audio payload, blind to tags and container framing.

Belongs here: what is payload and what is wrapping in Ogg, WAV, FLAC and MP3, told by content, not by suffix.
Does not belong here: decoding (`cache`) and writing audio (`export_audio`). Next in the flow: `raw`.
"""

import hashlib
import mmap
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.audio.mpeg_audio import find_mpeg_audio, id3v2_end
from bgb_assets.modalities.beatmap.audio.ogg import VORBIS_MAGIC, OpusHead, VorbisHead, audio_packets, read_head

_WAV_FIELDS = struct.Struct("<HHIIHH")
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class AudioIdentity:
    """What a recording is, and what its own header says about it; unknown values are None.

    Attributes:
        audio_id: SHA-256 of the payload.
        codec: `vorbis`, `opus`, `wav`, `flac`, `mp3`, or `unknown`.
        rate_hz: Sample rate.
        channels: Number of channels.
        frames: Samples per channel.
    """

    audio_id: str
    codec: str
    rate_hz: int | None = None
    channels: int | None = None
    frames: int | None = None

    @property
    def seconds(self) -> float | None:
        """Length by the header, not by decoding."""
        return self.frames / self.rate_hz if self.frames is not None and self.rate_hz else None


def identify_audio(path: Path) -> AudioIdentity:
    """Return the identity of an audio file; a kind that is not known, or is damaged, is its bytes.

    Hashed are the name of the codec, a colon, and: Vorbis and Opus: all packets except the comment packet;
    WAV: format tag, channels, rate, byte rate, block size, bits and the `data` chunk; FLAC: the MD5 of its
    samples in STREAMINFO, or the frames where that is zero; MP3: the frames without ID3 and APE blocks; else
    the whole file.
    """
    if path.stat().st_size == 0:
        return AudioIdentity(hashlib.sha256(b"bytes:").hexdigest(), "unknown")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        readers: tuple[Callable[[mmap.mmap], AudioIdentity | None], ...] = (_ogg, _wav, _flac, _mp3)
        for reader in readers:
            identity = reader(data)
            if identity is not None:
                return identity
        digest = hashlib.sha256(b"bytes:")
        _update(digest, data, 0, len(data))
        return AudioIdentity(digest.hexdigest(), "unknown")


def _ogg(data: mmap.mmap) -> AudioIdentity | None:
    head = read_head(data) if data[:4] == b"OggS" else None
    if head is None:
        return None
    codec = "vorbis" if head.magic == VORBIS_MAGIC else "opus"
    digest = hashlib.sha256(f"{codec}:".encode())
    last_granule = 0
    for piece, granule in audio_packets(data, head):
        digest.update(piece)
        last_granule = max(last_granule, granule)
    return AudioIdentity(digest.hexdigest(), codec, *_ogg_format(head.packet, codec), _ogg_frames(head, last_granule))


def _ogg_format(packet: bytes, codec: str) -> tuple[int | None, int | None]:
    head = VorbisHead.read(packet) if codec == "vorbis" else OpusHead.read(packet)
    return (head.rate_hz, head.channels) if head else (None, None)


def _ogg_frames(head: Any, last_granule: int) -> int:
    opus = OpusHead.read(head.packet) if head.magic != VORBIS_MAGIC else None
    return max(0, last_granule - (opus.pre_skip if opus else 0))


def _wav(data: mmap.mmap) -> AudioIdentity | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    chunks = {name: (start, size) for name, start, size in reversed(list(_riff_chunks(data)))}
    if b"fmt " not in chunks or b"data" not in chunks or chunks[b"fmt "][1] < _WAV_FIELDS.size:
        return None
    start, size = chunks[b"data"]
    fields = _WAV_FIELDS.unpack_from(data, chunks[b"fmt "][0])
    digest = hashlib.sha256(b"wav:" + _WAV_FIELDS.pack(*fields))
    _update(digest, data, start, start + size)
    _, channels, rate, _, block_bytes, _ = fields
    return AudioIdentity(digest.hexdigest(), "wav", rate, channels, size // block_bytes if block_bytes else None)


def _riff_chunks(data: mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
        yield name, at + 8, min(size, len(data) - at - 8)  # streamed files write 0xFFFFFFFF
        at += 8 + size + size % 2


def _flac(data: mmap.mmap) -> AudioIdentity | None:
    at = id3v2_end(data)
    if data[at : at + 4] != b"fLaC" or len(data) < at + 42:
        return None
    # STREAMINFO is always the first block: 4 bytes of block header, then 34 bytes.
    packed = int.from_bytes(data[at + 18 : at + 26], "big")
    md5 = bytes(data[at + 26 : at + 42])
    digest = hashlib.sha256(b"flac:")
    if any(md5):
        digest.update(md5)
    else:
        _update(digest, data, _flac_frames_start(data, at + 4), len(data))
    rate, channels, frames = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    return AudioIdentity(digest.hexdigest(), "flac", rate, channels, frames or None)


def _flac_frames_start(data: mmap.mmap, at: int) -> int:
    last = False
    while not last and at + 4 <= len(data):
        last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return min(at, len(data))


def _mp3(data: mmap.mmap) -> AudioIdentity | None:
    found = find_mpeg_audio(data)
    if found is None:
        return None
    digest = hashlib.sha256(b"mp3:")
    _update(digest, data, found.start, found.end)
    return AudioIdentity(digest.hexdigest(), "mp3", found.rate_hz, found.channels, found.frames)


def _update(digest: Any, data: mmap.mmap, start: int, end: int) -> None:
    for at in range(start, end, _BLOCK_BYTES):
        digest.update(data[at : min(at + _BLOCK_BYTES, end)])
