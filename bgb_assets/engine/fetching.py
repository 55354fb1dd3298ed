"""One offer fetched, in a worker: its files become blobs.

Belongs here: what a worker does with one offer; it writes blobs, never upload records or quarantine rows. Does not
belong here: which offers (`engine.sources`), talking to the source (the source).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bgb_assets.engine.guards import machine_errors_named
from bgb_assets.modalities.sources import Offer, Source
from bgb_assets.runtime.errors import BadInput, ContractError
from bgb_assets.runtime.monitoring import count
from bgb_assets.storage.atomic import temporary_directory
from bgb_assets.storage.blobs import Blobs
from bgb_assets.storage.digests import Signature, signature
from bgb_assets.storage.layout import Layout


@dataclass(frozen=True)
class FetchTask:
    """One offer to fetch.

    Attributes:
        work: The source's own folder.
    """

    root: Path
    modality: str
    source: Source
    offer: Offer
    work: Path


@dataclass(frozen=True)
class Fetched:
    """What was fetched: the names of the files, as the source wrote them, with digest and signature of their blobs."""

    blobs: Mapping[str, str]
    files: Mapping[str, Signature]


def fetch(task: FetchTask) -> Fetched:
    """Let a source write the files of one offer and keep their bytes. The entry point of workers.

    Raises:
        BadInput: The offer cannot be used, now and later.
        SourceError: It could not be had now.
        ContractError: The source wrote nothing, or a link.
        ResourceError: The machine failed.
    """
    count("offers_fetched")
    layout = Layout(task.root)
    where = f"{task.modality}/source {task.offer.path!r}"
    with machine_errors_named(where), temporary_directory(layout.temporary) as space:
        out = space / "out"
        out.mkdir()
        task.source.fetch(task.offer, task.work, out)
        names = _written(out, where)
        blobs = Blobs(layout)
        digests = {name: blobs.take(out / name) for name in names}
        return Fetched(digests, {name: signature(blobs.path(digest)) for name, digest in digests.items()})


def _written(out: Path, where: str) -> list[str]:
    """Return the names of the files below a directory, sorted."""
    paths = sorted(out.rglob("*"))
    if links := [path.name for path in paths if path.is_symlink()]:
        raise ContractError(f"{where}: a source must not write links, got {links!r}; copy the bytes")
    names = [path.relative_to(out).as_posix() for path in paths if path.is_file()]
    if not names:
        raise ContractError(f"{where}: the source wrote no file; it must write some or raise BadInput or SourceError")
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise BadInput(f"the file name {name!r} is not valid UTF-8", "ask the source to rename it") from error
    return names
