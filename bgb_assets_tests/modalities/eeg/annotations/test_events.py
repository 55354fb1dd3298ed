from bgb_assets.modalities.eeg.annotations.events import Annotations, Event, Source, seizure_times


def event(onset_s, offset_s, is_seizure=True):
    return Event(onset_s, offset_s, "sz", 1, is_seizure, (), None, 2)


def annotations(trusted, *events):
    return Annotations((Source("csv", events), Source("summary", (event(1.0, 9.0),))), trusted, 60.0, None, "yes")


def test_seizure_times_are_united_and_other_events_left_out():
    events = [event(20.0, 30.0), event(5.0, 10.0), event(8.0, 12.0), event(40.0, 50.0, False), event(12.0, 12.0)]
    assert seizure_times(events).tolist() == [[5.0, 12.0], [20.0, 30.0]]


def test_only_the_trusted_source_gives_seizures_and_only_inside_the_recording():
    found = annotations("csv", event(-0.5, 2.0), event(59.5, 60.5), event(70.0, 80.0))
    assert found.seizures_s().tolist() == [[0.0, 2.0], [59.5, 60.0]]


def test_nobody_trusted_means_no_seizure_known():
    assert annotations(None, event(5.0, 10.0)).seizures_s().shape == (0, 2)
