import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.recordings.edf_times import Run, runs_of, stamp_s, texts_of
from bgb_assets.runtime.errors import BadInput


@pytest.mark.parametrize(
    ("annotation", "seconds"),
    [(b"+0\x14\x14\0\0", 0.0), (b"+12.5\x14\x14\0", 12.5), (b"-0.25\x14\x14\0", -0.25), (b"+3.\x14\x14\0", 3.0)],
)
def test_the_first_list_of_a_record_is_its_time(annotation, seconds):
    assert stamp_s(annotation) == seconds


@pytest.mark.parametrize("annotation", [b"", b"\0\0\0", b"12\x14\x14\0", b"+1", b"+a\x14\x14\0"])
def test_a_record_without_a_time_has_none(annotation):
    assert stamp_s(annotation) is None


def test_texts_have_onset_duration_and_count_from_the_first_sample():
    annotation = b"+2.5\x14\x14\0+3.5\x1512.25\x14seizure\x14\xc2\xb5V\x14\0+4.5\x14end\x14\0\0\0\0"
    assert texts_of(annotation, 0.5) == ([(3.0, 12.25, "seizure"), (3.0, 12.25, "µV"), (4.0, None, "end")], True)


@pytest.mark.parametrize("rest", [b"garbage\x14\0", b"+5", b"+5\x15x\x14text\x14\0"])
def test_a_damaged_list_is_told(rest):
    assert texts_of(b"+1\x14\x14\0+2\x14here\x14\0" + rest, 0.0) == ([(2.0, None, "here")], False)


def test_records_without_gaps_are_one_run():
    assert runs_of([5.25, 6.25, 7.25], 1.0, 0.001) == (Run(0, 3, 0.0),)


def test_a_gap_begins_a_run_on_the_same_clock():
    assert runs_of([0, 2, 10, 12, 30], 2.0, 0.001) == (Run(0, 2, 0.0), Run(2, 2, 10), Run(4, 1, 30))


@given(
    gaps=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    first=st.floats(0, 1),
    jitter=st.floats(-0.001, 0.001),
)
def test_runs_hold_every_record_once_and_start_when_it_does(gaps, first, jitter):
    onsets = [first]
    for number, gap in enumerate(gaps):
        onsets.append(first + (number + 1) + sum(gaps[: number + 1]) + (jitter if gap == 0 else 0.0))
    runs = runs_of(onsets, 1.0, 0.002)
    assert [run.first + run.records for run in runs[:-1]] == [run.first for run in runs[1:]]
    assert (runs[0].first, runs[-1].first + runs[-1].records) == (0, len(onsets))
    assert len(runs) == 1 + sum(gap > 0 for gap in gaps)
    assert all(run.onset_s == onsets[run.first] - first for run in runs)


def test_a_record_before_the_end_of_the_last_is_refused():
    with pytest.raises(BadInput, match=r"record 2 begins at 1\.5 s, before the one before it ends at 2 s"):
        runs_of([0, 1, 1.5], 1.0, 0.002)
