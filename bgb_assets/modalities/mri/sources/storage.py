"""Where a data set's Parquet files lie: a local folder, or anything that lists and opens files like one.

Belongs here: the protocol, and local folders. Does not belong here: what the files hold (`rows`), the hub (`hub`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bgb_assets.modalities.mri.sources.tree import files_below, open_below, stat_version
from bgb_assets.modalities.mri.sources.visits import SourceFile
from bgb_assets.runtime.errors import SourceError

SUFFIX = ".parquet"


class Storage(Protocol):
    """Files by paths below one root; picklable."""

    def tables(self) -> tuple[str, Sequence[SourceFile]]:
        """Return the digestible state of the place, and its Parquet files in the order of their paths; opens none.

        Raises:
            SourceError: It cannot be asked.
        """

    def open(self, path: str, version: str | None = None) -> BinaryIO:
        """Open a file for reading at any place in it.

        Args:
            path: Below the root.
            version: The one that it must have, or None for any.

        Raises:
            BadScan: `unsafe_path`.
            SourceError: It is not there, cannot be had now, or has another version.
        """


@dataclass(frozen=True)
class LocalFolder:
    """A `Storage` in a folder, or one file of it.

    Attributes:
        root: The folder; resolved.
        only: The one Parquet file, or empty for all.
    """

    root: Path
    only: str = ""

    def tables(self) -> tuple[str, Sequence[SourceFile]]:
        """See `Storage`; links out of the folder are passed over."""
        found = files_below(self.root, lambda path: path.endswith(SUFFIX) and self.only in ("", path))
        kept = [file for file in found if not file.leaves]
        return " ".join(f"{file.path}={file.version}" for file in kept), kept

    def open(self, path: str, version: str | None = None) -> BinaryIO:
        """See `Storage`."""
        real = open_below(self.root, path)
        if version is not None and stat_version(real.stat()) != version:
            raise SourceError(f"{real}: changed since it was looked at; ingest again")
        return real.open("rb")
