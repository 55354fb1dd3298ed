"""Reads the pages and packets of an Ogg file, and writes them (RFC 3533).

Belongs here: pages, lacing, checksums, and the first packets of Vorbis and Opus.
Does not belong here: decoding. Used by `audio_identity` and `export_audio`.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

VORBIS_MAGIC = b"\x01vorbis"
OPUS_MAGIC = b"OpusHead"
HEADER_PACKETS = {VORBIS_MAGIC: 3, OPUS_MAGIC: 2}
COMMENT_PACKET = 1
"""Index of the packet with the tags, in Vorbis and in Opus."""

_PAGE = struct.Struct("<4sBBqIIIB")
_FIRST = 2
_MAX_SEGMENT = 255
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Bytes(Protocol):
    """What is read here: bytes or a memory map."""

    def __getitem__(self, key: slice, /) -> bytes:
        """Return a copy of some bytes."""
        ...

    def __len__(self) -> int: ...

    def find(self, sub: bytes, start: int = ..., /) -> int:
        """Return where some bytes are found, or -1."""
        ...


@dataclass(frozen=True)
class Page:
    """One Ogg page.

    Attributes:
        flags: 1 continued packet, 2 first page of a stream, 4 last.
        granule: Position at the end of the last packet that ends here; -1 where none does.
        serial: Stream number.
        lacing: Segment lengths; a packet ends at each below 255.
        start: Offset of the payload.
        end: Offset behind it, cut at the end of the file.
    """

    flags: int
    granule: int
    serial: int
    lacing: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Head:
    """The stream that is listened to: its number, kind and first packet."""

    serial: int
    magic: bytes
    packet: bytes


@dataclass(frozen=True)
class HeaderPackets:
    """The header packets of a stream.

    Attributes:
        packets: In order, whole.
        pages: How many pages they fill; audio begins on the next one.
    """

    packets: tuple[bytes, ...]
    pages: int


@dataclass(frozen=True)
class VorbisHead:
    """The fields of a Vorbis identification packet that are needed here."""

    channels: int
    rate_hz: int

    @classmethod
    def read(cls, packet: bytes) -> "VorbisHead | None":
        """Read the packet; None where it is cut."""
        return cls(packet[11], int.from_bytes(packet[12:16], "little")) if len(packet) >= 16 else None


@dataclass(frozen=True)
class OpusHead:
    """The fields of an Opus identification packet that are needed here; Opus always decodes at 48 kHz."""

    channels: int
    pre_skip: int
    rate_hz: int = 48_000

    @classmethod
    def read(cls, packet: bytes) -> "OpusHead | None":
        """Read the packet; None where it is cut."""
        return cls(packet[9], int.from_bytes(packet[10:12], "little")) if len(packet) >= 12 else None


def pages(data: Bytes) -> Iterator[Page]:
    """Yield the pages of a file in order; garbage between pages is passed over, the last may be cut."""
    at = data.find(b"OggS", 0)
    while at >= 0 and at + _PAGE.size <= len(data):
        _, version, flags, granule, serial, _, _, segments = _PAGE.unpack(data[at : at + _PAGE.size])
        lacing = data[at + _PAGE.size : at + _PAGE.size + segments]
        start = at + _PAGE.size + segments
        if version == 0:
            yield Page(flags, granule, serial, lacing, start, min(start + sum(lacing), len(data)))
        at = data.find(b"OggS", start + sum(lacing) if version == 0 else at + 4)


def read_head(data: Bytes) -> Head | None:
    """Return the first Vorbis or Opus stream, or None."""
    for page in pages(data):
        if not page.flags & _FIRST:
            return None
        packet = data[page.start : page.end]
        for magic in HEADER_PACKETS:
            if packet.startswith(magic):
                return Head(page.serial, magic, packet)
    return None


def read_header_packets(data: Bytes, head: Head) -> HeaderPackets | None:
    """Return the header packets of a file of one stream; None where they are cut or share a page with audio."""
    wanted, packets, pending = HEADER_PACKETS[head.magic], [], b""
    for number, page in enumerate(pages(data), 1):
        for piece, complete in _page_packets(data, page):
            pending += piece
            if complete:
                packets.append(pending)
                pending = b""
        if len(packets) >= wanted:
            return HeaderPackets(tuple(packets), number) if len(packets) == wanted and not pending else None
    return None


def audio_packets(data: Bytes, head: Head) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of all packets of a stream but the comment packet, with the granule of their page.

    A piece is a packet or, behind the header packets, the whole payload of a page. Files of several links
    (a stream after the other) are followed: a later link of the same kind counts too.
    """
    serial, headers = head.serial, HEADER_PACKETS[head.magic]
    index, pending = 0, b""
    for page in pages(data):
        if page.flags & _FIRST and data[page.start : page.end].startswith(head.magic) and index >= headers:
            serial, index, pending = page.serial, 0, b""
        if page.serial != serial:
            continue
        if index >= headers:
            yield data[page.start : page.end], page.granule
            continue
        for packet, complete in _page_packets(data, page):
            if index >= headers:
                yield packet, page.granule
                continue
            pending += packet
            if not complete:
                continue
            if index != COMMENT_PACKET:
                yield pending, page.granule
            index, pending = index + 1, b""


def assemble_page(lacing: bytes, payload: bytes, granule: int, serial: int, sequence: int, flags: int) -> bytes:
    """Return a page with its checksum."""
    header = _PAGE.pack(b"OggS", 0, flags, granule, serial, sequence, 0, len(lacing))
    page = header + lacing + payload
    return page[:22] + checksum(page).to_bytes(4, "little") + page[26:]


def checksum(page: bytes) -> int:
    """Return the CRC of a page whose checksum field is zero: polynomial 0x04C11DB7, start 0, not reflected.

    zlib's CRC is the same one with all bits reversed, start and end inverted.
    """
    reflected = zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)


def _page_packets(data: Bytes, page: Page) -> Iterator[tuple[bytes, bool]]:
    """Yield the pieces of packets on one page, and whether each piece ends its packet."""
    at, length = page.start, 0
    for segment in page.lacing:
        length += segment
        if segment < _MAX_SEGMENT:
            yield data[at : min(at + length, page.end)], True
            at, length = at + length, 0
    if length:
        yield data[at : min(at + length, page.end)], False
