import pytest

from bgb_assets.modalities.eeg.annotations.csv_bi import read_csv
from bgb_assets.modalities.eeg.annotations.events import seizure_times
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.eeg.annotations.annotation_files import (
    CSV_COLUMNS,
    CSV_HEAD,
    csv_event,
    csv_rows,
    write,
)

SEIZURE = "TERM,42.2786,81.7760,seiz,1.0000"


def read(tmp_path, *rows, name="X.csv_bi", **how):
    return read_csv(write(tmp_path / name, rows, **how), "X")


def times(parsed):
    return [(event.onset_s, event.offset_s, event.label) for event in parsed.events]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("byte_order_mark", [False, True])
def test_any_line_end_and_a_byte_order_mark(tmp_path, end, byte_order_mark):
    rows = csv_rows("TERM,0.0000,42.2786,bckg,1.0000", SEIZURE, "")
    parsed = read(tmp_path, *rows, end=end, byte_order_mark=byte_order_mark)
    assert times(parsed) == [(0.0, 42.2786, "bckg"), (42.2786, 81.776, "seiz")]
    assert [event.line for event in parsed.events] == [7, 8]
    assert [event.label_id for event in parsed.events] == [0, 1]
    assert {event.channels for event in parsed.events} == {()}
    assert [seconds for _, seconds in parsed.durations_s] == [1275.0]
    assert parsed.warnings == ()


def test_column_names_and_no_rows_say_no_seizure(tmp_path):
    assert read(tmp_path, *csv_rows()).events == ()


def test_rows_per_channel_unite_and_leave_their_gaps(tmp_path):
    rows = [
        csv_event(10, 20, "fnsz", "FP1-F7"),
        csv_event(15, 30, "gnsz", "FP1 - F7", ", "),
        csv_event(40, 50, "cpsz", "T3-T5", " ,\t"),
        csv_event(12, 18, "nesz", "O1-O2"),
        csv_event(45, 60, "mysz", "C3-CZ"),
    ]
    parsed = read(tmp_path, *csv_rows(*rows, columns="channel, start_time ,stop_time,label, confidence"), name="X.csv")
    assert seizure_times(parsed.events).tolist() == [[10, 30], [40, 60]]
    assert [event.label_id for event in parsed.events] == [2, 3, 5, 12, 11]
    assert parsed.events[1].channels == ("FP1-F7",)


def test_a_file_that_names_another_recording_is_told(tmp_path):
    rows = ["# bname = Y", CSV_COLUMNS]
    assert read(tmp_path, *rows).warnings == ("X.csv_bi, line 1: names the recording 'Y', but lies beside 'X'",)


def test_a_duration_needs_not_be_there(tmp_path):
    assert read(tmp_path, CSV_COLUMNS, SEIZURE).durations_s == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("TERM,1.0,2.0,artf,1.0", "got 'artf', expected a known label"),
        ("TERM,1.0,2.0,SEIZ,1.0", "got 'SEIZ', expected a known label"),
        ("TERM,1.0,2.0,seiz", "expected 5 values: channel,start_time,stop_time,label,confidence"),
        ("TERM,1.0,2.0,seiz,1.0,1", "expected 5 values"),
        ("TERM,2.0,1.0,seiz,1.0", "got '2.0 to 1.0', expected an event that stops at or after its start"),
        ("TERM,2.0,1.0,bckg,1.0", "got '2.0 to 1.0', expected an event that stops at or after its start"),
        ("TERM,1;0,2.0,seiz,1.0", "got '1;0', expected a number in the column 'start_time'"),
        ("TERM,1.0,nan,seiz,1.0", "got 'nan', expected a number in the column 'stop_time'"),
        ("TERM,1.0,inf,seiz,1.0", "got 'inf'"),
        ("TERM,1_0,20,seiz,1.0", "got '1_0'"),
        ("TERM,1.0,٢,seiz,1.0", "got '٢'"),
        ("TERM,1.0,2.0,seiz,95", "got '95', expected a confidence between 0 and 1"),
        (",1.0,2.0,seiz,1.0", "expected a channel, or TERM for all"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path, row, message):
    with pytest.raises(BadInput) as caught:
        read(tmp_path, *csv_rows(SEIZURE, row))
    assert caught.value.reason.startswith("X.csv_bi, line 8: got ")
    assert message in caught.value.reason
    assert caught.value.remedy


@pytest.mark.parametrize(
    "columns",
    [
        "channel,stop_time,start_time,label,confidence",
        "start_time,stop_time,label,confidence,channel",
        "start_time,stop_time,label,confidence",
        SEIZURE,
    ],
)
def test_another_column_layout_is_refused_and_never_read_one_off(tmp_path, columns):
    with pytest.raises(BadInput, match=r"X\.csv_bi, line 6: got .* expected the line 'channel,start_time"):
        read(tmp_path, *csv_rows(SEIZURE, columns=columns))


def test_a_file_of_comments_alone_is_no_layout(tmp_path):
    with pytest.raises(BadInput, match="got no line of column names"):
        read(tmp_path, *CSV_HEAD)


def test_another_version_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"line 1: got 'csv_v2\.0\.0', expected version csv_v1\.0\.0"):
        read(tmp_path, "# version = csv_v2.0.0", CSV_COLUMNS)


@pytest.mark.parametrize("value", ["an hour", "1275.00 min", ""])
def test_a_duration_that_is_none_is_refused(tmp_path, value):
    with pytest.raises(BadInput, match="line 1: got"):
        read(tmp_path, f"# duration = {value}", CSV_COLUMNS)


def test_other_encodings_are_refused_with_the_line(tmp_path):
    path = tmp_path / "X.csv_bi"
    path.write_bytes(b"# version = csv_v1.0.0\n# patient = M\xfcller\n")
    with pytest.raises(BadInput, match=r"X\.csv_bi, line 2: got the byte 0xfc, expected UTF-8 text"):
        read_csv(path, "X")
