import datetime
import hashlib

import edfio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.recordings import edf as edf_module
from bgb_assets.modalities.eeg.recordings.channels import choose
from bgb_assets.modalities.eeg.recordings.edf import open_edf
from bgb_assets.modalities.eeg.recordings.recording import Segment
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.recordings.edf_files import (
    REFERENTIAL,
    TYPE,
    make_discontinuous,
    patch,
    signal_field,
    write_edf,
)

FIXTURES = (
    "edf/test_edf_stim_channel.edf",
    "edf/test_generator.edf",
    "edf/short_psg.edf",
    "edf/duplicate_channel_labels.edf",
    "edf/test_uneven_samp.edf",
    "bdf/test_generator.bdf",
)
TEXTS = [edfio.EdfAnnotation(0.5, 1.25, "Anfall µ"), edfio.EdfAnnotation(2, None, "seizure end")]


def read(recording, indices):
    return np.concatenate(list(recording.blocks(indices)))


def peer(path):
    return edfio.read_bdf(path) if path.suffix == ".bdf" else edfio.read_edf(path)


@pytest.mark.parametrize("name", FIXTURES)
def test_every_signal_equals_edfio_to_the_bit(name):
    path = shared_data("eeg") / name
    recording = open_edf(path)
    assert recording.repairs == ()
    for signal, expected in zip(recording.signals, peer(path).signals, strict=True):
        integers = read(recording, [signal.index])[:, 0]
        np.testing.assert_array_equal(integers, expected.digital)
        np.testing.assert_allclose(signal.gain * integers + signal.offset, expected.data, rtol=0, atol=1e-9)
        assert signal.rate_hz == expected.sampling_frequency
        assert recording.segments(signal.rate_hz) == (Segment(0, len(integers), 0.0),)


def test_the_electrodes_of_a_real_recording_in_montage_order():
    recording = open_edf(shared_data("eeg") / "edf/test_edf_stim_channel.edf")
    choice = choose(recording.signals)
    samples = read(recording, [channel.signal.index for channel in choice.channels])
    assert [channel.name for channel in choice.channels] == list(CANONICAL)
    assert samples.shape == (1228, 19)
    digest = hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
    assert digest == "9097598bc6ee6e96e378cc042bf441f3831b5390376a8ffe709c75a9395d3b3f"


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("block_bytes", [1, 1000, 19 * 256 * 2, 3 * 19 * 256 * 3])
def test_blocks_hold_the_whole_range_whatever_their_size(tmp_path, monkeypatch, bits, block_bytes):
    monkeypatch.setattr(edf_module, "BLOCK_BYTES", block_bytes)
    path = write_edf(tmp_path / f"a.{'edf' if bits == 16 else 'bdf'}", seconds=7, bits=bits)
    recording = open_edf(path)
    blocks = list(recording.blocks([4, 0]))
    assert len(blocks) > 1
    assert recording.bits == bits
    expected = peer(path)
    for place, index in enumerate((4, 0)):
        got = np.concatenate([block[:, place] for block in blocks])
        np.testing.assert_array_equal(got, expected.signals[index].digital)
        assert (got.min(), got.max()) == (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def test_the_whole_records_of_a_truncated_file_are_those_of_the_whole_file(tmp_path):
    path = write_edf(tmp_path / "a.edf")
    whole = read(open_edf(path), [0, 18])
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(read(open_edf(path), [0, 18]), whole[: 3 * 256])


def test_signals_of_other_rates_are_read_by_themselves(tmp_path):
    path = write_edf(tmp_path / "a.edf", [*REFERENTIAL, "marker"], rates_hz=[256] * 18 + [512, 1])
    recording = open_edf(path)
    assert read(recording, [0]).shape == (1024, 1)
    assert read(recording, [18]).shape == (2048, 1)
    assert recording.segments(1.0) == (Segment(0, 4, 0.0),)


def test_a_start_within_a_second_and_texts_in_utf_8(tmp_path):
    start = datetime.datetime(2021, 5, 6, 7, 8, 9, 250_000)
    recording = open_edf(write_edf(tmp_path / "a.edf", annotations=TEXTS, start=start))
    assert recording.start == "2021-05-06T07:08:09.250000"
    assert recording.texts().items == ((0.5, 1.25, "Anfall µ"), (2.0, None, "seizure end"))
    assert recording.texts().warnings == ()


def test_texts_of_24_bit_files_are_read_alike(tmp_path):
    recording = open_edf(write_edf(tmp_path / "a.bdf", annotations=TEXTS, bits=24))
    assert recording.texts().items == ((0.5, 1.25, "Anfall µ"), (2.0, None, "seizure end"))


def test_damaged_texts_are_told(tmp_path):
    path = write_edf(tmp_path / "a.edf", annotations=TEXTS)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"seizure end\x14", b"seizure end\x01"))
    texts = open_edf(path).texts()
    assert texts.items == ((0.5, 1.25, "Anfall µ"),)
    assert texts.warnings == ("annotations of 1 records cannot be read whole",)


def test_gaps_make_segments_on_one_clock(tmp_path):
    path = make_discontinuous(write_edf(tmp_path / "a.edf", seconds=6, annotations=[]), {2: 3, 5: 1})
    recording = open_edf(path)
    assert recording.segments(256.0) == (Segment(0, 512, 0.0), Segment(512, 768, 5.0), Segment(1280, 256, 9.0))
    assert read(recording, [0]).shape == (6 * 256, 1)


def test_edf_plus_d_without_gaps_is_continuous(tmp_path):
    path = make_discontinuous(write_edf(tmp_path / "a.edf", annotations=[]), {})
    assert path.read_bytes()[TYPE] == b"EDF+D"
    assert open_edf(path).segments(256.0) == (Segment(0, 1024, 0.0),)


def test_edf_plus_d_without_times_is_refused(tmp_path):
    path = patch(write_edf(tmp_path / "a.edf"), TYPE, "EDF+D")
    with pytest.raises(BadInput, match="without annotations: the times of its records are lost"):
        open_edf(path)
    path = make_discontinuous(write_edf(tmp_path / "b.edf", annotations=[]), {})
    path.write_bytes(path.read_bytes().replace(b"+2\x14\x14", b"xx\x14\x14"))
    with pytest.raises(BadInput, match="record 2 of an EDF\\+D file has no time stamp"):
        open_edf(path)


def test_edf_plus_c_whose_first_record_has_no_time_is_read_as_from_0(tmp_path):
    path = write_edf(tmp_path / "a.edf", annotations=[])
    path.write_bytes(path.read_bytes().replace(b"+0\x14\x14", b"xx\x14\x14"))
    assert open_edf(path).repairs == ("the first record has no time stamp: read as 0 s",)


def test_a_signal_of_no_samples_is_no_one_elses(tmp_path):
    n = len(REFERENTIAL)
    path = write_edf(tmp_path / "a.edf")
    whole = read(open_edf(path), [1])
    content = path.read_bytes()
    # Its samples are cut out of every record, as its header then says.
    size = n * 256 * 2
    data = content[256 * (n + 1) :]
    kept = b"".join(data[start + 512 : start + size] for start in range(0, len(data), size))
    path.write_bytes(content[: 256 * (n + 1)] + kept)
    recording = open_edf(patch(path, signal_field(n, 0, "samples"), "0"))
    assert recording.signals[0].problem == "no sample in a record"
    np.testing.assert_array_equal(read(recording, [1]), whole)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(160, 9000), st.sampled_from(b"0123456789-+.,: eE\0\xff\x14naif")), max_size=4),
    lost=st.sampled_from((0, 0, 1, 5_000, 30_000)),
)
def test_a_damaged_file_is_read_or_refused(tmp_path, flips, lost):
    texts = [edfio.EdfAnnotation(0.5, 1, "seizure")]
    path = write_edf(tmp_path / "a.edf", seconds=2, rates_hz=128, annotations=texts)
    content = bytearray(path.read_bytes())
    for at, byte in flips:
        content[at] = byte
    path.write_bytes(bytes(content[: len(content) - lost]))
    try:
        recording = open_edf(path)
        channels = choose(recording.signals).channels
    except BadInput:
        return
    recording.texts()
    for rate_hz in {channel.signal.rate_hz for channel in channels}:
        indices = [channel.signal.index for channel in channels if channel.signal.rate_hz == rate_hz]
        assert len(read(recording, indices)) == sum(part.samples for part in recording.segments(rate_hz))
