"""How good a recording is: what each channel is, what is flat or clipped, and its spectrum before and after filtering.

Belongs here: one recording's quality. Does not belong here: computing it (`signal.quality`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.features import SIGNAL_FILE
from bgb_assets.modalities.eeg.pictures.drawing import (
    DETECTED_COLOR,
    MUTED_COLOR,
    STATE_COLORS,
    STATE_NAMES,
    TRUE_COLOR,
    figure_of,
)
from bgb_assets.modalities.eeg.signal.stored import open_stored

MOST_SECONDS = 600.0
"""So much of a recording is looked at for its spectrum."""

_MEASURED, _DERIVED, _ABSENT = 0, 2, 3
_WINDOW_S = 4.0
_LOWEST_HZ = 0.25

Spectrum = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Frequencies in Hz and mean power of the channels in microvolts squared per Hz."""


def quality_page(described: Mapping[str, Any]) -> Any:
    """Return a figure of what each channel is, its size, and how long it is flat or saturated.

    Args:
        described: The content of `features.json`.
    """
    names, states = described["channels"], described["channel_state"]
    seconds = described["n"] / RATE_HZ
    figure, (sizes, faults) = figure_of(0.9 + 0.2 * len(names), columns=2, sharey=True)
    rows = np.arange(len(names))
    drawn = [0.0 if state == _ABSENT else std for std, state in zip(described["std"], states, strict=True)]
    sizes.barh(rows, drawn, color=[STATE_COLORS[state] for state in states])
    sizes.set_yticks(rows, names, fontsize=8)
    sizes.set_ylim(len(names) - 0.4, -0.6)
    sizes.set_xlabel("standard deviation (µV)", fontsize=9)
    for state in sorted(set(states)):
        sizes.barh([0], [0], color=STATE_COLORS[state], label=f"{STATE_NAMES[state]}: {states.count(state)}")
    sizes.legend(fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2)
    left = np.zeros(len(names))
    for name, color in (("flat", MUTED_COLOR), ("saturated", TRUE_COLOR)):
        shares = 100.0 * np.array(described[f"{name}_s"]) / max(seconds, 1.0)
        faults.barh(rows, shares, left=left, color=color, label=name)
        left += shares
    faults.set_xlim(0.0, max(5.0, 1.05 * float(left.max(initial=0.0))))
    if not left.any():
        faults.text(0.5, 0.5, "no channel is flat or saturated", transform=faults.transAxes, ha="center", fontsize=9)
    faults.set_xlabel("share of the recording (%)", fontsize=9)
    faults.legend(fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2)
    clipped = 100.0 * described["clipped_share"]
    figure.suptitle(f"Quality: {seconds / 60:.1f} minutes, {clipped:.3g} % of the values clipped", fontsize=11)
    return figure


def spectrum_page(before: Spectrum, after: Spectrum, band_hz: Sequence[float], notched_hz: Sequence[float]) -> Any:
    """Return a figure of the spectrum before and after filtering, with the edges of the band and the notches."""
    figure, (axes,) = figure_of(3.2)
    for (hz, power), color, label in ((before, MUTED_COLOR, "as recorded"), (after, DETECTED_COLOR, "filtered")):
        kept = (hz >= _LOWEST_HZ) & (power > 0)
        axes.plot(hz[kept], power[kept], color=color, linewidth=1.1, label=label)
    for number, edge_hz in enumerate(band_hz):
        axes.axvline(
            edge_hz, color=MUTED_COLOR, linestyle=":", linewidth=1.0, label="" if number else "edges of the band"
        )
    for number, notch_hz in enumerate(notched_hz):
        axes.axvline(notch_hz, color=TRUE_COLOR, linestyle="--", linewidth=0.9, label="" if number else "notch")
    axes.set(xscale="log", yscale="log", xlabel="Hz", ylabel="µV² per Hz", xlim=(_LOWEST_HZ, RATE_HZ / 2))
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50, 100], ["0.5", "1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    # A filter's deep end would squeeze what is worth seeing.
    inside = after[1][(after[0] >= 1.0) & (after[0] <= 40.0)]
    if inside.size and inside.max() > 0:
        top = max(inside.max(), before[1][before[0] >= 0.5].max())
        axes.set_ylim(inside.max() * 1e-6, top * 3.0)
    axes.legend(fontsize=8, frameon=False)
    axes.set_title("Spectrum, mean of the channels", fontsize=11)
    return figure


def read_spectra(cache: Path, features: Path, described: Mapping[str, Any]) -> tuple[Spectrum, Spectrum]:
    """Return the spectrum of the first minutes as recorded and as filtered, each the mean of its own channels.

    Both have the same channels unless a montage was made of others; those that are absent or were filled in are left
    out of the second.

    Args:
        cache: The entry of stage cache.
        features: The entry of stage features.
        described: The content of its `features.json`.
    """
    recorded = open_stored(cache).main
    integers = recorded.integers[: round(MOST_SECONDS * recorded.rate_hz)]
    before = _welch(integers.T * recorded.gain_uv, recorded.rate_hz)
    states = np.array(described["channel_state"])
    kept = np.flatnonzero(states == (_MEASURED if (states == _MEASURED).any() else _DERIVED))
    stored = np.memmap(features / SIGNAL_FILE, "<i2", "r").reshape(-1, len(states))
    step_uv = described["scale"] * np.array(described["std"])[kept, None]
    return before, _welch(stored[: round(MOST_SECONDS * RATE_HZ), kept].T * step_uv, RATE_HZ)


def _welch(signal: NDArray[np.float64], rate_hz: float) -> Spectrum:
    from scipy.signal import welch

    hz, power = welch(signal, rate_hz, nperseg=min(signal.shape[1], round(_WINDOW_S * rate_hz)))
    return hz, power.mean(axis=0)
