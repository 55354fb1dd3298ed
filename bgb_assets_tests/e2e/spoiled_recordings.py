"""Recordings that nobody can use, and odd ones that can be used: how each is made, and what is said of it.

Belongs here: making them in the folder of one upload. Does not belong here: driving the chain (`test_bad_recordings`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from zlib import crc32

import edfio
import numpy as np

from bgb_assets_tests.modalities.eeg.recordings.edf_files import (
    RECORDS,
    REFERENTIAL,
    START,
    make_discontinuous,
    patch,
    signal_field,
    write_edf,
)
from bgb_assets_tests.modalities.eeg.uploads import COLUMNS, CSV_BI, write_upload

Spoil = Callable[[Path], object]
STEM = "p1_a"
TSV = "onset\tduration\teventType\trecordingDuration\n"
HEAD = CSV_BI.format(stem=STEM, seconds=4)


def seed_of(folder: Path) -> int:
    """Return another seed for each: equal signals of two patients would be refused."""
    return crc32(folder.name.encode()) % 10_000 * 100


def upload(folder: Path, **kinds: object) -> None:
    """Write a recording of four seconds with a seizure of one."""
    write_upload(folder, STEM, seed=seed_of(folder), **kinds)


def edf_of(folder: Path) -> Path:
    return folder / f"{STEM}.edf"


def labels(folder: Path, name: str, content: str | bytes) -> None:
    """Write the recording with one file of labels in place of its own."""
    upload(folder)
    (folder / f"{STEM}.csv_bi").unlink()
    (folder / f"{STEM}{name}").write_bytes(content.encode() if isinstance(content, str) else content)


def no_signals(folder: Path) -> None:
    edfio.Edf([], annotations=[edfio.EdfAnnotation(1, 2, "seizure")]).write(edf_of(folder))


def seven_electrodes(folder: Path) -> None:
    upload(folder, labels=[*REFERENTIAL[:7], "EEG T9-REF", "ECG EKG"])


def a_wearable(folder: Path) -> None:
    upload(folder, labels=["BTEleft SD", "CROSStop SD"])


def nobody_labelled_it(folder: Path) -> None:
    write_edf(edf_of(folder), seed=seed_of(folder))


def unknown_label(folder: Path) -> None:
    upload(folder, rows="TERM,1.0000,2.0000,seizure?,1.0000\n")


def columns_one_off(folder: Path) -> None:
    labels(folder, ".csv_bi", HEAD + "start_time,stop_time,channel,label,confidence\n1.0,2.0,TERM,seiz,1.0\n")


def row_that_does_not_parse(folder: Path) -> None:
    labels(folder, "_events.tsv", f"{TSV}one\t1.0\tsz\t4.0\n")


def stop_before_start(folder: Path) -> None:
    upload(folder, rows="TERM,3.0000,2.0000,seiz,1.0000\n")


def not_utf_8(folder: Path) -> None:
    labels(folder, "_events.tsv", TSV.encode() + b"1.0\t1.0\tsz\xe9\t4.0\n")


def event_beyond_the_end(folder: Path) -> None:
    upload(folder, rows="TERM,1.0000,5.5000,seiz,1.0000\n")


def labels_of_a_longer_recording(folder: Path) -> None:
    labels(folder, ".csv_bi", CSV_BI.format(stem=STEM, seconds=400) + COLUMNS)


def slow(folder: Path) -> None:
    upload(folder, rates_hz=64)


def no_channel_with_a_range(folder: Path) -> None:
    upload(folder)
    count = len(REFERENTIAL)
    for index in range(count):
        patch(edf_of(folder), signal_field(count, index, "physical_max"), "0")
        patch(edf_of(folder), signal_field(count, index, "physical_min"), "0")


def two_recordings_of_the_clock(folder: Path) -> None:
    """EDF+D whose times were lost."""
    upload(folder)
    patch(edf_of(folder), slice(192, 197), "EDF+D")


REFUSED: Mapping[Spoil, tuple[str, str]] = {
    no_signals: ("no signals", "export the recording again or exclude it"),
    seven_electrodes: ("found Fp1, F3, C3, P3, F7, T3, T5; missing O1", "use a scalp recording"),
    a_wearable: ("not used 'BTEleft SD'", "use a scalp recording"),
    nobody_labelled_it: ("no annotation", "add p1_a.csv_bi, or set `unlabelled: background` or `inference_only`"),
    unknown_label: ("p1_a.csv_bi, line 6: got 'seizure?', expected a known label", "extra_labels"),
    columns_one_off: ("p1_a.csv_bi, line 5: got 'start_time,stop_time,channel", "write the column names"),
    row_that_does_not_parse: ("p1_a_events.tsv, line 2: got 'one', expected a number", "correct that line"),
    stop_before_start: ("p1_a.csv_bi, line 6: got '3.0000 to 2.0000'", "correct that line"),
    not_utf_8: ("p1_a_events.tsv, line 2: got the byte 0xe9, expected UTF-8", "save the file as UTF-8"),
    event_beyond_the_end: ("line 6: 'seiz' from 1 to 5.5 s does not lie in the recording of 4 s", "trust: signal"),
    labels_of_a_longer_recording: ("line 3: the file says 400 s, the signal has 4 s", "trust: signal"),
    slow: ("'EEG FP1-REF' (64 Hz, less than 100 Hz)", "exclude it"),
    no_channel_with_a_range: ("0 of the 19 electrodes", "use a scalp recording"),
    two_recordings_of_the_clock: ("EDF+D without annotations: the times of its records are lost", "EDF+C"),
}
"""What is refused by stage raw -> (part of the reason, part of the remedy)."""


def two_label_files_that_disagree(folder: Path) -> None:
    upload(folder)
    (folder / f"{STEM}.csv").write_text(HEAD + COLUMNS + "FP1-F7,1.0000,3.5000,fnsz,1.0000\n")


def cut_off(folder: Path) -> None:
    upload(folder)
    content = edf_of(folder).read_bytes()
    edf_of(folder).write_bytes(content[: -19 * 256])  # half of the last record
    text = (folder / f"{STEM}.csv_bi").read_text()
    (folder / f"{STEM}.csv_bi").write_text(text.replace("4.0000 secs", "3.0000 secs"))


def unknown_number_of_records(folder: Path) -> None:
    upload(folder)
    patch(edf_of(folder), RECORDS, "-1")


def colons_in_the_date(folder: Path) -> None:
    upload(folder)
    patch(edf_of(folder), START, "06:05:2107.08.09")


def a_gap(folder: Path) -> None:
    upload(folder, annotations=[])
    make_discontinuous(edf_of(folder), {2: 5})
    text = (folder / f"{STEM}.csv_bi").read_text()
    (folder / f"{STEM}.csv_bi").write_text(text.replace("4.0000 secs", "9.0000 secs"))


def a_channel_without_a_range(folder: Path) -> None:
    upload(folder)
    for name in ("physical_min", "physical_max"):
        patch(edf_of(folder), signal_field(len(REFERENTIAL), 1, name), "0")


def a_channel_that_is_no_voltage(folder: Path) -> None:
    upload(folder, units=["uV", "degC", *["uV"] * 17])


def one_electrode_twice(folder: Path) -> None:
    upload(folder, labels=[*REFERENTIAL, "FP1"])


def several_rates(folder: Path) -> None:
    upload(folder, rates_hz=[200.0] + [256.0] * 18)


def a_flat_channel(folder: Path) -> None:
    upload(folder)
    whole = edfio.read_edf(edf_of(folder))
    signals = list(whole.signals)
    signals[4] = edfio.EdfSignal(np.full(4 * 256, 12.5), 256, label=signals[4].label, physical_dimension="uV",
                                 physical_range=(-100, 100))  # fmt: skip
    edfio.Edf(signals, data_record_duration=1).write(edf_of(folder))


def no_unit(folder: Path) -> None:
    upload(folder, units="")


ACCEPTED: Mapping[Spoil, tuple[str, int, int]] = {
    two_label_files_that_disagree: ("csv_bi and csv disagree on 1.5 s of seizure; csv_bi is used", 1_024, 256),
    cut_off: ("the file ends after 3 of 4 records: 1 s are lost", 768, 256),
    unknown_number_of_records: ("number of records '-1': 4 by the size of the file", 1_024, 256),
    colons_in_the_date: ("start", 1_024, 256),
    a_gap: ("", 1_024, 256),
    a_channel_without_a_range: ("", 1_024, 256),
    a_channel_that_is_no_voltage: ("", 1_024, 256),
    one_electrode_twice: ("Fp1", 1_024, 256),
    several_rates: ("", 1_024, 256),
    a_flat_channel: ("flat for more than 20% of the time", 1_024, 256),
    no_unit: ("no unit, read as uV", 1_024, 256),
}
"""What goes on -> (part of a warning, "" for none asked for; samples at 256 Hz; seizure samples)."""
