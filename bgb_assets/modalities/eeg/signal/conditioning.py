"""A recording's channels in, a montage's filtered channels at 256 Hz out, block by block.

Belongs here: the order of resampling, montage and filter, for a stored recording and for a live one alike. Does not
belong here: each step (`resampling.py`, `montage.py`, `filters.py`), scaling (`normalisation.py`), files.
"""

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.signal.filters import CausalFilter
from bgb_assets.modalities.eeg.signal.montage import Montage
from bgb_assets.modalities.eeg.signal.resampling import PolyphaseResampler, RateChange

Floats = NDArray[np.float64]


class Conditioner:
    """One stretch of signal without gaps; any cut into blocks gives the same bits.

    Args:
        change: To 256 Hz.
        montage: From the recorded channels.
        coefficients: Of the causal filter, or None where none is wanted yet.
        slope: Of the resampler's line, where the end of the signal is known.
    """

    def __init__(
        self, change: RateChange, montage: Montage, coefficients: Floats | None, slope: Floats | None = None
    ) -> None:
        self._resampler = PolyphaseResampler(change, slope)
        self._montage = montage
        self._filter = None if coefficients is None else CausalFilter(coefficients)

    def push(self, block: Floats) -> Floats:
        """Return the montage's samples that the next (recorded channels, samples) in microvolts complete."""
        return self._filtered(self._resampler.push(block))

    def flush(self, total: int | None = None) -> Floats:
        """Return the samples that are left; `total` as of `PolyphaseResampler.flush`."""
        return self._filtered(self._resampler.flush(total))

    def _filtered(self, resampled: Floats) -> Floats:
        if not resampled.shape[1]:
            return np.zeros((len(self._montage.names), 0))
        channels = self._montage.apply(resampled)
        return channels if self._filter is None else self._filter.push(channels)
