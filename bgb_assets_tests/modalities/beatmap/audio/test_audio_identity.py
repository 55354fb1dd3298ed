import hashlib
import struct

import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.audio_identity import identify_audio
from bgb_assets.modalities.beatmap.audio.ogg import assemble_page, pages, read_head, read_header_packets
from bgb_assets_tests.fixtures import shared_data

CLIPS = {
    "Kevin_MacLeod_-_Vibe_Ace.hq.ogg": (2710336, 44100, 2),
    "Kevin_MacLeod_-_Vibe_Ace.ogg": (1355168, 22050, 1),
    "sorohanro_-_solo-trumpet-06.hq.ogg": (235201, 44100, 2),
    "sorohanro_-_solo-trumpet-06.ogg": (117601, 22050, 1),
}
SINE = np.sin(np.arange(8000) / 9).astype(np.float32)


def clip(name):
    return shared_data("beatmap") / "audio" / name


@pytest.mark.parametrize("name", CLIPS)
def test_real_clips_state_their_format(name):
    found = identify_audio(clip(name))
    assert (found.frames, found.rate_hz, found.channels) == CLIPS[name]
    assert found.codec == "vorbis"
    assert found.seconds == pytest.approx(CLIPS[name][0] / CLIPS[name][1])


def retagged(content, comment, packets_per_page, serial):
    """The same packets with other tags, other pages and another stream number."""
    head = read_head(content)
    headers = read_header_packets(content, head)
    first, _, setup = headers.packets
    front = [packet_page([first], 0, serial, 0, 2), packet_page([comment, setup], 0, serial, 1, 0)]
    rest = []
    for page in list(pages(content))[headers.pages :]:
        rest.append(assemble_page(page.lacing, content[page.start : page.end], page.granule, serial, 9, page.flags))
    return b"".join(front + rest)


def packet_page(packets, granule, serial, number, flags):
    lacing = b"".join(bytes([255] * (len(packet) // 255) + [len(packet) % 255]) for packet in packets)
    return assemble_page(lacing, b"".join(packets), granule, serial, number, flags)


def test_another_tag_or_stream_number_is_the_same_audio(tmp_path):
    source = clip("sorohanro_-_solo-trumpet-06.ogg")
    comment = b"\x03vorbis" + (3).to_bytes(4, "little") + b"who" + (0).to_bytes(4, "little") + b"\x01"
    (tmp_path / "a.egg").write_bytes(retagged(source.read_bytes(), comment, 3, serial=77))
    assert (tmp_path / "a.egg").read_bytes() != source.read_bytes()
    assert soundfile.info(tmp_path / "a.egg").frames == 117601
    assert identify_audio(tmp_path / "a.egg").audio_id == identify_audio(source).audio_id


def test_the_id_of_vorbis_is_of_its_packets_by_hand():
    source = clip("sorohanro_-_solo-trumpet-06.ogg")
    content = source.read_bytes()
    headers = read_header_packets(content, read_head(content))
    rest = b"".join(content[page.start : page.end] for page in list(pages(content))[headers.pages :])
    payload = b"vorbis:" + headers.packets[0] + headers.packets[2] + rest
    assert identify_audio(source).audio_id == hashlib.sha256(payload).hexdigest()


def test_one_changed_packet_or_another_encode_is_other_audio(tmp_path):
    source = clip("sorohanro_-_solo-trumpet-06.ogg")
    content = bytearray(source.read_bytes())
    content[-20] ^= 1
    (tmp_path / "a.ogg").write_bytes(content)
    ids = {
        identify_audio(path).audio_id
        for path in (tmp_path / "a.ogg", source, clip("sorohanro_-_solo-trumpet-06.hq.ogg"))
    }
    assert len(ids) == 3


def test_a_truncated_ogg_is_identified_by_what_is_left(tmp_path):
    source = clip("sorohanro_-_solo-trumpet-06.ogg")
    (tmp_path / "a.ogg").write_bytes(source.read_bytes()[:-5000])
    found = identify_audio(tmp_path / "a.ogg")
    assert found.codec == "vorbis"
    assert found.audio_id != identify_audio(source).audio_id


def test_opus_is_known_and_its_pre_skip_is_no_sound(tmp_path):
    soundfile.write(tmp_path / "a.opus", SINE, 48000, format="OGG", subtype="OPUS")
    found = identify_audio(tmp_path / "a.opus")
    assert (found.codec, found.rate_hz, found.channels) == ("opus", 48000, 1)
    assert found.frames == soundfile.info(tmp_path / "a.opus").frames


def test_wav_without_its_other_chunks_is_the_same(tmp_path):
    soundfile.write(tmp_path / "a.wav", SINE, 22050, subtype="PCM_16")
    plain = (tmp_path / "a.wav").read_bytes()
    start = plain.index(b"data")
    body = plain[12:start] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + plain[start:] + b"id3 \x04\0\0\0abcd"
    (tmp_path / "b.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)
    first, second = identify_audio(tmp_path / "a.wav"), identify_audio(tmp_path / "b.wav")
    assert first == second
    assert (first.codec, first.frames, first.rate_hz, first.channels) == ("wav", 8000, 22050, 1)
    soundfile.write(tmp_path / "c.wav", SINE, 22051, subtype="PCM_16")
    assert identify_audio(tmp_path / "c.wav").audio_id != first.audio_id


def test_a_wav_that_states_no_length_ends_with_the_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", SINE, 22050, subtype="PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    at = content.index(b"data") + 4
    (tmp_path / "b.wav").write_bytes(content[:at] + b"\xff\xff\xff\xff" + content[at + 4 :])
    assert identify_audio(tmp_path / "b.wav") == identify_audio(tmp_path / "a.wav")


def test_flac_is_the_md5_of_its_samples_or_its_frames(tmp_path):
    soundfile.write(tmp_path / "a.flac", SINE, 22050)
    content = (tmp_path / "a.flac").read_bytes()
    found = identify_audio(tmp_path / "a.flac")
    assert found.audio_id == hashlib.sha256(b"flac:" + content[26:42]).hexdigest()
    assert (found.codec, found.rate_hz, found.channels, found.frames) == ("flac", 22050, 1, 8000)
    ids = set()
    for tag in (b"", b"tagged"):
        blocks = content[4:26] + bytes(16) + content[42:]
        header = bytes([0x04]) + len(tag).to_bytes(3, "big") + tag
        marked = b"fLaC" + bytes([blocks[0] & 0x7F]) + blocks[1:38] + header + blocks[38:]
        (tmp_path / "b.flac").write_bytes(marked)
        ids.add(identify_audio(tmp_path / "b.flac").audio_id)
    assert len(ids) == 1
    assert found.audio_id not in ids


def test_mp3_without_its_tags_is_the_same(tmp_path):
    soundfile.write(tmp_path / "a.mp3", SINE, 22050, format="MP3")
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "b.mp3").write_bytes(b"ID3\x04\0\0\0\0\0\x05hello" + content + b"TAG" + bytes(125))
    first, second = identify_audio(tmp_path / "a.mp3"), identify_audio(tmp_path / "b.mp3")
    assert first == second
    assert (first.codec, first.rate_hz, first.channels) == ("mp3", 22050, 1)
    assert abs(first.frames - 8000) < 4 * 576


@pytest.mark.parametrize(
    "content",
    [b"", b"not audio", b"OggS", b"OggS" + bytes(100), b"RIFF\0\0\0\0WAVEfmt \x01\0\0\0a", b"fLaC", b"\xff\xfb"],
)
def test_anything_else_is_its_bytes(tmp_path, content):
    (tmp_path / "a.ogg").write_bytes(content)
    found = identify_audio(tmp_path / "a.ogg")
    assert found.codec == "unknown"
    assert found.audio_id == hashlib.sha256(b"bytes:" + content).hexdigest()
    assert found.seconds is None
