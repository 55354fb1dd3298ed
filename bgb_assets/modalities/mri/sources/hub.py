"""The source `hf:<owner>/<name>`: rows of Parquet in a data set of the Hugging Face hub, by ranges of bytes.

The same rows as `parquet` reads, over the hub's file system; nothing is downloaded but footers and the columns that are
needed, and no data set object is made, which would decode every image of a row. Needs the extra `hf`. Belongs here: the
hub as a storage. Does not belong here: rows (`rows`), plans (`planning`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, BinaryIO, cast

from bgb_assets.modalities.mri.pairing.pairs import safe_path
from bgb_assets.modalities.mri.sources.cohort import read_options
from bgb_assets.modalities.mri.sources.parquet import ParquetRows
from bgb_assets.modalities.mri.sources.plan import Origin
from bgb_assets.modalities.mri.sources.storage import SUFFIX
from bgb_assets.modalities.mri.sources.visits import SourceFile
from bgb_assets.runtime.errors import SourceError, UsageError

PREFIX = "hf"
NEEDS = "datasets"


def source(rest: str, options: Mapping[str, str]) -> ParquetRows:
    """Return the source for what a command says: `hf:owner/name --revision v1.0.2`.

    Raises:
        UsageError: The extra is not installed, no repository is named, an option is unknown or cannot be read.
    """
    if find_spec(NEEDS) is None:
        raise UsageError(f"{PREFIX}: needs {NEEDS}: pip install 'bgb_assets[hf]'")
    if rest.count("/") != 1 or not all(rest.split("/")):
        raise UsageError(f"{PREFIX}: name a data set of the hub, {PREFIX}:owner/name, got {rest!r}")
    asked = read_options(PREFIX, options, ("revision",))
    revision = asked.others.get("revision")
    return ParquetRows(HubRepository(rest, revision), Origin(PREFIX, rest, revision), asked)


@dataclass(frozen=True)
class HubRepository:
    """A `Storage` of the hub.

    A file's version is the SHA-256 that the hub keeps of it, or the name of its bytes there, and the commit that it was
    listed at: bytes are read at that commit, so that they cannot change meanwhile.

    Attributes:
        name: `owner/name`.
        revision: Branch, tag or commit; None for the newest.
    """

    name: str
    revision: str | None = None

    def tables(self) -> tuple[str, Sequence[SourceFile]]:
        """See `Storage`; its state is the commit."""
        with _asking(self.name):
            commit = self._commit()
            root = self._root(commit)
            found: Mapping[str, Any] = _file_system().find(root, detail=True)
        listed = [
            SourceFile(path.removeprefix(f"{root}/"), info["size"], _version(info))
            for path, info in sorted(found.items())
            if path.endswith(SUFFIX)
        ]
        return commit, listed

    def open(self, path: str, version: str | None = None) -> BinaryIO:
        """See `Storage`."""
        inside = safe_path(path, "the source")
        with _asking(self.name):
            place = f"{self._root(self._commit())}/{inside}"
            if version is not None and _version(_file_system().info(place)) != version:
                raise SourceError(f"{self.name}/{path}: changed since it was looked at; ingest again")
            return cast(BinaryIO, _file_system().open(place, "rb", cache_type="none"))

    def _commit(self) -> str:
        from huggingface_hub import HfApi

        return str(HfApi().dataset_info(self.name, revision=self.revision).sha)

    def _root(self, commit: str) -> str:
        return f"datasets/{self.name}@{commit}"


def _file_system() -> Any:
    from huggingface_hub import HfFileSystem

    return HfFileSystem()  # one for all of this process: it remembers


def _version(info: Mapping[str, Any]) -> str:
    large = info.get("lfs") or {}
    return str(large.get("sha256") or info["blob_id"])


@contextmanager
def _asking(name: str) -> Iterator[None]:
    """Say whose fault it is when the hub cannot be asked."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its bases are the error of the web library that the hub's uses: another one from version to version.
    failures: tuple[type[Exception], ...] = (OSError, HfHubHTTPError, *HfHubHTTPError.__bases__)
    try:
        yield
    except failures as error:
        raise SourceError(f"{PREFIX}:{name}: the hub cannot be asked: {error}") from error
