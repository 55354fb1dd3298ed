"""Makes a song's audio loadable by the game: Ogg Vorbis without tags, the same bytes each time.

Belongs here: copying Vorbis packets without their tags, and encoding what is not Vorbis.
Does not belong here: the canonical decode that features are made of (`cache`). Next in the flow: `export`.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.audio.ogg import (
    VORBIS_MAGIC,
    Page,
    VorbisHead,
    assemble_page,
    pages,
    read_head,
    read_header_packets,
)
from bgb_assets.modalities.beatmap.writing.song_to_write import AudioToWrite
from bgb_assets.runtime.errors import BadInput

SERIAL = 1
_NO_TAGS = b"\x03vorbis" + (0).to_bytes(4, "little") + (0).to_bytes(4, "little") + b"\x01"
_FIRST, _LAST, _CONTINUED = 2, 4, 1
_MAX_SEGMENTS = 255
_BLOCK_FRAMES = 1 << 16


def game_audio(path: Path, silence_s: float = 0.0) -> AudioToWrite:
    """Return a song as Ogg Vorbis without tags: copied where it is Vorbis already, else encoded.

    Args:
        path: The song, in any format that libsndfile reads.
        silence_s: Seconds of silence to put in front; more than 0 always encodes.

    Raises:
        BadInput: The file cannot be decoded.
    """
    copied = without_tags(path.read_bytes()) if silence_s <= 0 else None
    if copied is None:
        copied = without_tags(_encoded(path, silence_s))
    if copied is None:
        raise BadInput(f"{path.name}: cannot be made an Ogg Vorbis file", "convert it to WAV or Ogg Vorbis")
    return copied


def without_tags(content: bytes) -> AudioToWrite | None:
    """Return a Vorbis file with an empty comment packet and a fixed stream number, or None where it is none.

    Audio pages keep their payload and are numbered and summed again; a file of several streams is None.
    """
    head = read_head(content)
    if head is None or head.magic != VORBIS_MAGIC:
        return None
    streams = {page.serial for page in pages(content)}
    vorbis = VorbisHead.read(head.packet)
    headers = read_header_packets(content, head)
    if vorbis is None or headers is None or len(streams) != 1:
        return None
    identification, _, setup = headers.packets
    front = _header_pages([identification], 0) + _header_pages([_NO_TAGS, setup], 1)
    whole = [page for page in pages(content) if page.end - page.start == sum(page.lacing)]
    audio = whole[headers.pages :]
    numbered = [_renumbered(content, page, number) for number, page in enumerate(audio, len(front))]
    frames = max((page.granule for page in audio), default=0)
    return AudioToWrite(b"".join([*front, *numbered]), vorbis.rate_hz, max(0, frames))


def _renumbered(content: bytes, page: Page, number: int) -> bytes:
    flags = page.flags & (_CONTINUED | _LAST)
    return assemble_page(page.lacing, content[page.start : page.end], page.granule, SERIAL, number, flags)


def _header_pages(packets: list[bytes], sequence: int) -> list[bytes]:
    """Lay header packets on pages of their own, as Vorbis demands; granule 0."""
    lacing = b"".join(bytes([255] * (len(packet) // 255) + [len(packet) % 255]) for packet in packets)
    payload = b"".join(packets)
    return list(_split(lacing, payload, sequence))


def _split(lacing: bytes, payload: bytes, sequence: int) -> Iterator[bytes]:
    start = 0
    for number, at in enumerate(range(0, len(lacing), _MAX_SEGMENTS)):
        segments = lacing[at : at + _MAX_SEGMENTS]
        continued = at > 0 and lacing[at - 1] == 255
        flags = _FIRST if sequence == 0 else _CONTINUED if continued else 0
        ends_packet = any(segment < 255 for segment in segments)
        end = start + sum(segments)
        yield assemble_page(segments, payload[start:end], 0 if ends_packet else -1, SERIAL, sequence + number, flags)
        start = end


def _encoded(path: Path, silence_s: float) -> bytes:
    import soundfile as sf

    target = io.BytesIO()
    try:
        with sf.SoundFile(path) as source:
            channels, rate_hz = min(source.channels, 2), source.samplerate
            silence_frames = round(silence_s * rate_hz)
            with sf.SoundFile(target, "w", rate_hz, channels, format="OGG", subtype="VORBIS") as encoder:
                for start in range(0, silence_frames, _BLOCK_FRAMES):
                    encoder.write(np.zeros((min(_BLOCK_FRAMES, silence_frames - start), channels), np.float32))
                for block in source.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True):
                    encoder.write(block if block.shape[1] == channels else _mixed(block))
    except sf.LibsndfileError as error:
        raise BadInput(f"{path.name}: cannot be decoded ({error})", "convert it to WAV or Ogg Vorbis") from None
    return target.getvalue()


def _mixed(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix more than two channels down to two equal ones."""
    return np.repeat(block.mean(axis=1, keepdims=True), 2, axis=1)
