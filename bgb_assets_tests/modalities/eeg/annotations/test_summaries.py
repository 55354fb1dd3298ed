import pytest

from bgb_assets.modalities.eeg.annotations.summaries import read_seizure_list, read_summary, recordings_named
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.eeg.annotations.annotation_files import write

SUMMARY = """Data Sampling Rate: 256 Hz
*************************

Channels in EDF Files:
**********************
Channel 1: FP1-F7

File Name: chb01_01.edf
File Start Time: 11:42:54
File End Time: 12:42:54
Number of Seizures in File: 0

File Name: chb01_03.edf
File Start Time: 13:43:04
Number of Seizures in File: 1
Seizure Start Time: 2996 seconds
Seizure End Time: 3036 seconds

File Name: chb01_16+.edf
Number of Seizures in File: 2
Seizure 1 Start Time: 327 seconds
Seizure 1 End Time: 420 seconds
Seizure 2 Start Time:  6253 secs
Seizure 2 End Time:  6269 secs
"""

LIST = """Seizure n 1
File name: PN00-1.edf
Registration start time: 19.39.33
Registration end time:  20.22.58
Seizure start time: 19.58.36
Seizure end time: 19.59.46

Seizure n 2
File name: PN00-2.edf
Registration start time:1 6.49.25
Start time: 17:00:00
End time:17.01.30

File name: PN00-3.edf
Registration start time: 23.50.00
Seizure n 3
Seizure start time: 23:59.30
Seizure end time: 00.00.30
Seizure n 4
File name: PN00-3.edf
Seizure start time: 01.00.00
Seizure end time: 01.00.10
Seizure n 5
File name: PN00-4.edf
Registration start time: 10.00.00
Seizure start time: 10.00.05 (clinical); 10.00.09 (electric)
Seizure end time: 10.01.00
"""


def times(parsed):
    return None if parsed is None else [(event.onset_s, event.offset_s, event.line) for event in parsed.events]


def summary(tmp_path, name, text=SUMMARY, end="\n"):
    return times(read_summary(write(tmp_path / "chb01-summary.txt", text.split("\n"), end), name))


def seizure_list(tmp_path, name, text=LIST):
    return times(read_seizure_list(write(tmp_path / "Seizures-list-PN00.txt", text.split("\n")), name))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_summary_gives_the_seizures_of_one_recording(tmp_path, end):
    assert summary(tmp_path, "chb01_01.edf", end=end) == []
    assert summary(tmp_path, "chb01_03.edf", end=end) == [(2996.0, 3036.0, 16)]
    assert summary(tmp_path, "chb01_16+.edf", end=end) == [(327.0, 420.0, 21), (6253.0, 6269.0, 23)]
    assert summary(tmp_path, "chb01_02.edf", end=end) is None, "what it does not name is not labelled by it"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Seizure End Time: 3036 seconds", "", "line 16: got .* expected an end time after it"),
        ("Seizure Start Time: 2996 seconds", "", "line 17: got .* expected a start and an end by turns"),
        ("File: 1", "File: 2", "line 13: got '2 seizures stated, 1 listed', expected the same number"),
        ("Number of Seizures in File: 1", "", "line 13: got 'chb01_03.edf', expected a line 'Number of Seizures"),
        ("2996 seconds", "49 min", "line 16: got .* expected a line such as"),
        ("3036", "2990", "line 16: got '2996 to 2990', expected an event that stops"),
        ("chb01_01", "chb01_03", "line 13: got 'chb01_03.edf', expected one block"),
    ],
)
def test_a_block_that_does_not_add_up_is_refused(tmp_path, old, new, message):
    with pytest.raises(BadInput, match=f"chb01-summary.txt, {message}"):
        summary(tmp_path, "chb01_03.edf", SUMMARY.replace(old, new))


def test_faults_in_the_block_of_another_recording_do_not_matter(tmp_path):
    assert summary(tmp_path, "chb01_01.edf", SUMMARY.replace("3036", "soon")) == []


def test_times_of_the_clock_count_from_the_registration_and_pass_midnight(tmp_path):
    assert seizure_list(tmp_path, "PN00-1.edf") == [(1143.0, 1213.0, 5)]
    assert seizure_list(tmp_path, "PN00-2.edf") == [(635.0, 725.0, 11)]
    assert seizure_list(tmp_path, "PN00-5.edf") is None


def test_a_registration_holds_until_the_next_recording(tmp_path):
    assert seizure_list(tmp_path, "PN00-3.edf") == [(570.0, 630.0, 17), (4200.0, 4210.0, 21)]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("PN00-4.edf", "-", "-", r"line 26: got '10\.00\.05 \(clinical\).*', expected one time of the clock"),
        ("PN00-1.edf", "19.58.36", "19.68.36", r"line 5: got '19\.68\.36', expected one time of the clock"),
        ("PN00-1.edf", "19.58.36", "later", "line 5: got 'later', expected one time of the clock"),
        ("PN00-1.edf", "Seizure end time: 19.59.46", "", "line 5: got .* expected an end time after it"),
        ("PN00-1.edf", "Seizure start time: 19.58.36", "", "line 6: got .* expected a registration start and"),
        ("PN00-1.edf", "Registration start time: 19.39.33", "", "line 6: got .* expected a registration start and"),
        ("PN00-1.edf", "Seizure ", "Sz ", "line 2: got 'File name: PN00-1.edf', expected start and end times"),
    ],
)
def test_a_list_that_does_not_parse_is_refused(tmp_path, name, old, new, message):
    with pytest.raises(BadInput, match=rf"Seizures-list-PN00\.txt, {message}"):
        seizure_list(tmp_path, name, LIST.replace(old, new))


def test_a_recording_converted_from_edf_keeps_its_labels(tmp_path):
    assert summary(tmp_path, "chb01_03.vhdr") == [(2996.0, 3036.0, 16)]
    assert seizure_list(tmp_path, "PN00-1.bdf") == [(1143.0, 1213.0, 5)]
    assert summary(tmp_path, "chb01_0.edf") is None


def test_both_say_which_recordings_they_name(tmp_path):
    path = write(tmp_path / "chb01-summary.txt", SUMMARY.split("\n"))
    assert recordings_named(path) == {"chb01_01.edf", "chb01_03.edf", "chb01_16+.edf"}
    path = write(tmp_path / "Seizures-list-PN00.txt", LIST.split("\n"))
    assert recordings_named(path) == {f"PN00-{number}.edf" for number in range(1, 5)}
