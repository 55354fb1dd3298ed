import pytest

from bgb_assets.modalities.beatmap.audio.mpeg_audio import find_mpeg_audio, id3v2_end

FRAME = b"\xff\xfb\x90\x44" + bytes(range(1, 255)) + bytes(417 - 4 - 254)
"""MPEG 1 layer 3, 128 kbit/s, 44.1 kHz, joint stereo: 417 bytes, 1152 samples."""


def id3v2(size=300):
    return b"ID3\x04\x00\x00" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + bytes(size)


def ape(size=64):
    footer = b"APETAGEX" + (2000).to_bytes(4, "little") + (size + 32).to_bytes(4, "little") + bytes(4)
    return b"x" * size + footer + bytes(12)


@pytest.mark.parametrize("front", [b"", id3v2(), id3v2() + id3v2(5), b"\0" * 100])
@pytest.mark.parametrize("back", [b"", b"TAG" + bytes(125), ape(), ape() + b"TAG" + bytes(125)])
def test_frames_are_found_between_tags(front, back):
    found = find_mpeg_audio(front + FRAME * 10 + back)
    assert (found.start, found.end) == (len(front), len(front) + 4170)
    assert (found.rate_hz, found.channels, found.frames) == (44100, 2, 11520)


def test_a_cut_last_frame_is_no_sound():
    assert find_mpeg_audio((FRAME * 10)[:-1]).frames == 9 * 1152


@pytest.mark.parametrize("content", [b"", b"\xff", FRAME, b"RIFF" * 100, b"\xff\xfb\x90\x44" * 30, id3v2()])
def test_what_is_no_mp3_is_none(content):
    assert find_mpeg_audio(content) is None


def test_id3v2_of_a_cut_file_ends_with_the_file():
    assert id3v2_end(id3v2(300)[:50]) == 50
    assert id3v2_end(b"ID3") == 0
