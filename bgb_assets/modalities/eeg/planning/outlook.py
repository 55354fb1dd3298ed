"""What a folder of recordings would become: windows, class ratio, the draw of an epoch, bytes on disk.

The arithmetic is that of the manifest and of the draw; no signal is opened, and nothing is written.

Belongs here: from what was seen to figures. Does not belong here: looking (`seen`), printing (the command).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.learning.variants import VARIANTS, DrawParams
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.planning.seen import Seen, SeenRecording
from bgb_assets.modalities.eeg.raw import RawParams
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.windows.balance import NoSeizureError, Ratios, balanced_draw
from bgb_assets.modalities.eeg.windows.class_ratio import pos_weight
from bgb_assets.modalities.eeg.windows.corpus import INFERENCE_ONLY, MODALITY, count_windows
from bgb_assets.modalities.eeg.windows.index import WINDOW_ARRAYS
from bgb_assets.modalities.eeg.windows.windows import Windows, windows_of
from bgb_assets.storage.columns import from_numpy
from bgb_assets.storage.splits import NONE, SPLIT_NAMES, TRAIN, leaks, split_code, split_of

ALL = "all"
_DEFAULT_DRAW = next(iter(VARIANTS.values())).draw
_SAMPLE_BYTES = 2


@dataclass(frozen=True)
class OutlookParams:
    """The params of the stages that decide what a recording becomes.

    Attributes:
        draw: Of the model variant that would be trained.
    """

    raw: RawParams = field(default_factory=RawParams)
    features: FeatureParams = field(default_factory=FeatureParams)
    manifest: ManifestParams = field(default_factory=ManifestParams)
    draw: DrawParams = _DEFAULT_DRAW


@dataclass(frozen=True, eq=False)
class Outlook:
    """What would be there.

    Attributes:
        windows: Of all labelled recordings, in the order of their global ids.
        splits: Split code of each window.
        channels: Of the montage.
        problems: What the manifest would refuse.
    """

    seen: Seen
    params: OutlookParams
    windows: Windows
    splits: NDArray[np.int8]
    channels: int
    problems: tuple[str, ...]

    def drawn(self, split: str = ALL) -> NDArray[np.int64]:
        """Return the ids of epoch 0's windows, of a split or of all windows taken as one; none without seizure."""
        draw = self.params.draw
        wanted = np.ones(len(self.splits), bool) if split == ALL else self.splits == split_code(split)
        try:
            held = balanced_draw(
                self.windows.category, wanted, Ratios(draw.full_ratio, draw.background_ratio), draw.seed, draw.mode
            )
        except NoSeizureError:
            return np.zeros(0, np.int64)
        return held.ids(0)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON holds: recordings, windows and draws by split, bytes, and what would be refused."""
        labelled = _labelled(self.seen.recordings)
        return {
            "recordings": len(self.seen.recordings),
            "recordings_not_there": sum(one.native_bytes is None for one in self.seen.recordings),
            "unlabelled": len(self.seen.recordings) - len(labelled),
            "patients": len({one.place.patient for one in self.seen.recordings}),
            "hours": sum(one.duration_s for one in self.seen.recordings) / 3600,
            "seizures": sum(len(one.seizures) for one in labelled),
            "recordings_with_seizure": sum(len(one.seizures) > 0 for one in labelled),
            "windows": self._windows(),
            "bytes": self._bytes(),
            "signals_opened_before_first_batch": 0,
            "refused": {
                name: {"reason": error.reason, "remedy": error.remedy} for name, error in self.seen.refused.items()
            },
            "archives_not_looked_into": list(self.seen.archives),
            "problems": list(self.problems),
            "warnings": {one.name: list(one.warnings) for one in self.seen.recordings if one.warnings},
        }

    def _windows(self) -> dict[str, dict[str, Any]]:
        """Return counts, ratios, weight and epoch of all windows as one, and of each split."""
        by_split = count_windows(_table(self.windows, self.splits))
        whole = count_windows(_table(self.windows, np.full(len(self.splits), TRAIN, np.int8)))
        return {
            name: counts | self._epoch(name) for name, counts in {ALL: whole[SPLIT_NAMES[TRAIN]], **by_split}.items()
        }

    def _epoch(self, split: str) -> dict[str, Any]:
        kinds = np.bincount(self.windows.category[self.drawn(split)], minlength=3).tolist()
        none, partial, full = kinds  # in the order of their codes
        ratio = (partial + full) / sum(kinds) if sum(kinds) else None
        return {
            "epoch": {"windows": sum(kinds), "partial": partial, "full": full, "none": none, "seizure_ratio": ratio},
            "pos_weight": None if ratio is None else pos_weight(ratio),
        }

    def _bytes(self) -> dict[str, int | None]:
        """Return what the stages would take; `cache` is not known where a recording is not there."""
        recordings = self.seen.recordings
        samples = sum(int(one.segments.samples.sum()) for one in recordings)
        known = [one.native_bytes for one in recordings if one.native_bytes is not None]
        window = self.params.manifest.window_samples
        count = len(self.splits)
        return {
            "cache": sum(known) if len(known) == len(recordings) else None,
            "features": samples * self.channels * _SAMPLE_BYTES,
            "tokens": count * sum(np.dtype(kind).itemsize for kind in WINDOW_ARRAYS.values()),
            # For comparison: each window stored apart, signal and one label per sample.
            "windows_as_float32": count * window * (self.channels + 1) * 4,
        }


def outlook(seen: Seen, params: OutlookParams | None = None) -> Outlook:
    """Return what the recordings would become."""
    params = params or OutlookParams()
    labelled = _labelled(seen.recordings)
    windows = [
        windows_of(np.stack([one.segments.start_sample, one.segments.samples], 1), one.seizures, params.manifest)
        for one in labelled
    ]
    splits = [
        np.full(len(found.start), _split(one, params), np.int8) for one, found in zip(labelled, windows, strict=True)
    ]
    empty = windows_of(np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64), params.manifest)
    joined = Windows(*(np.concatenate(columns) for columns in zip(empty, *windows, strict=True)))
    return Outlook(
        seen=seen,
        params=params,
        windows=joined,
        splits=np.concatenate([np.zeros(0, np.int8), *splits]),
        channels=len(BIPOLAR18 if params.features.montage == "bipolar18" else CANONICAL),
        problems=tuple(_torn(seen.recordings)),
    )


def _labelled(recordings: Sequence[SeenRecording]) -> list[SeenRecording]:
    return [one for one in recordings if one.labelled != INFERENCE_ONLY]


def _split(one: SeenRecording, params: OutlookParams) -> int:
    own = one.place.split
    return split_of(MODALITY, one.place.patient, params.manifest.split) if own is None else split_code(own)


def _torn(recordings: Sequence[SeenRecording]) -> list[str]:
    own = [NONE if one.place.split is None else split_code(one.place.split) for one in recordings]
    found: Mapping[str, tuple[int, ...]] = leaks((one.place.patient for one in recordings), own)
    return [
        f"patient {patient!r} is in {' and '.join(SPLIT_NAMES[code] for code in codes)}: move all recordings of one "
        "patient into one split"
        for patient, codes in found.items()
    ]


def _table(windows: Windows, splits: NDArray[np.int8]) -> pa.Table:
    columns: dict[str, NDArray[Any]] = {
        "split": splits,
        "category": windows.category,
        "positive_samples": windows.positives,
        "valid_samples": windows.valid,
    }
    return pa.table({name: from_numpy(values) for name, values in columns.items()})
