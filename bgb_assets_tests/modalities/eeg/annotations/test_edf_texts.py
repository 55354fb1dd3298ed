import pytest

from bgb_assets.modalities.eeg.annotations.edf_texts import check_patterns, read_texts
from bgb_assets.runtime.errors import BadInput, ConfigError


def times(*texts, **how):
    return [(event.onset_s, event.offset_s, event.label) for event in read_texts(texts, **how)]


def test_beginnings_pair_with_the_next_ending_in_any_case_and_order():
    texts = [(50.0, None, "OFFSET"), (10.0, None, "Seizure start"), (30.0, 0.0, "onset "), (20.0, None, "seizure END")]
    assert times(*texts) == [(10.0, 20.0, "Seizure start"), (30.0, 50.0, "onset")]


def test_a_duration_makes_a_pair_needless():
    assert times((10.0, 5.5, "seizure"), (40.0, None, "onset"), (45.0, None, "offset")) == [
        (10.0, 15.5, "seizure"),
        (40.0, 45.0, "onset"),
    ]


def test_events_are_seizures_without_channel_or_line():
    (event,) = read_texts([(10.0, 5.0, "seizure")])
    assert (event.label_id, event.is_seizure, event.channels, event.confidence, event.line) == (1, True, (), None, 0)


@pytest.mark.parametrize("text", ["+1.000000", "-3", "eyes open", "no seizure", "seizure starts", "reset offset", ""])
def test_other_texts_mean_nothing(text):
    assert times((1.0, None, text), (2.0, 3.0, text)) == []


def test_the_time_of_a_record_never_matches():
    assert times((1.0, 2.0, "+1.000000"), patterns=(("start", ".*"),)) == []


def test_patterns_say_what_texts_mean():
    patterns = (("start", "crise.*"), ("end", "fin"))
    assert times((1.0, None, "Crise 3"), (9.0, None, "fin"), patterns=patterns) == [(1.0, 9.0, "Crise 3")]
    assert times((1.0, 2.0, "seizure"), patterns=patterns) == []


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([(1.0, None, "onset")], r"got 'onset' at 1\.0 s, expected an ending after it, or a duration"),
        ([(1.0, None, "onset"), (2.0, None, "seizure")], "got 'onset' at 1.0 s, expected an ending before the next"),
        ([(1.0, 3.0, "onset"), (5.0, None, "offset")], "got 'offset' at 5.0 s, expected a beginning before it"),
    ],
)
def test_what_has_no_partner_is_refused(texts, message):
    with pytest.raises(BadInput, match=message):
        read_texts(texts)


@pytest.mark.parametrize("patterns", [(("start", "("),), (("begin", "onset"),)])
def test_a_pattern_that_means_nothing_is_refused(patterns):
    with pytest.raises(ConfigError, match="edf_text_patterns: "):
        check_patterns(patterns)
