"""What the features of a recording depend on.

Belongs here: the params of stage features and their defaults. Does not belong here: what is done with them
(`processing.py`, `normalisation.py`).
"""

from dataclasses import dataclass
from typing import Literal

from bgb_assets.modalities.eeg.signal.montage import MontageName
from bgb_assets.modalities.eeg.signal.normalisation import LARGEST, UNSCALED_STEP_UV
from bgb_assets.runtime.errors import ConfigError


@dataclass(frozen=True)
class FeatureParams:
    """What the features depend on; the rate is always 256 Hz.

    Attributes:
        montage: `referential19`, `average19` or `bipolar18`.
        resample: `polyphase`, or `fft`: each channel of each segment by one Fourier transform.
        bandpass_hz: Edges of the Butterworth band-pass of order 3.
        notch_hz: 50, 60 or another frequency of Q 30, `auto` for the louder of 50 and 60, or `none`.
        notch_harmonics: Whether its multiples below the Nyquist frequency are notched too.
        phase: `causal`, or `zero`: forth and back.
        norm: `recording` (by each channel's mean and standard deviation), `running` (by those of the past) or `none`.
        clip: Standard deviations beyond which samples are clipped.
        max_interpolated: So many absent electrodes of 19 are filled by spherical splines; of more, none is.
    """

    montage: MontageName = "referential19"
    resample: Literal["polyphase", "fft"] = "polyphase"
    bandpass_hz: tuple[float, float] = (0.5, 120.0)
    notch_hz: Literal["auto", "none"] | float = 60.0
    notch_harmonics: bool = False
    phase: Literal["causal", "zero"] = "causal"
    norm: Literal["recording", "running", "none"] = "recording"
    clip: float = 10.0
    max_interpolated: int = 4

    def __post_init__(self) -> None:
        low_hz, high_hz = self.bandpass_hz
        if not 0 < low_hz < high_hz:
            raise ConfigError(f"bandpass_hz must be two rising positive numbers, got {self.bandpass_hz!r}")
        if not isinstance(self.notch_hz, str) and self.notch_hz <= 0:
            raise ConfigError(f"notch_hz must be positive, 'auto' or 'none', got {self.notch_hz!r}")
        if self.clip <= 0:
            raise ConfigError(f"clip must be positive, got {self.clip!r}")
        if self.max_interpolated < 0:
            raise ConfigError(f"max_interpolated must be 0 or more, got {self.max_interpolated!r}")

    @property
    def step(self) -> float:
        """What one step of a stored integer stands for: standard deviations, or microvolts without a norm."""
        return UNSCALED_STEP_UV if self.norm == "none" else self.clip / LARGEST
