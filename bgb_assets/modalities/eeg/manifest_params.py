"""Params of stage manifest, apart from its code, so that the table of contents imports no pyarrow.

Belongs here: the frozen params. Does not belong here: what they do (`windows.windows`, `manifest`).
"""

from dataclasses import dataclass, field

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.splits import SplitParams

STEP_SAMPLES = 16
"""Samples of one step of the model's timeline, which runs at 16 Hz."""


@dataclass(frozen=True)
class ManifestParams:
    """Which windows there are, when one counts as full of seizure, how patients are split.

    Attributes:
        window_s: Length of a window.
        stride_s: From one window's start to the next one's.
        full_share: A window is full if at least this share of its samples is seizure.
        split: Shares of the splits, over patients whose source gave no split.
        file_bytes: Size of a table file; one more recording writes one such file of each table again.
        rows_per_group: Least rows of a row group.
    """

    window_s: float = 60.0
    stride_s: float = 10.0
    full_share: float = 0.99
    split: SplitParams = field(default_factory=lambda: SplitParams(val=0.15, test=0.15))
    file_bytes: int = 8_000_000
    rows_per_group: int = 16_384

    def __post_init__(self) -> None:
        for name, seconds, multiple in (("window_s", self.window_s, STEP_SAMPLES), ("stride_s", self.stride_s, 1)):
            samples = seconds * RATE_HZ
            if samples < multiple or samples % multiple:
                raise ConfigError(
                    f"manifest: {name} must be a positive multiple of {multiple}/{RATE_HZ} s, got {seconds!r}"
                )
        if not 0 < self.full_share <= 1:
            raise ConfigError(f"manifest: full_share must be above 0 and at most 1, got {self.full_share!r}")

    @property
    def window_samples(self) -> int:
        """Samples of a window at 256 Hz."""
        return int(self.window_s * RATE_HZ)

    @property
    def stride_samples(self) -> int:
        """Samples from one window's start to the next one's."""
        return int(self.stride_s * RATE_HZ)
