from collections import Counter

import pytest
from epilepsy2bids.annotations import Annotations as PeerAnnotations
from epilepsy2bids.annotations import EventType

from bgb_assets.modalities.eeg.annotations.bids_events import read_events_tsv
from bgb_assets.modalities.eeg.annotations.events import seizure_times
from bgb_assets.modalities.eeg.annotations.intervals import total
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.annotations.annotation_files import TSV_COLUMNS, write


def read(tmp_path, *rows, extra_labels=(), **how):
    return read_events_tsv(write(tmp_path / "X_events.tsv", rows, **how), extra_labels)


def seizeit2():
    return sorted((shared_data("eeg") / "seizeit2").rglob("*_events.tsv"))


def test_the_real_files_give_their_events():
    parsed = [read_events_tsv(path) for path in seizeit2()]
    events = [event for one in parsed for event in one.events]
    assert len(parsed) == 44
    assert Counter(event.label for event in events if not event.is_seizure) == {"impd": 26, "bckg": 15}
    assert sum(event.is_seizure for event in events) == 68
    unions = [seizure_times(one.events) for one in parsed]
    assert [sum(map(len, unions)), sum(len(union) > 0 for union in unions)] == [68, 25]
    assert sum(map(total, unions)) == 4375.0
    assert {seconds for one in parsed for _, seconds in one.durations_s} >= {65319.0, 52321.0}
    assert round(sum(one.durations_s[0][1] for one in parsed) / 3600, 2) == 408.53


def test_the_peer_reads_the_same_seizures_where_it_can_read():
    known = {kind.value for kind in EventType}
    compared = 0
    for path in seizeit2():
        events = read_events_tsv(path).events
        if not {event.label for event in events} <= known:
            continue  # 2026-11, epilepsy2bids 0.0.7: it fails on impedance checks and on one kind of seizure
        mine = [(event.onset_s, event.offset_s) for event in events if event.is_seizure]
        assert sorted(mine) == sorted(PeerAnnotations.loadTsv(str(path)).getEvents()), path.name
        compared += 1
    assert compared == 33


def test_impedance_checks_are_no_seizures_even_where_they_stop_before_they_start():
    path = next(path for path in seizeit2() if "sub-031" in path.name and "run-07" in path.name)
    events = read_events_tsv(path).events
    reversed_rows = [(event.label, event.line) for event in events if event.offset_s < event.onset_s]
    assert reversed_rows == [("impd", 4), ("impd", 5)]
    assert not seizure_times(events).size


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("byte_order_mark", [False, True])
def test_columns_are_found_by_name(tmp_path, end, byte_order_mark):
    rows = (
        "eventType\tconfidence\tnote\tduration\tonset\tchannels\trecordingDuration",
        "sz_foc_ia\tn/a\thand moves\t0.2\t0.1\tn/a\t60.5",
        "impd\t0.50\t\t5\t20\tC3, C4\tn/a",
        "bckg\t1\tn/a\t60\t0\tall\t60.5",
        "",
    )
    parsed = read(tmp_path, *rows, end=end, byte_order_mark=byte_order_mark)
    assert [(event.onset_s, event.offset_s, event.label_id) for event in parsed.events] == [
        (0.1, 0.3, 14),
        (20.0, 25.0, 13),
        (0.0, 60.0, 0),
    ]
    assert [event.confidence for event in parsed.events] == [None, 0.5, 1.0]
    assert [event.channels for event in parsed.events] == [(), ("C3", "C4"), ()]
    assert [(line.number, seconds) for line, seconds in parsed.durations_s] == [(2, 60.5), (4, 60.5)]


def test_an_end_is_the_decimal_sum_and_not_that_of_binary_fractions(tmp_path):
    (event,) = read(tmp_path, TSV_COLUMNS, "0.1\t0.2\tsz").events
    assert event.offset_s == 0.3 != 0.1 + 0.2


def test_column_names_and_no_rows_say_no_seizure(tmp_path):
    assert read(tmp_path, TSV_COLUMNS).events == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1\t2\tseizure", "got 'seizure', expected a known label"),
        ("1\t2\tn/a", "got 'n/a', expected a known label"),
        ("1\t2", "expected 3 values between tabs instead of 2"),
        ("1\t2\tsz\t", "expected 3 values between tabs instead of 4"),
        ("1 2 sz", "expected 3 values between tabs instead of 1"),
        ("n/a\t2\tsz", "got 'n/a', expected a number in the column 'onset'"),
        ("1\tn/a\tsz", "got 'n/a', expected a number in the column 'duration'"),
        ("1\t-2\tsz", "got '1 to -1', expected an event that stops at or after its start"),
        ("1\t-2\tbckg", "got '1 to -1', expected an event that stops at or after its start"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path, row, message):
    with pytest.raises(BadInput) as caught:
        read(tmp_path, TSV_COLUMNS, "1\t2\tsz", row)
    assert caught.value.reason.startswith("X_events.tsv, line 3: got ")
    assert message in caught.value.reason


@pytest.mark.parametrize(
    "columns", ["onset\tduration", "onset\tduration\ttrial_type", "onset,duration,eventType", f"{TSV_COLUMNS}\tonset"]
)
def test_other_columns_are_refused(tmp_path, columns):
    with pytest.raises(BadInput, match=r"line 1: got .* expected tab-separated column names with onset, duration"):
        read(tmp_path, columns, "1\t2\tsz")


def test_an_empty_file_is_no_table(tmp_path):
    with pytest.raises(BadInput, match=r"X_events\.tsv: got an empty file"):
        read(tmp_path)


def test_a_further_label_is_read(tmp_path):
    (event,) = read(tmp_path, TSV_COLUMNS, "1\t2\tspasm", extra_labels=(("spasm", True),)).events
    assert (event.label, event.label_id, event.is_seizure) == ("spasm", 14, True)
