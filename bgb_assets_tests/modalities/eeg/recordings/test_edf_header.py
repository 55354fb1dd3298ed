from datetime import datetime
from fractions import Fraction

import pytest

from bgb_assets.modalities.eeg.recordings.edf_header import read_header
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.recordings.edf_files import (
    HEADER_LENGTH,
    PATIENT,
    RECORDS,
    REFERENTIAL,
    START,
    patch,
    signal_field,
    write_edf,
)

N = len(REFERENTIAL)
RECORD_BYTES = N * 256 * 2


@pytest.fixture
def edf(tmp_path):
    return write_edf(tmp_path / "a.edf")


def test_a_sound_file_needs_no_repair(edf):
    header = read_header(edf)
    assert header.repairs == ()
    assert (header.format, header.records, header.record_samples) == ("edf", 4, N * 256)
    assert header.start == datetime(2021, 5, 6, 7, 8, 9)
    assert [signal.label for signal in header.signals] == list(REFERENTIAL)
    assert {signal.rate_hz for signal in header.signals} == {256.0}


@pytest.mark.parametrize(
    ("count", "repair"),
    [
        ("-1", "number of records '-1': 4 by the size of the file"),
        ("3", "number of records 3: 4 by the size of the file"),
        ("many", "number of records 'many': 4 by the size of the file"),
        ("9", "the file ends after 4 of 9 records: 5 s are lost"),
    ],
)
def test_a_wrong_number_of_records_is_mended_by_the_size(edf, count, repair):
    header = read_header(patch(edf, RECORDS, count))
    assert (header.records, header.repairs) == (4, (repair,))


def test_trailing_bytes_are_left_out(edf):
    edf.write_bytes(edf.read_bytes() + b"\x1a" * 77)
    header = read_header(edf)
    assert (header.records, header.repairs) == (4, ("77 bytes after the last record are left out",))


def test_of_a_truncated_file_the_complete_records_are_kept_and_the_loss_is_stated(edf):
    edf.write_bytes(edf.read_bytes()[:-100])
    header = read_header(edf)
    assert header.records == 3
    assert header.repairs == (
        "the file ends after 3 of 4 records: 1 s are lost",
        f"the last record is incomplete: {RECORD_BYTES - 100} of {RECORD_BYTES} bytes are left out",
    )


@pytest.mark.parametrize("text", ["06:05:2107:08:09", "06/05/21 7.08.09", "06-05-2107 08 09"])
def test_other_separators_in_the_start_are_read_and_named(edf, text):
    header = read_header(patch(edf, START, text))
    assert header.start == datetime(2021, 5, 6, 7, 8, 9)
    assert header.repairs == (f"start {text!r} has other separators than '.': read as 2021-05-06T07:08:09",)


@pytest.mark.parametrize("text", ["30.02.2107.08.09", "", "06.05.2125.08.09", "xx.05.2107.08.09"])
def test_a_start_that_is_no_date_is_not_known(edf, text):
    header = read_header(patch(edf, START, text))
    assert header.start is None
    assert "is no date and time: the start is not known" in header.repairs[0]


@pytest.mark.parametrize(("year", "full"), [("85", 1985), ("99", 1999), ("84", 2084), ("00", 2000)])
def test_two_digits_of_a_year_are_of_1985_to_2084(edf, year, full):
    start = read_header(patch(edf, START, f"06.05.{year}07.08.09")).start
    assert start is not None
    assert start.year == full


def test_a_wrong_header_length_is_mended(edf):
    header = read_header(patch(edf, HEADER_LENGTH, "512"))
    assert header.repairs == (f"length of the header '512': {256 * (N + 1)} bytes by the number of signals",)
    assert header.data_offset == 256 * (N + 1)


@pytest.mark.parametrize(
    ("field", "text", "problem"),
    [
        ("digital_max", "-32768", "digital range [-32768, -32768] is empty"),
        ("physical_max", "-8000", "physical range [-8000, -8000] is empty or not finite"),
        ("physical_max", "inf", "its physical or digital range is no number"),
        ("physical_min", "nan", "is empty or not finite"),
        ("digital_min", "abc", "its physical or digital range is no number"),
        ("samples", "0", "no sample in a record"),
    ],
)
def test_a_signal_without_a_usable_range_has_a_problem_and_the_others_none(edf, field, text, problem):
    signals = read_header(patch(edf, signal_field(N, 0, field), text)).signals
    assert problem in signals[0].problem
    assert {signal.problem for signal in signals[1:]} == {None}


def test_a_range_beyond_all_floats_is_no_calibration(edf):
    patch(patch(edf, signal_field(N, 0, "physical_max"), "1.7e308"), signal_field(N, 0, "physical_min"), "-1.7e308")
    assert read_header(edf).signals[0].problem == "gain inf and offset inf are no calibration"


def test_fields_that_end_in_zero_bytes_are_read(edf):
    before = read_header(edf).signals
    assert read_header(patch(edf, signal_field(N, 0, "physical_max"), b"8000\0\0\0\0")).signals == before
    assert before[0].problem is None


@pytest.mark.parametrize("written", [b"\xb5V", "\u00b5V".encode(), "\u03bcV".encode()])
def test_the_micro_sign_is_read_however_it_is_written(edf, written):
    assert read_header(patch(edf, signal_field(N, 0, "unit"), written)).signals[0].unit in ("\u00b5V", "\u03bcV")


def test_a_record_of_a_fraction_of_a_second_is_exact():
    header = read_header(shared_data("eeg") / "edf" / "test_edf_stim_channel.edf")
    assert header.record_duration_s == Fraction("9.59375")
    assert {signal.rate_hz for signal in header.signals} == {128.0}


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        (slice(0, 8), "RIFF", "no EDF or BDF"),
        (slice(252, 256), "0", "number of signals must be a whole number of at least 1, got '0'"),
        (slice(252, 256), "x", "number of signals"),
        (slice(244, 252), "0", "duration of a data record must be positive, got '0' s"),
        (slice(244, 252), "nan", "duration of a data record"),
        (slice(244, 252), "1/0", "duration of a data record"),
        (signal_field(N, 0, "samples"), "x", "the header of the signals cannot be read"),
        (signal_field(N, 0, "samples"), "-5", "signal 0 has -5 samples in a record"),
    ],
)
def test_a_header_that_means_nothing_is_refused(edf, field, text, reason):
    with pytest.raises(BadInput, match="export the recording again") as refused:
        read_header(patch(edf, field, text))
    assert reason in refused.value.reason
    assert PATIENT not in str(refused.value)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (0, "0 bytes of header begin with b'', no EDF or BDF"),
        (100, "100 bytes of header begin with b'0       ', no EDF or BDF"),
        (300, "the header of 19 signals breaks off after 300 bytes"),
        (256 * 20, "0 bytes of data hold no whole record"),
        (256 * 20 + 50, "50 bytes of data hold no whole record"),
    ],
)
def test_a_file_cut_off_before_its_first_record_ends_is_refused(edf, size, reason):
    edf.write_bytes(edf.read_bytes()[:size])
    with pytest.raises(BadInput) as refused:
        read_header(edf)
    assert reason in refused.value.reason
