"""A page of traces as an electroencephalographer reads it: double banana, events shaded, spectrogram below.

Belongs here: pages. Does not belong here: reading them (`pages`), spectra of whole recordings (`quality`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.pictures.drawing import (
    DETECTED_COLOR,
    MUTED_COLOR,
    SIGNAL_COLOR,
    TRUE_COLOR,
    Spans,
    figure_of,
    legend_above,
    shade,
)
from bgb_assets.modalities.eeg.pictures.pages import Page, Piece

PAGE_S = 30.0
LEAD_S = 8.0
"""A page that shows an event begins so long before it."""

_NONE: Spans = np.zeros((0, 2))
_CHAIN_ENDS = (4, 8, 10, 14)
_FEWEST_UV, _ROUND_UV = 20.0, (20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0)
_ROOM = 1.4
_TOP_HZ = 40.0
_SPECTRUM_SAMPLES = 256
_DRAWN_HZ = 128


def trace_page(
    page: Page,
    title: str,
    true: Spans = _NONE,
    detected: Spans | None = None,
    probability: tuple[NDArray[np.float64], NDArray[Any], float] | None = None,
) -> Any:
    """Return a page of traces over its spectrogram, with a strip of probabilities between where there are any.

    Args:
        page: The stretch.
        title: Above all.
        true: (k, 2) seconds on the clock.
        detected: The same; None where no detector was asked.
        probability: When each step begins, its probability, and the threshold.
    """
    strips = 1 if probability is None else 2
    figure, axes = figure_of(
        6.4 + 0.8 * strips, rows=1 + strips, sharex=True, gridspec_kw={"height_ratios": [6.4] + [0.9] * strips}
    )
    _draw_traces(axes[0], page)
    shade(axes[0], true, TRUE_COLOR, "noted seizure")
    if detected is not None:
        shade(axes[0], detected, DETECTED_COLOR, "detected", row=1)
    legend_above(axes[0])
    if probability is not None:
        _draw_probability(axes[1], *probability)
    _draw_spectrogram(axes[-1], page)
    axes[-1].set_xlabel("seconds since the recording's start", fontsize=9)
    axes[0].set_xlim(page.start_s, max(page.stop_s, page.start_s + 1.0))
    figure.suptitle(title, fontsize=11)
    return figure


def _draw_traces(axes: Any, page: Page) -> None:
    spacing = _spacing_uv(page)
    rows = np.arange(len(page.names)) + 0.6 * np.searchsorted(_CHAIN_ENDS, np.arange(len(page.names)), side="right")
    absent = {name for number, name in enumerate(page.names) if all(_empty(one, number) for one in page.pieces)}
    for piece in page.pieces:
        every = RATE_HZ // _DRAWN_HZ
        signal = piece.signal[: len(piece.signal) // every * every].reshape(-1, every, len(page.names)).mean(axis=1)
        t = piece.onset_s + (np.arange(len(signal)) + 0.5) / _DRAWN_HZ
        # Negative is up, as clinical traces are drawn.
        axes.plot(t, rows + np.clip(signal / spacing, -3.0, 3.0), color=SIGNAL_COLOR, linewidth=0.4)
    labels = [f"{name} (absent)" if name in absent else name for name in page.names]
    axes.set_yticks(rows, labels, fontsize=7)
    axes.set_ylim(rows[-1] + 1.5, -1.5)
    axes.text(
        1.0, 1.008, f"rows are {spacing:g} µV apart, negative up", transform=axes.transAxes, ha="right", fontsize=8
    )
    axes.tick_params(axis="x", labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _empty(piece: Piece, number: int) -> bool:
    return bool(np.isnan(piece.signal[:, number]).all())


def _spacing_uv(page: Page) -> float:
    """Return microvolts between rows: round, and so many that most of the page fits."""
    sizes = [np.nanpercentile(np.abs(piece.signal), 97) for piece in page.pieces if not np.isnan(piece.signal).all()]
    wanted = max([_FEWEST_UV, *(_ROOM * size for size in sizes)])
    return next((step for step in _ROUND_UV if step >= wanted), float(wanted))


def _draw_probability(axes: Any, onsets_s: NDArray[np.float64], values: NDArray[Any], threshold: float) -> None:
    axes.fill_between(
        onsets_s, 0.0, values.astype(np.float64), step="post", color=DETECTED_COLOR, alpha=0.5, linewidth=0
    )
    axes.axhline(threshold, color=MUTED_COLOR, linewidth=0.8, linestyle="--")
    axes.set_ylim(0.0, 1.02)
    axes.set_ylabel("probability", fontsize=8)
    axes.tick_params(labelsize=7)


def _draw_spectrogram(axes: Any, page: Page) -> None:
    """Draw the mean power of all pairs below 40 Hz in decibels over its median, window by window of a second."""
    from scipy.signal import spectrogram

    drawn = []
    for piece in page.pieces:
        kept = piece.signal[:, ~np.isnan(piece.signal).all(axis=0)].T
        if kept.shape[1] >= _SPECTRUM_SAMPLES and len(kept):
            hz, t, power = spectrogram(kept, RATE_HZ, nperseg=_SPECTRUM_SAMPLES, noverlap=_SPECTRUM_SAMPLES * 3 // 4)
            drawn.append((piece.onset_s + t, hz[hz <= _TOP_HZ], power.mean(axis=0)[hz <= _TOP_HZ]))
    if drawn:
        levels = [10.0 * np.log10(power + 1e-9) for _, _, power in drawn]
        low, high = np.percentile(np.concatenate([level.ravel() for level in levels]), [10, 99.5])
        for (t, hz, _), level in zip(drawn, levels, strict=True):
            axes.pcolormesh(t, hz, level, cmap="magma", vmin=low, vmax=high, shading="nearest", rasterized=True)
    axes.set_ylim(0.0, _TOP_HZ)
    axes.set_ylabel("Hz", fontsize=8)
    axes.tick_params(labelsize=7)
