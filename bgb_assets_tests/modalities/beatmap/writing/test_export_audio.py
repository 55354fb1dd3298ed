import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.audio_identity import identify_audio
from bgb_assets.modalities.beatmap.audio.ogg import pages, read_head, read_header_packets
from bgb_assets.modalities.beatmap.writing.export_audio import game_audio, without_tags
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data

CLIPS = ("Kevin_MacLeod_-_Vibe_Ace.hq.ogg", "sorohanro_-_solo-trumpet-06.ogg", "sorohanro_-_solo-trumpet-06.hq.ogg")


@pytest.mark.parametrize("name", CLIPS)
def test_vorbis_is_copied_without_tags_and_sounds_the_same(tmp_path, name):
    source = shared_data("beatmap") / "audio" / name
    audio = game_audio(source)
    (tmp_path / "song.egg").write_bytes(audio.content)
    assert identify_audio(tmp_path / "song.egg") == identify_audio(source)
    assert (audio.frames, audio.rate_hz) == (soundfile.info(source).frames, soundfile.info(source).samplerate)
    comment = read_header_packets(audio.content, read_head(audio.content)).packets[1]
    assert comment == b"\x03vorbis" + bytes(8) + b"\x01"
    before, _ = soundfile.read(source, dtype="float32")
    after, _ = soundfile.read(tmp_path / "song.egg", dtype="float32")
    assert np.array_equal(before, after)


def test_pages_are_numbered_from_0_and_the_last_is_marked():
    audio = game_audio(shared_data("beatmap") / "audio" / CLIPS[0])
    found = list(pages(audio.content))
    starts = [audio.content.index(b"OggS")]
    for page in found[:-1]:
        starts.append(page.end)
    assert [int.from_bytes(audio.content[at + 18 : at + 22], "little") for at in starts] == list(range(len(found)))
    assert [page.flags & 6 for page in found] == [2] + [0] * (len(found) - 2) + [4]


@pytest.mark.parametrize(("suffix", "channels"), [("wav", 1), ("flac", 2), ("mp3", 2), ("wav", 6)])
def test_anything_else_is_encoded_and_equal_on_repeat(tmp_path, suffix, channels):
    wave = 0.5 * np.sin(np.arange(100_000) / 20).astype(np.float32)
    source = tmp_path / f"a.{suffix}"
    soundfile.write(source, np.stack([wave] * channels, axis=1), 44100)
    first, second = game_audio(source), game_audio(source)
    assert first == second
    (tmp_path / "song.ogg").write_bytes(first.content)
    heard, rate_hz = soundfile.read(tmp_path / "song.ogg", always_2d=True)
    assert (rate_hz, heard.shape[1]) == (44100, min(channels, 2))
    assert len(heard) == first.frames == soundfile.info(source).frames
    assert identify_audio(tmp_path / "song.ogg").codec == "vorbis"
    if suffix != "mp3":
        middle = slice(10_000, 90_000)
        assert np.abs(heard[middle, 0] - wave[middle]).max() < 0.05


def test_what_cannot_be_decoded_is_refused(tmp_path):
    (tmp_path / "a.egg").write_bytes(b"no sound")
    with pytest.raises(BadInput, match=r"a.egg: cannot be decoded .*; convert it to WAV or Ogg Vorbis"):
        game_audio(tmp_path / "a.egg")


def test_a_truncated_file_ends_at_its_last_whole_page(tmp_path):
    content = (shared_data("beatmap") / "audio" / CLIPS[1]).read_bytes()[:-3000]
    audio = without_tags(content)
    (tmp_path / "song.ogg").write_bytes(audio.content)
    assert 0 < audio.frames < 117601
    assert soundfile.info(tmp_path / "song.ogg").frames == audio.frames
    assert without_tags(b"OggS" + bytes(50)) is None


def test_silence_goes_in_front(tmp_path):
    source = shared_data("beatmap") / "audio" / CLIPS[1]
    audio = game_audio(source, silence_s=1.5)
    assert audio.frames == 117601 + round(1.5 * 22050)
    (tmp_path / "song.ogg").write_bytes(audio.content)
    heard, _ = soundfile.read(tmp_path / "song.ogg")
    before, _ = soundfile.read(source)
    assert np.abs(heard[:32_000]).max() < 1e-3
    assert np.corrcoef(heard[33_075:], before)[0, 1] > 0.98


def test_opus_in_ogg_is_no_vorbis_and_is_encoded(tmp_path):
    wave = 0.5 * np.sin(np.arange(96_000) / 20).astype(np.float32)
    soundfile.write(tmp_path / "a.ogg", wave, 48_000, format="OGG", subtype="OPUS")
    assert identify_audio(tmp_path / "a.ogg").codec == "opus"
    (tmp_path / "song.ogg").write_bytes(game_audio(tmp_path / "a.ogg").content)
    assert identify_audio(tmp_path / "song.ogg").codec == "vorbis"
