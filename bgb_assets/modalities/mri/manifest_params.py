"""Params of stage manifest, apart from its code, so that the table of contents imports no pyarrow.

Belongs here: the frozen params. Does not belong here: what they do (`cohort`, `manifest`).
"""

from dataclasses import dataclass, field

from bgb_assets.modalities.mri.splits.strata import STRATA, require_known_strata
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage.nested_splits import NestedSplitParams


@dataclass(frozen=True)
class CohortParams:
    """Which scans may train, of those with image and mask.

    Attributes:
        modality: Of the image.
        excluded_acquisitions: Acquisitions that are left out.
        expected_scans: How many scans should train; None where nothing is expected.
    """

    modality: str = "T2w"
    excluded_acquisitions: tuple[str, ...] = ("turbo_spin_echo",)
    expected_scans: int | None = None


@dataclass(frozen=True)
class ManifestParams:
    """Which scans train, and in which folds.

    Attributes:
        cohort: Which scans may train.
        split: Outer and inner folds over subjects.
        file_bytes: Size of a table file; one more scan writes one such file again.
        rows_per_group: Least rows of a row group.
    """

    cohort: CohortParams = CohortParams()
    split: NestedSplitParams = field(default_factory=lambda: NestedSplitParams(strata=STRATA))
    file_bytes: int = 8_000_000
    rows_per_group: int = 16_384

    def __post_init__(self) -> None:
        require_known_strata(self.split.strata)
        if self.split.outer > 127 or self.split.inner > 127:
            raise ConfigError(f"manifest: expected at most 127 folds, got {self.split!r}")
