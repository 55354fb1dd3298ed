"""Params of stage manifest, apart from its code, so that the table of contents imports no pyarrow.

Belongs here: the frozen params. Does not belong here: what they do (`manifest`, `filters`, `storage.splits`).
"""

from dataclasses import dataclass, field
from typing import Literal

from bgb_assets.modalities.beatmap.tables.filters import FilterParams
from bgb_assets.storage.splits import SplitParams


@dataclass(frozen=True)
class ManifestParams:
    """What is trained on, how it is split and how the tables are written.

    Attributes:
        filters: Which difficulties are left out.
        split: Shares of the splits.
        group_by: What a group is: `"audio"`, one sound file whatever its tags, or `"fingerprint"`, also the same
            recording in other encodes.
        official_share: Share of the sampling weight for official songs where there are others too.
        file_bytes: Size of a table file. One more song writes one such file of each table again, so that this is
            far below the bound.
        max_file_bytes: Bound on a table file of several songs.
        rows_per_group: Least rows of a row group, or `"song"` for one row group per song.
    """

    filters: FilterParams = field(default_factory=FilterParams)
    split: SplitParams = field(default_factory=SplitParams)
    group_by: Literal["audio", "fingerprint"] = "fingerprint"
    official_share: float = 0.2
    file_bytes: int = 8_000_000
    max_file_bytes: int = 1_000_000_000
    rows_per_group: int | Literal["song"] = 16_384
