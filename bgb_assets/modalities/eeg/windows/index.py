"""The windows of a corpus as flat arrays mapped from stage tokens, and the signals they are slices of.

Start-up reads `index.json`; no file below features is opened before a window is read. There is no Python object per
window. Belongs here: looking up and reading windows by their global id. Does not belong here: which are read
(`balance`, `dataset`), making the index (`tokens`).
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.loading.mapped import MappedArray
from bgb_assets.modalities.eeg.manifest_params import STEP_SAMPLES
from bgb_assets.modalities.eeg.windows.signal_files import SignalFiles
from bgb_assets.modalities.eeg.windows.windows import positives_by_step
from bgb_assets.runtime.errors import StoreError, UsageError
from bgb_assets.storage.shards import INDEX_FILE, OFFSETS_SUFFIX, read_listing
from bgb_assets.storage.splits import SPLIT_CODES

Arrays: TypeAlias = dict[str, NDArray[np.generic]]

INTERVALS, SEGMENTS = "intervals", "segments"
WINDOW_ARRAYS = {
    "start": "<i8",
    "recording": "<i4",
    "positives": "<i4",
    "valid": "<i4",
    "category": "|i1",
    "split": "|i1",
}
"""One value per window, in the order of their global ids."""
RECORDING_ARRAYS = {"scale": "<f4", "channel_mask": "|b1"}
"""One row per recording; a channel is masked (false) where it is absent."""
PAIR_ARRAYS = (INTERVALS, SEGMENTS)
"""Pairs of samples, (m, 2), with `<name>.offsets`: those of recording r are `[offsets[r]:offsets[r + 1]]`."""
ONSETS = "segment_onset_s"
"""When each row of `segments` begins on the clock of its recording, (m,) float64."""


class WindowIndex:
    """All windows of a corpus. Picklable: another process opens its own.

    Args:
        root: The store root.
        directory: The entry of stage tokens.

    Raises:
        StoreError: There is no index, or one of something else than windows.
    """

    def __init__(self, root: Path, directory: Path) -> None:
        self.root, self.directory = root, directory
        listing = read_listing(directory)
        try:
            arrays = {item["name"]: item for item in listing["arrays"]}
            self.samples: int = listing["upstream"]["window_samples"]
            self.channels: tuple[str, ...] = tuple(listing["upstream"]["channels"])
            self.keys: Sequence[str] = [source["upload"] for source in listing["sources"]]
            self._arrays = {
                name: MappedArray(directory / item["file"], item["dtype"], tuple(item["shape"]))
                for name, item in arrays.items()
            }
            self._count = int(arrays["start"]["shape"][0])
            paths = [root / source["location"] / source["file"] for source in listing["sources"]]
            shapes = [(source["shape"][0], source["shape"][1]) for source in listing["sources"]]
        except (KeyError, TypeError) as error:
            raise StoreError(f"{directory / INDEX_FILE}: lists no windows ({error!r}); name a tokens entry") from error
        self.signals = SignalFiles(paths, shapes)

    def __len__(self) -> int:
        return self._count

    @property
    def start(self) -> NDArray[np.int64]:
        """First sample of each window on its recording's timeline, (n,)."""
        return self._mapped("start")

    @property
    def recording(self) -> NDArray[np.int32]:
        """Recording of each window, (n,)."""
        return self._mapped("recording")

    @property
    def positives(self) -> NDArray[np.int32]:
        """Samples of seizure in each window, (n,)."""
        return self._mapped("positives")

    @property
    def valid(self) -> NDArray[np.int32]:
        """Samples of each window that are no padding, (n,)."""
        return self._mapped("valid")

    @property
    def category(self) -> NDArray[np.int8]:
        """0 none, 1 partial, 2 full: of each window, (n,)."""
        return self._mapped("category")

    @property
    def split(self) -> NDArray[np.int8]:
        """0 train, 1 val, 2 test, -1 none: of each window, (n,)."""
        return self._mapped("split")

    def in_split(self, name: str) -> NDArray[np.bool_]:
        """Return which windows are in a split, (n,).

        Raises:
            UsageError: There is no such split.
        """
        if name not in SPLIT_CODES:
            raise UsageError(f"split must be one of {tuple(SPLIT_CODES)!r}, got {name!r}")
        chosen: NDArray[np.bool_] = self.split == SPLIT_CODES[name]
        return chosen

    def intervals(self, recording: int) -> NDArray[np.int64]:
        """Return the seizures of a recording, (k, 2) half-open."""
        return self._pairs(INTERVALS, recording)

    def segments(self, recording: int) -> NDArray[np.int64]:
        """Return `[start, samples]` of the segments of a recording, (k, 2)."""
        return self._pairs(SEGMENTS, recording)

    def onsets_s(self, recording: int) -> NDArray[np.float64]:
        """Return when the segments of a recording begin, in seconds of its clock, (k,)."""
        first, last = self._offsets[SEGMENTS][recording : recording + 2]
        onsets_s: NDArray[np.float64] = self._mapped(ONSETS)[first:last]
        return onsets_s

    def read(self, ids: Sequence[int] | NDArray[np.int64], shift: NDArray[np.int64] | None = None) -> Arrays:
        """Read windows.

        Args:
            ids: Global ids, B of them.
            shift: Samples by which each start is moved, (B,); never out of the window's segment.

        Returns:
            `signal` int16 (B, samples, channels), time-major, to be multiplied by `scale` float32 (B,);
            `positives` uint8 (B, steps), samples of seizure in each step of 16; `channel_mask` bool (B, channels);
            `valid` bool (B, steps), whether the recording has samples there; `recording` int32 (B,); `start` int64
            (B,).

        Raises:
            StoreError: A signal is missing or shorter than the index says.
        """
        chosen = np.asarray(ids, np.int64)
        recording, valid = self.recording[chosen], self.valid[chosen]
        start = self.start[chosen] if shift is None else self._shifted(chosen, shift)
        signal = np.empty((len(chosen), self.samples, len(self.channels)), np.int16)
        for row, (source, first, count) in enumerate(
            zip(recording.tolist(), start.tolist(), valid.tolist(), strict=True)
        ):
            self.signals.read_into(signal[row, :count], source, first)
            signal[row, count:] = 0
        return {
            "signal": signal,
            "scale": self._mapped("scale")[recording],
            "positives": self._labels(recording, start, valid),
            "channel_mask": self._mapped("channel_mask")[recording],
            "valid": np.arange(self.steps) * STEP_SAMPLES < valid[:, None],
            "recording": recording,
            "start": start,
        }

    @property
    def steps(self) -> int:
        """Steps of 16 samples in a window."""
        return self.samples // STEP_SAMPLES

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "directory": self.directory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["root"], state["directory"])  # type: ignore[misc]

    def _labels(
        self, recording: NDArray[np.int32], start: NDArray[np.int64], valid: NDArray[np.int32]
    ) -> NDArray[np.uint8]:
        labels = np.zeros((len(recording), self.steps), np.uint8)
        for row, (source, first, count) in enumerate(
            zip(recording.tolist(), start.tolist(), valid.tolist(), strict=True)
        ):
            labels[row] = positives_by_step(self.intervals(source), first, count, self.steps)
        return labels

    def _shifted(self, ids: NDArray[np.int64], shift: NDArray[np.int64]) -> NDArray[np.int64]:
        starts = self.start[ids]
        lowest, highest = np.empty_like(starts), np.empty_like(starts)
        for row, (source, start) in enumerate(zip(self.recording[ids].tolist(), starts.tolist(), strict=True)):
            segments = self.segments(source)
            first, count = segments[np.searchsorted(segments[:, 0], start, side="right") - 1].tolist()
            lowest[row], highest[row] = first, max(first, first + count - self.samples)
        moved: NDArray[np.int64] = np.clip(starts + shift, lowest, highest)
        return moved

    def _pairs(self, name: str, recording: int) -> NDArray[np.int64]:
        offsets = self._offsets[name]
        pairs: NDArray[np.int64] = self._mapped(name)[offsets[recording] : offsets[recording + 1]]
        return pairs

    @cached_property
    def _offsets(self) -> dict[str, NDArray[np.int64]]:
        return {name: self._mapped(name + OFFSETS_SUFFIX) for name in PAIR_ARRAYS}

    def _mapped(self, name: str) -> NDArray[Any]:
        return self._arrays[name].values
