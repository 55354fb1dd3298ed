"""Where things lie below the data root. Belongs here: paths, and nothing but paths."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bgb_assets.runtime.errors import UsageError


@dataclass(frozen=True)
class Layout:
    """The places below one data root."""

    root: Path
    BLOBS: ClassVar[str] = "raw/blobs"
    """The folder of fetched bytes relative to the root, POSIX."""

    def entry(self, stage: str, modality: str, identity: str) -> Path:
        """Return an entry's directory."""
        return self.root / self.location(stage, modality, identity)

    @staticmethod
    def location(stage: str, modality: str, identity: str) -> str:
        """Return an entry's directory relative to the root, POSIX."""
        return f"{stage}/{modality}/{identity[:2]}/{identity}"

    @classmethod
    def blob(cls, digest: str) -> str:
        """Return the place of fetched bytes relative to the root, POSIX."""
        return f"{cls.BLOBS}/{digest[:2]}/{digest}"

    def document(self, modality: str, key: str) -> Path:
        """Return the file with a source's own words about an upload."""
        return self.root / "raw" / "documents" / modality / f"{key}.json"

    def source_work(self, modality: str, prefix: str) -> Path:
        """Return the folder in which a source keeps what must survive a kill."""
        return self.work / "sources" / modality / prefix

    def uploads(self, modality: str) -> Path:
        """Return the folder with one JSON per upload."""
        return self.all_uploads / modality

    def quarantine(self, modality: str) -> Path:
        """Return the folder with one JSON per rejected identity."""
        return self.root / "quarantine" / modality

    def inbox(self, modality: str) -> Path:
        """Return the folder that is watched for uploads."""
        return self.root / "inbox" / modality

    def pins(self, modality: str) -> Path:
        """Return the folder of committed pin files."""
        return self.root / "pins" / modality

    def overrides(self, modality: str) -> Path:
        """Return the file of per-upload settings."""
        return self.root / "overrides" / f"{modality}.yaml"

    def logs(self, modality: str, identity: str) -> Path:
        """Return the folder for logs and TensorBoard files of one run of a stage."""
        return self.root / "logs" / modality / identity

    @property
    def all_uploads(self) -> Path:
        """Return the folder with one folder of upload records per modality."""
        return self.root / "uploads"

    @property
    def temporary(self) -> Path:
        """Return the folder of temporary directories, on the same disk as the entries."""
        return self.root / ".tmp"

    @property
    def work(self) -> Path:
        """Return the folder in which resumable stages work."""
        return self.root / ".work"

    @property
    def catalog(self) -> Path:
        """Return the catalog's file."""
        return self.root / ".catalog.sqlite"

    @property
    def state(self) -> Path:
        """Return the folder of small facts about the store itself (format, sources, holds)."""
        return self.root / ".store"


def relative_to_root(path: Path, root: Path) -> str:
    """Return a path for a record: relative below the root (so that the root can move), else absolute."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(path.resolve())


def from_record(text: str, root: Path) -> Path:
    """Return the path that `relative_to_root` recorded."""
    path = Path(text)
    if ".." in path.parts:
        raise UsageError(f"path {text!r} in a record climbs out of the data root; restore the record")
    return path if path.is_absolute() else root / path
