"""The source `listing:<file>`: a Parquet table of a data set's files, for planning without the data set.

Columns: `path`, `bytes`, `sha256` (32 bytes), `spatial_reference` of the masks' sidecars; with `--revision 1.0.1` also
`bytes_1_0_1` and `sha256_1_0_1`, which stand where that revision had other bytes. Belongs here: reading it. Does not
belong here: visits (`visits`), plans (`planning`); there is nothing to fetch.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bgb_assets.modalities.mri.sources.cohort import Asked, read_options
from bgb_assets.modalities.mri.sources.plan import Origin, refuse_flagged
from bgb_assets.modalities.mri.sources.planning import planned_offers
from bgb_assets.modalities.mri.sources.visits import SourceFile, Survey, survey_names
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import SourceError, UsageError
from bgb_assets.storage.digests import sha256_json, signature

PREFIX = "listing"
_COLUMNS = ("path", "bytes", "sha256", "spatial_reference")


def source(rest: str, options: Mapping[str, str]) -> "Listing":
    """Return the source for what a command says: `listing:manifest.parquet --revision 1.0.1`.

    Raises:
        UsageError: There is no such file, an option is unknown or cannot be read.
    """
    path = Path(rest).expanduser()
    if not rest or not path.is_file():
        raise UsageError(f"{PREFIX}: name a Parquet table of files, {PREFIX}:manifest.parquet, got {rest!r}")
    return Listing(path.resolve(), read_options(PREFIX, options, ("revision",)))


@dataclass(frozen=True)
class Listing:
    """The scans of one table of files; see `bgb_assets.modalities.sources.Source`."""

    path: Path
    asked: Asked = field(default_factory=Asked)
    at_once: int = 1
    processes: bool = False

    @property
    def revision(self) -> str | None:
        """Which state of the data set is planned with; None for the newest."""
        return self.asked.others.get("revision")

    def plan(self, held: Mapping[str, str], work: Path) -> Iterator[Offer]:
        """Yield the scans that are wanted.

        Raises:
            SourceError: It is no such table, or what `planning.planned_offers` finds wrong with the whole.
        """
        state = sha256_json(signature(self.path))
        origin = Origin(PREFIX, str(self.path), self.revision, str(self.path))
        yield from planned_offers(origin, state, self.asked, self._survey, held, work)

    def fetch(self, offer: Offer, work: Path, out: Path) -> None:
        """Say that there is nothing to fetch from.

        Raises:
            BadScan: What was planned cannot be used.
            SourceError: Always, else.
        """
        refuse_flagged(offer)
        raise SourceError(f"{self.path}: a listing names files and has none: use --dry-run, and bids: or hf: to fetch")

    def _survey(self) -> Survey:
        columns = self._read()
        files = [
            SourceFile(path, n_bytes, sha256.hex(), sha256.hex(), is_here=False)
            for path, n_bytes, sha256 in zip(columns["path"], columns["bytes"], columns["sha256"], strict=True)
        ]
        said = dict(zip(columns["path"], columns["spatial_reference"], strict=True))

        def sidecar(path: str) -> bytes | None:
            reference = said.get(path)
            return None if reference is None else json.dumps({"SpatialReference": reference}).encode()

        return survey_names(files, self.asked.cohort.modality, sidecar)

    def _read(self) -> dict[str, list[Any]]:
        # Pyarrow takes a while to start, and a plan that is kept needs none.
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        own = {} if self.revision is None else {name: _of_revision(name, self.revision) for name in ("bytes", "sha256")}
        try:
            with ParquetFile(self.path) as file:
                if missing := sorted({*_COLUMNS, *own.values()} - set(file.schema_arrow.names)):
                    raise SourceError(f"{self.path}: no columns {missing}; there are {file.schema_arrow.names}")
                table = file.read([*_COLUMNS, *own.values()]).to_pydict()
        except ArrowException as error:
            raise SourceError(f"{self.path}: not a Parquet file: {error}") from error
        for name, other in own.items():
            pairs = zip(table[name], table[other], strict=True)
            table[name] = [new if old is None else old for new, old in pairs]
        return {name: table[name] for name in _COLUMNS}


def _of_revision(name: str, revision: str) -> str:
    return f"{name}_{revision.replace('.', '_')}"
