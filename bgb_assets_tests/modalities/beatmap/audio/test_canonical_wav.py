import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.canonical_wav import map_pcm16, write_pcm16
from bgb_assets.runtime.errors import ContractError


def test_blocks_come_back_as_one_song(tmp_path):
    blocks = [np.array([1, -2, 32_767], np.int16), np.array([], np.int16), np.array([-32_767, 5], np.int16)]
    write_pcm16(tmp_path / "a.wav", 22_050, blocks)
    rate_hz, samples = map_pcm16(tmp_path / "a.wav")
    assert rate_hz == 22_050
    assert samples.tolist() == [1, -2, 32_767, -32_767, 5]


def test_other_programs_read_it(tmp_path):
    write_pcm16(tmp_path / "a.wav", 22_050, [np.arange(-50, 50, dtype=np.int16)])
    samples, rate_hz = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert (rate_hz, samples.tolist()) == (22_050, list(range(-50, 50)))


@pytest.mark.parametrize("options", [{"subtype": "PCM_24"}, {"channels": 2}])
def test_another_layout_is_refused(tmp_path, options):
    shape = (10, options.pop("channels", 1))
    soundfile.write(tmp_path / "a.wav", np.zeros(shape), 22_050, **options)
    with pytest.raises(ContractError, match=r"a\.wav: not a canonical mono PCM16 WAV"):
        map_pcm16(tmp_path / "a.wav")


def test_bytes_behind_the_samples_are_refused(tmp_path):
    write_pcm16(tmp_path / "a.wav", 22_050, [np.zeros(4, np.int16)])
    with (tmp_path / "a.wav").open("ab") as file:
        file.write(b"LIST")
    with pytest.raises(ContractError):
        map_pcm16(tmp_path / "a.wav")
