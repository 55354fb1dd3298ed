"""Finds what was noted about a recording, reads all of it, and says which of it is to be trusted.

Belongs here: which files lie beside a recording, the order of trust, what the signal's length says against them.
Does not belong here: the layouts (`csv_bi`, `bids_events`, `summaries`, `edf_texts`). Next in the flow: stage raw
stores the result; stage notes makes tables of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Protocol

from bgb_assets.modalities.eeg.annotations import intervals
from bgb_assets.modalities.eeg.annotations.bids_events import read_events_tsv
from bgb_assets.modalities.eeg.annotations.csv_bi import read_csv
from bgb_assets.modalities.eeg.annotations.edf_texts import Text, check_patterns, read_texts
from bgb_assets.modalities.eeg.annotations.events import Annotations, Event, Source, seizure_times
from bgb_assets.modalities.eeg.annotations.labels import SOURCES, check_extra_labels
from bgb_assets.modalities.eeg.annotations.summaries import READERS, recordings_named
from bgb_assets.modalities.eeg.annotations.text_lines import Parsed
from bgb_assets.runtime.errors import BadInput, ConfigError

TOLERANCE_S = 1.0
"""By so much may an event or a stated duration miss the recording's end, and two label files disagree."""

_MOST_WARNINGS = 3

UNLABELLED = ("quarantine", "background", "inference_only")
TRUST = ("labels", "signal")


class AnnotationParams(Protocol):
    """The params of stage raw that say how annotations are read."""

    @property
    def unlabelled(self) -> str:
        """What a recording without annotations is: one of `UNLABELLED`."""

    @property
    def trust(self) -> str:
        """Where labels do not fit the signal: "labels" refuses the recording, "signal" clips them."""

    @property
    def extra_labels(self) -> tuple[tuple[str, bool], ...]:
        """Further labels, and whether each is a seizure."""

    @property
    def edf_text_patterns(self) -> tuple[tuple[str, str], ...]:
        """See `edf_texts.DEFAULT_PATTERNS`."""


@dataclass(frozen=True)
class _Read:
    """What one source says, and how messages name it."""

    source: str
    file: str
    parsed: Parsed


def sidecar_names(recording_name: str) -> dict[str, str]:
    """Return the names that sidecars of a recording have: source -> relative path, beside the recording.

    `X_eeg.edf` has `X_events.tsv`; a name that begins as those of CHB-MIT or Siena may have a list of seizures, which
    counts where it names the recording.
    """
    path = PurePosixPath(recording_name)
    names = {
        "csv_bi": f"{path.stem}.csv_bi",
        "events.tsv": f"{path.stem.removesuffix('_eeg')}_events.tsv",
        "csv": f"{path.stem}.csv",
    }
    for begins, list_name, _ in READERS:
        match = begins.match(path.name)
        if match:
            names["summary"] = list_name(match[0])
    return {source: str(path.with_name(name)) for source, name in names.items()}


def read_annotations(
    directory: Path,
    recording_name: str,
    duration_s: float,
    params: AnnotationParams,
    texts: Sequence[Text] = (),
) -> Annotations:
    """Read all that was noted about one recording.

    Args:
        directory: The upload.
        recording_name: Path of the recording file inside it, with extension.
        duration_s: From the start of the recording to the end of its last sample, gaps included.
        params: See `AnnotationParams`.
        texts: Annotations inside the recording file: (onset in seconds, duration or None, text).

    Raises:
        BadInput: Nothing was noted and `unlabelled` is "quarantine"; a file that cannot be read (see its reader); an
            event or a stated duration that does not fit the signal, unless `trust` is "signal".
        ConfigError: A param that means nothing.
    """
    _check_params(params)
    read = _read_files(directory, recording_name, params)
    warnings = [warning for found in read for warning in found.parsed.warnings]
    events, refused = _read_texts(texts, params, labelled=bool(read))
    if events:
        read.append(_Read("edf_texts", "annotations in the recording", Parsed(events)))
    warnings += refused
    if not read and params.unlabelled == "quarantine":
        raise _unlabelled(directory, recording_name)
    for found in read:
        warnings += _against_signal(found, duration_s, params.trust)
    disagreement_s = _disagreement_s(read)
    if disagreement_s is not None and disagreement_s > TOLERANCE_S:
        warnings.append(f"csv_bi and csv disagree on {disagreement_s:.12g} s of seizure; csv_bi is used")
    return Annotations(
        sources=tuple(Source(found.source, found.parsed.events) for found in read),
        trusted=read[0].source if read else None,
        duration_s=duration_s,
        disagreement_s=disagreement_s,
        labelled="yes" if read else params.unlabelled,
        warnings=tuple(warnings),
    )


def _check_params(params: AnnotationParams) -> None:
    for name, value, known in (("unlabelled", params.unlabelled, UNLABELLED), ("trust", params.trust, TRUST)):
        if value not in known:
            raise ConfigError(f"{name}: got {value!r}, expected one of {', '.join(known)}")
    check_extra_labels(params.extra_labels)
    check_patterns(params.edf_text_patterns)


def _read_files(directory: Path, recording_name: str, params: AnnotationParams) -> list[_Read]:
    """Return what the files beside the recording say, the most trusted first."""
    names = sidecar_names(recording_name)
    paths = {source: directory / names[source] for source in SOURCES if source in names}
    parsed = {
        source: _read_file(source, path, PurePosixPath(recording_name), params.extra_labels)
        for source, path in paths.items()
        if path.is_file()
    }
    return [_Read(source, paths[source].name, found) for source, found in parsed.items() if found is not None]


def _read_file(
    source: str, path: Path, recording: PurePosixPath, extra_labels: tuple[tuple[str, bool], ...]
) -> Parsed | None:
    if source == "events.tsv":
        return read_events_tsv(path, extra_labels)
    if source == "summary":
        reader = next(reader for begins, _, reader in READERS if begins.match(recording.name))
        return reader(path, recording.name)
    return read_csv(path, recording.stem, extra_labels)


def _read_texts(
    texts: Sequence[Text], params: AnnotationParams, labelled: bool
) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    """Return the events of the texts, and a warning where they make no sense but a file says better."""
    try:
        return read_texts(texts, params.edf_text_patterns), ()
    except BadInput as error:
        if not labelled:
            raise
        return (), (f"{error.reason}: these texts are not used",)


def _against_signal(found: _Read, duration_s: float, trust: str) -> list[str]:
    """Return what does not fit the signal, or refuse it; and what is odd but no matter."""
    problems = [
        f"{line.file}, line {line.number}: the file says {stated_s:.12g} s, the signal has {duration_s:.12g} s"
        for line, stated_s in found.parsed.durations_s
        if abs(stated_s - duration_s) > TOLERANCE_S
    ]
    problems += [
        f"{_described(found, event)} does not lie in the recording of {duration_s:.12g} s"
        for event in found.parsed.events
        if max(event.onset_s, event.offset_s) > duration_s + TOLERANCE_S
        or min(event.onset_s, event.offset_s) < -TOLERANCE_S
    ]
    if problems and trust == "labels":
        raise BadInput(
            f"{problems[0]}, expected at most {TOLERANCE_S:.12g} s of difference",
            "deliver the label file of this recording, or set trust: signal to clip what lies outside",
        )
    told = _shortened([f"{problem}; what lies outside is clipped" for problem in problems])
    odd = [
        f"{_described(found, event)} stops before it starts; it is no seizure and stays as written"
        for event in found.parsed.events
        if event.offset_s < event.onset_s
    ]
    return told + _shortened(odd)


def _shortened(sentences: list[str]) -> list[str]:
    """Return the first few: a file with a row per channel says the same thing twenty times."""
    more = len(sentences) - _MOST_WARNINGS
    return [*sentences[:_MOST_WARNINGS], f"{more} more of that kind"] if more > 0 else sentences


def _described(found: _Read, event: Event) -> str:
    place = f"{found.file}, line {event.line}" if event.line else found.file
    return f"{place}: {event.label!r} from {event.onset_s:.12g} to {event.offset_s:.12g} s"


def _disagreement_s(read: Sequence[_Read]) -> float | None:
    """Return the seizure time that only one of csv_bi and csv has, to the microsecond."""
    seizures = {found.source: seizure_times(found.parsed.events) for found in read}
    if not {"csv_bi", "csv"} <= seizures.keys():
        return None
    return round(intervals.symmetric_difference(seizures["csv_bi"], seizures["csv"]), 6)


def _unlabelled(directory: Path, recording_name: str) -> BadInput:
    """Return the error; where a list of seizures is there but does not name the recording, it says what it names."""
    path = PurePosixPath(recording_name)
    summary = directory / sidecar_names(recording_name).get("summary", "-")
    named = get_close_matches(path.name, recordings_named(summary)) if summary.is_file() else []
    hint = f" ({summary.name} does not name it, but {', '.join(named)})" if named else ""
    return BadInput(
        f"{recording_name}: no annotation{hint}",
        f"add {path.stem}.csv_bi, or set `unlabelled: background` or `inference_only`",
    )
