"""What was noted about one recording: events by source, in seconds, with the place each was read from.

Belongs here: the types, their JSON, and the seizure time they say. Does not belong here: reading files
(`sidecars` and what it calls), samples (`intervals`). Next in the flow: stage notes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.annotations.intervals import clip, unite


@dataclass(frozen=True)
class Event:
    """One row of an annotation file.

    Attributes:
        onset_s: Seconds from the start of the recording, as noted: it may lie outside the recording.
        offset_s: Where it ends, exclusive.
        label: The text in the file.
        label_id: See `labels.LABEL_IDS`.
        channels: Names as in the file; empty where the event is about all channels.
        confidence: 0 to 1, or None where the file does not say.
        line: Line of the file, from 1; 0 where there are no lines.
    """

    onset_s: float
    offset_s: float
    label: str
    label_id: int
    is_seizure: bool
    channels: tuple[str, ...]
    confidence: float | None
    line: int


@dataclass(frozen=True)
class Source:
    """All events of one source, in the order of the file."""

    source: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Annotations:
    """All sources of one recording, the most trusted first.

    Attributes:
        trusted: The source that gives the training labels, None where there is none.
        duration_s: Of the recording, from the signal.
        disagreement_s: Seizure time that only one of csv_bi and csv has; None unless both exist.
        labelled: "yes", or what the params say of a recording without labels: "background", "inference_only".
        warnings: Sentences a person should read.
    """

    sources: tuple[Source, ...]
    trusted: str | None
    duration_s: float
    disagreement_s: float | None
    labelled: str
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, without the warnings."""
        return {
            "sources": [
                {
                    "source": source.source,
                    "events": [vars(event) | {"channels": [*event.channels]} for event in source.events],
                }
                for source in self.sources
            ],
            "trusted": self.trusted,
            "duration_s": self.duration_s,
            "disagreement_s": self.disagreement_s,
            "labelled": self.labelled,
        }

    @property
    def trusted_events(self) -> tuple[Event, ...]:
        """The events of the trusted source; none where there is no source."""
        return next((source.events for source in self.sources if source.source == self.trusted), ())

    def seizures_s(self) -> NDArray[np.float64]:
        """Return the trusted seizure time: (k, 2) seconds, half-open, sorted, united, inside the recording."""
        return clip(seizure_times(self.trusted_events), 0.0, self.duration_s)


def annotations_from_json(document: Mapping[str, Any]) -> Annotations:
    """Return what `Annotations.as_json` was made of; the warnings are gone."""
    return Annotations(
        sources=tuple(
            Source(source["source"], tuple(_event(event) for event in source["events"]))
            for source in document["sources"]
        ),
        trusted=document["trusted"],
        duration_s=document["duration_s"],
        disagreement_s=document["disagreement_s"],
        labelled=document["labelled"],
    )


def seizure_times(events: Iterable[Event]) -> NDArray[np.float64]:
    """Return the union of the seizures: (k, 2) seconds, sorted; other events are left out."""
    pairs = [(event.onset_s, event.offset_s) for event in events if event.is_seizure]
    return unite(np.array(pairs, np.float64).reshape(-1, 2))


def _event(document: Mapping[str, Any]) -> Event:
    return Event(**(dict(document) | {"channels": tuple(document["channels"])}))
