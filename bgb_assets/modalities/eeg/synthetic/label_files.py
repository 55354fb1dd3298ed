"""Writes what is true of a made-up recording in the three layouts of label files, so that all three agree.

It is a second hand, on purpose apart from `detection.export`: files that the exporter did not write test the readers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.synthetic.background import falls_from
from bgb_assets.modalities.eeg.synthetic.edf_file import STARTED, pair_label, pairs_of
from bgb_assets.modalities.eeg.synthetic.episodes import arrival_s
from bgb_assets.modalities.eeg.synthetic.plan import Episode, SynthOptions

_SEEN_FROM = 0.25
"""A seizure is seen on an electrode where it has this share of its size at the focus."""

_TSV_COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")


@dataclass(frozen=True)
class Labelled:
    """One seizure as it is written down.

    Attributes:
        onset_s: Seconds since the recording's start, a gap included.
        offset_s: Its end.
        channels: (pair, the time from which it is seen there); the first time is the onset.
        electrodes: On which it is seen.
    """

    onset_s: float
    offset_s: float
    channels: tuple[tuple[str, float], ...]
    electrodes: tuple[str, ...]

    @property
    def focal(self) -> bool:
        """Whether it stays off half of the electrodes or more."""
        return len(self.electrodes) <= len(CANONICAL) // 2


def labelled(episode: Episode, late_s: float, options: SynthOptions) -> Labelled:
    """Return a seizure as a reader would write it down who sees the electrodes that are attached.

    Args:
        episode: The seizure.
        late_s: Length of the gap before it.
        options: Which electrodes are attached.
    """
    weights = falls_from(episode.focus, episode.spread)
    arrivals = dict(zip(CANONICAL, arrival_s(episode).tolist(), strict=True))
    seen = {name for name, weight in zip(CANONICAL, weights, strict=True) if weight >= _SEEN_FROM}
    seen -= set(options.without)
    # A seizure that only an absent electrode sees is noted where it comes first.
    pairs = [pair for pair in pairs_of(options) if set(pair) & seen] or [_nearest(options, arrivals)]
    starts = np.array([min(arrivals[name] for name in pair) for pair in pairs])
    starts += episode.onset_s - starts.min()
    return Labelled(
        round(episode.onset_s + late_s, 4),
        round(episode.offset_s + late_s, 4),
        tuple(
            (pair_label(pair), round(min(start, episode.offset_s) + late_s, 4))
            for pair, start in zip(pairs, starts.tolist(), strict=True)
        ),
        tuple(name for name in CANONICAL if name in seen),
    )


def write_labels(stem: Path, seizures: Sequence[Labelled], duration_s: int) -> None:
    """Write `<stem>_eeg.csv_bi`, `<stem>_eeg.csv` and `<stem>_events.tsv`.

    Args:
        stem: Path of the recording without `_eeg.edf`.
        seizures: In order of time.
        duration_s: From the first sample to the end of the last, a gap included.
    """
    name = f"{stem.name}_eeg"
    head = _csv_head(name, duration_s)
    _write(stem.with_name(f"{name}.csv_bi"), [*head, *_whole_rows(seizures, duration_s)])
    rows = [
        f"{channel},{start_s:.4f},{one.offset_s:.4f},{'fnsz' if one.focal else 'gnsz'},1.0000"
        for one in seizures
        for channel, start_s in one.channels
    ]
    _write(stem.with_name(f"{name}.csv"), [*head, *rows])
    _write(stem.with_name(f"{stem.name}_events.tsv"), ["\t".join(_TSV_COLUMNS), *_tsv_rows(seizures, duration_s)])


def _whole_rows(seizures: Sequence[Labelled], duration_s: float) -> list[str]:
    """Return rows that cover the whole recording, background and seizures by turns."""
    rows, at_s = [], 0.0
    for one in seizures:
        rows.append(f"TERM,{at_s:.4f},{one.onset_s:.4f},bckg,1.0000")
        rows.append(f"TERM,{one.onset_s:.4f},{one.offset_s:.4f},seiz,1.0000")
        at_s = one.offset_s
    return [*rows, f"TERM,{at_s:.4f},{duration_s:.4f},bckg,1.0000"]


def _tsv_rows(seizures: Sequence[Labelled], duration_s: float) -> list[str]:
    tail = f"{STARTED:%Y-%m-%d %H:%M:%S}\t{duration_s:.2f}"
    if not seizures:
        return [f"0.0000\t{duration_s:.4f}\tbckg\tn/a\tn/a\t{tail}"]
    return [
        f"{one.onset_s:.4f}\t{one.offset_s - one.onset_s:.4f}\t{'sz_foc' if one.focal else 'sz_gen'}\t1.0000\t"
        f"{','.join(one.electrodes) or 'n/a'}\t{tail}"
        for one in seizures
    ]


def _nearest(options: SynthOptions, arrivals: dict[str, float]) -> tuple[str, str]:
    return min(pairs_of(options), key=lambda pair: min(arrivals[name] for name in pair))


def _csv_head(name: str, duration_s: float) -> list[str]:
    return [
        "# version = csv_v1.0.0",
        f"# bname = {name}",
        f"# duration = {duration_s:.2f} secs",
        "# montage_file = double_banana",
        "#",
        "channel,start_time,stop_time,label,confidence",
    ]


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
