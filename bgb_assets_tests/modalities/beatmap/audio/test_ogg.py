import pytest

from bgb_assets.modalities.beatmap.audio.ogg import (
    VORBIS_MAGIC,
    VorbisHead,
    assemble_page,
    checksum,
    pages,
    read_head,
    read_header_packets,
)
from bgb_assets_tests.fixtures import shared_data


def clip():
    return (shared_data("beatmap") / "audio" / "sorohanro_-_solo-trumpet-06.hq.ogg").read_bytes()


def test_pages_of_a_real_file_are_rebuilt_to_the_byte():
    content = clip()
    found = list(pages(content))
    rebuilt = [
        assemble_page(page.lacing, content[page.start : page.end], page.granule, page.serial, number, page.flags)
        for number, page in enumerate(found)
    ]
    assert b"".join(rebuilt) == content
    assert found[-1].granule == 235201


def test_head_and_header_packets():
    content = clip()
    head = read_head(content)
    assert head.magic == VORBIS_MAGIC
    assert VorbisHead.read(head.packet) == VorbisHead(channels=2, rate_hz=44100)
    headers = read_header_packets(content, head)
    assert [packet[:7] for packet in headers.packets] == [b"\x01vorbis", b"\x03vorbis", b"\x05vorbis"]


def test_garbage_between_pages_is_passed_over_and_the_last_may_be_cut():
    content = clip()
    found = list(pages(content))
    second = found[1].start - 27 - len(found[1].lacing)
    dirty = content[:second] + b"\0garbage" + content[second:-10]
    again = list(pages(dirty))
    assert len(again) == len(found)
    assert again[-1].end - again[-1].start == sum(again[-1].lacing) - 10


@pytest.mark.parametrize("cut", [0, 3, 20, 27, 40])
def test_a_head_that_is_cut_is_none_or_short(cut):
    head = read_head(clip()[:cut])
    assert head is None or VorbisHead.read(head.packet) is None


def test_checksum_of_known_bytes():
    # Bit by bit, as RFC 3533 defines it.
    def slow(data):
        register = 0
        for byte in data:
            register ^= byte << 24
            for _ in range(8):
                register = (register << 1 ^ (0x04C11DB7 if register >> 31 else 0)) & 0xFFFFFFFF
        return register

    for data in (b"", b"a", bytes(range(256)), b"OggS" * 100):
        assert checksum(data) == slow(data)
