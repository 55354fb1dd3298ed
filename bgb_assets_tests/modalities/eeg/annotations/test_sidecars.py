import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.annotations.bids_events import read_events_tsv
from bgb_assets.modalities.eeg.annotations.csv_bi import read_csv
from bgb_assets.modalities.eeg.annotations.events import annotations_from_json, seizure_times
from bgb_assets.modalities.eeg.annotations.intervals import to_samples
from bgb_assets.modalities.eeg.annotations.sidecars import read_annotations, sidecar_names
from bgb_assets.runtime.errors import BadInput, ConfigError
from bgb_assets_tests.modalities.eeg.annotations.annotation_files import (
    TSV_COLUMNS,
    Params,
    csv_event,
    csv_rows,
    tsv_event,
    write,
)

DURATION_S = 1275.0
TEXTS = [(700.0, 5.0, "seizure"), (701.0, None, "eyes open")]


def csv_bi(folder, *rows):
    return write(folder / "X.csv_bi", csv_rows(*rows))


def read(folder, params=None, texts=(), name="X.edf", duration_s=DURATION_S):
    return read_annotations(folder, name, duration_s, params or Params(), texts)


def test_all_sources_are_kept_and_the_first_is_trusted(tmp_path):
    names = ("csv_bi", "events.tsv", "csv", "edf_texts")
    csv_bi(tmp_path, csv_event(10, 20))
    write(tmp_path / "X_events.tsv", (TSV_COLUMNS, tsv_event(30, 40)))
    write(tmp_path / "X.csv", csv_rows(csv_event(10, 20, "fnsz", "C3-P3")))
    for at, removed in enumerate(("X.csv_bi", "X_events.tsv", "X.csv", None)):
        found = read(tmp_path, texts=TEXTS)
        assert tuple(source.source for source in found.sources) == names[at:]
        assert (found.trusted, found.labelled) == (names[at], "yes")
        assert found.seizures_s().tolist() == [[[10, 20]], [[30, 40]], [[10, 20]], [[700, 705]]][at]
        if removed:
            (tmp_path / removed).unlink()


def test_a_summary_is_trusted_before_the_texts_of_the_recording(tmp_path):
    rows = ["File Name: chb01_03.edf", "Number of Seizures in File: 0"]
    write(tmp_path / "chb01-summary.txt", rows)
    found = read(tmp_path, texts=TEXTS, name="chb01_03.edf")
    assert [source.source for source in found.sources] == ["summary", "edf_texts"]
    assert (found.trusted, len(found.seizures_s())) == ("summary", 0)


def test_sidecars_lie_beside_the_recording(tmp_path):
    assert sidecar_names("a/sub-1/sub-1_run-01_eeg.edf") == {
        "csv_bi": "a/sub-1/sub-1_run-01_eeg.csv_bi",
        "events.tsv": "a/sub-1/sub-1_run-01_events.tsv",
        "csv": "a/sub-1/sub-1_run-01_eeg.csv",
    }
    assert sidecar_names("chb02/chb02_16+.edf")["summary"] == "chb02/chb02-summary.txt"
    assert sidecar_names("PN10-4.5.6.edf") == {
        "csv_bi": "PN10-4.5.6.csv_bi",
        "events.tsv": "PN10-4.5.6_events.tsv",
        "csv": "PN10-4.5.6.csv",
        "summary": "Seizures-list-PN10.txt",
    }
    csv_bi(tmp_path, csv_event(10, 20))
    (tmp_path / "below").mkdir()
    with pytest.raises(BadInput, match=r"below/X\.edf: no annotation"):
        read(tmp_path, name="below/X.edf")


def test_the_json_comes_back_and_has_the_agreed_form(tmp_path):
    csv_bi(tmp_path, csv_event(0, 42.2786, "bckg"), csv_event(42.2786, 81.776))
    write(tmp_path / "X.csv", csv_rows(csv_event(42.2786, 81.276, "fnsz", "C3 - P3")))
    found = read(tmp_path)
    document = found.as_json()
    assert annotations_from_json(orjson.loads(orjson.dumps(document))) == found
    assert document.keys() == {"sources", "trusted", "duration_s", "disagreement_s", "labelled"}
    assert document["disagreement_s"] == 0.5
    assert document["sources"][1] == {
        "source": "csv",
        "events": [
            {
                "onset_s": 42.2786,
                "offset_s": 81.276,
                "label": "fnsz",
                "label_id": 2,
                "is_seizure": True,
                "channels": ["C3-P3"],
                "confidence": 1.0,
                "line": 7,
            }
        ],
    }


@pytest.mark.parametrize("stop", [21.0, 21.5])
def test_csv_bi_and_csv_that_disagree_are_told_above_a_second(tmp_path, stop):
    csv_bi(tmp_path, csv_event(10, 20))
    write(tmp_path / "X.csv", csv_rows(csv_event(10, 14, "fnsz", "C3-P3"), csv_event(13, stop, "fnsz", "T3-T5")))
    found = read(tmp_path)
    assert found.disagreement_s == stop - 20
    told = (f"csv_bi and csv disagree on {stop - 20:g} s of seizure; csv_bi is used",)
    assert found.warnings == (told if stop - 20 > 1 else ())
    assert found.seizures_s().tolist() == [[10, 20]]


def test_one_of_the_two_cannot_disagree(tmp_path):
    csv_bi(tmp_path, csv_event(10, 20))
    write(tmp_path / "X_events.tsv", (TSV_COLUMNS, tsv_event(30, 40)))
    assert read(tmp_path).disagreement_s is None


def test_no_annotation_is_never_all_background_in_silence(tmp_path):
    with pytest.raises(BadInput) as caught:
        read(tmp_path, texts=[(1.0, None, "eyes open")])
    assert caught.value.reason == "X.edf: no annotation"
    assert caught.value.remedy == "add X.csv_bi, or set `unlabelled: background` or `inference_only`"
    for unlabelled in ("background", "inference_only"):
        found = read(tmp_path, Params(unlabelled=unlabelled))
        assert (found.labelled, found.trusted, found.sources) == (unlabelled, None, ())


def test_a_list_that_names_others_is_part_of_the_reason(tmp_path):
    write(tmp_path / "chb01-summary.txt", ["File Name: chb01_04.edf", "Number of Seizures in File: 0"])
    with pytest.raises(
        BadInput, match=r"chb01_03\.edf: no annotation \(chb01-summary\.txt does not name it, but chb01_04"
    ):
        read(tmp_path, name="chb01_03.edf")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            csv_event(1270, 1276.5),
            r"X\.csv_bi, line 7: 'seiz' from 1270 to 1276\.5 s does not lie in the rec",
        ),
        (csv_event(-1.5, 3), r"X\.csv_bi, line 7: 'seiz' from -1\.5 to 3 s does not lie"),
        (csv_event(0, 1300, "bckg"), r"X\.csv_bi, line 7: 'bckg' from 0 to 1300 s does not lie"),
    ],
)
def test_an_event_beyond_the_recording_is_refused_unless_the_signal_is_trusted(tmp_path, row, message):
    csv_bi(tmp_path, row)
    with pytest.raises(BadInput, match=message):
        read(tmp_path)
    found = read(tmp_path, Params(trust="signal"))
    assert len(found.warnings) == 1
    assert found.warnings[0].endswith("s; what lies outside is clipped")
    assert all(0 <= start < stop <= DURATION_S for start, stop in found.seizures_s())


def test_what_every_row_says_is_told_three_times(tmp_path):
    csv_bi(tmp_path, *(csv_event(1270, 1300) for _ in range(22)))
    warnings = read(tmp_path, Params(trust="signal")).warnings
    assert len(warnings) == 4
    assert warnings[-1] == "19 more of that kind"


def test_a_second_of_overhang_is_clipped_without_a_word(tmp_path):
    csv_bi(tmp_path, csv_event(-1, 3), csv_event(1270, 1276))
    found = read(tmp_path)
    assert found.warnings == ()
    assert found.seizures_s().tolist() == [[0, 3], [1270, 1275]]
    assert found.trusted_events[1].offset_s == 1276, "the event itself stays as noted"


@pytest.mark.parametrize("duration_s", [1273.9, 1276.1])
def test_a_stated_duration_must_be_that_of_the_signal(tmp_path, duration_s):
    csv_bi(tmp_path)
    assert read(tmp_path, duration_s=1276.0).warnings == ()
    with pytest.raises(BadInput, match=rf"X\.csv_bi, line 3: the file says 1275 s, the signal has {duration_s} s"):
        read(tmp_path, duration_s=duration_s)
    assert len(read(tmp_path, Params(trust="signal"), duration_s=duration_s).warnings) == 1


def test_the_length_in_an_events_file_must_be_that_of_the_signal(tmp_path):
    write(tmp_path / "X_events.tsv", (f"{TSV_COLUMNS}\trecordingDuration", "1\t2\tsz\t1300.5"))
    with pytest.raises(BadInput, match=r"X_events\.tsv, line 2: the file says 1300\.5 s, the signal has 1275 s"):
        read(tmp_path)


def test_an_unknown_label_in_any_source_stops_the_recording(tmp_path):
    csv_bi(tmp_path, csv_event(10, 20))
    write(tmp_path / "X.csv", csv_rows(csv_event(10, 20, "artf", "C3-P3")))
    with pytest.raises(BadInput, match=r"X\.csv, line 7: got 'artf'"):
        read(tmp_path)
    assert read(tmp_path, Params(extra_labels=(("artf", False),))).trusted == "csv_bi"


def test_texts_that_make_no_sense_are_refused_only_where_nothing_better_is_there(tmp_path):
    texts = [(5.0, None, "offset")]
    with pytest.raises(BadInput, match=r"got 'offset' at 5\.0 s"):
        read(tmp_path, texts=texts)
    csv_bi(tmp_path, csv_event(10, 20))
    found = read(tmp_path, texts=texts)
    assert [source.source for source in found.sources] == ["csv_bi"]
    assert found.warnings[0].endswith("expected a beginning before it: these texts are not used")


def test_a_reversed_impedance_check_is_told(tmp_path):
    write(tmp_path / "X_events.tsv", (TSV_COLUMNS, "100\t-50\timpd"))
    (warning,) = read(tmp_path).warnings
    assert warning.startswith("X_events.tsv, line 2: 'impd' from 100 to 50 s stops before it starts")


@pytest.mark.parametrize("name", ["unlabelled", "trust"])
def test_params_that_mean_nothing_are_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=f"{name}: got 'maybe', expected one of "):
        read(tmp_path, Params().but(**{name: "maybe"}))


TIMES = st.integers(0, 12_750_000).map(lambda ticks: f"{ticks // 10_000}.{ticks % 10_000:04d}")
EVENTS = st.lists(st.tuples(TIMES, TIMES).map(lambda pair: sorted(pair, key=float)), max_size=8)


@given(EVENTS, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from([",", ", ", " , "]))
def test_the_three_layouts_give_the_same_samples(tmp_path_factory, events, end, byte_order_mark, comma):
    folder = tmp_path_factory.mktemp("layouts")
    how = {"end": end, "byte_order_mark": byte_order_mark}
    whole = [csv_event(start, stop, comma=comma) for start, stop in events]
    channels = ("FP1-F7", "T3 - T5", "C3-CZ")
    split = [
        csv_event(start, stop, "fnsz", channels[number % 3], comma) for start, stop in events for number in range(2)
    ]
    parsed = (
        read_csv(write(folder / "X.csv_bi", csv_rows(*whole), **how), "X"),
        read_csv(write(folder / "X.csv", csv_rows(*split), **how), "X"),
        read_events_tsv(write(folder / "X_events.tsv", (TSV_COLUMNS, *(tsv_event(*pair) for pair in events)), **how)),
    )
    unions = [seizure_times(one.events).tolist() for one in parsed]
    assert unions[0] == unions[1] == unions[2]
    samples = [to_samples(seizure_times(one.events), int(DURATION_S * 256)).tolist() for one in parsed]
    assert samples[0] == samples[1] == samples[2]
    assert bool(unions[0]) == any(float(start) < float(stop) for start, stop in events)
