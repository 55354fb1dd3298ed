"""Fingerprints: an upload's bytes become facets, in a worker.

Belongs here: calling `Modality.fingerprint` and falling back to the delivered bytes. Does not belong here:
finding uploads (`storage.inbox`), writing their records (`engine.ingest`, `bgb_assets.chain`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bgb_assets.engine.guards import raise_if_fatal
from bgb_assets.engine.walk import archive_limits
from bgb_assets.modalities.contract import Modality, matches
from bgb_assets.runtime.errors import BadInput, BgbError, ContractError, Unstable, is_resource_error
from bgb_assets.runtime.executor import Done, Executor, Task, failure_of
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.monitoring import count
from bgb_assets.runtime.settings import Settings
from bgb_assets.storage.blobs import Blobs
from bgb_assets.storage.digests import signature
from bgb_assets.storage.layout import Layout
from bgb_assets.storage.uploads import (
    DELIVERED,
    Problem,
    UploadRecord,
    delivered_digest,
    file_of,
    opened,
    require_untouched,
)

ATTEMPTS = 3


@dataclass(frozen=True)
class RecogniseTask:
    """One upload to fingerprint."""

    root: Path
    modality: Modality
    upload: UploadRecord


def recognise(task: RecogniseTask) -> UploadRecord:
    """Return the upload's record with signatures, facets and cost as they are now. The entry point of workers.

    An upload that cannot be recognised is identified by its delivered bytes and carries the reason.

    Raises:
        Unstable: It kept changing while it was read.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _recognise(task)
        except Unstable:
            continue
    return _recognise(task)


def after_crash(task: RecogniseTask, reason: str, remedy: str) -> UploadRecord:
    """Return the record of an upload whose fingerprint killed its worker.

    Raises:
        Unstable: It changes.
    """
    upload = _with_signatures(task.upload, task.root)
    return _with_problem(upload, task, reason, remedy, "crash")


def _recognise(task: RecogniseTask) -> UploadRecord:
    count("uploads_fingerprinted")
    upload = _with_signatures(task.upload, task.root)
    try:
        layout = Layout(task.root)
        with opened(upload, task.root, layout.temporary, archive_limits(task.modality)) as directory:
            facets = dict(resolve(task.modality.fingerprint)(directory))
            cost_bytes = int(resolve(task.modality.cost_bytes)(directory))
    except (Unstable, ContractError):
        raise
    except Exception as error:  # noqa: BLE001 - kept as the upload's problem with its reason, or raised again
        return _unrecognised(upload, task, error)
    undeclared = [name for name in facets if not matches(name, task.modality.upload_facets)]
    if undeclared:
        raise ContractError(f"{task.modality.fingerprint}: facets {undeclared!r} are not declared in upload_facets")
    return replace(upload, facets=facets, cost_bytes=cost_bytes, problem=None)


def _unrecognised(upload: UploadRecord, task: RecogniseTask, error: Exception) -> UploadRecord:
    if is_resource_error(error) or (isinstance(error, BgbError) and not isinstance(error, BadInput)):
        raise error
    if isinstance(error, BadInput):
        return _with_problem(upload, task, error.reason, error.remedy, "input")
    remedy = "this is a bug, or an input it does not know: report it with the upload"
    return _with_problem(upload, task, f"{type(error).__name__}: {error}", remedy, "crash")


def _with_problem(upload: UploadRecord, task: RecogniseTask, reason: str, remedy: str, kind: str) -> UploadRecord:
    problem = Problem(reason, remedy, task.modality.stage("raw").code_version, kind)
    facets = {DELIVERED: delivered_digest(upload, task.root)}
    # What a file looked like while it changed says nothing about the upload.
    require_untouched(upload, task.root)
    return replace(upload, facets=facets, cost_bytes=0, problem=problem)


def _with_signatures(upload: UploadRecord, data_root: Path) -> UploadRecord:
    try:
        files = {name: signature(file_of(upload, name, data_root)) for name in upload.files}
    except FileNotFoundError as error:
        raise Unstable(
            f"{upload.modality} {upload.key!r}: {error.filename} is gone; run `{upload.ingest_command}`"
        ) from error
    _require_blobs(upload, [name for name, held in files.items() if held != tuple(upload.files[name])], data_root)
    return replace(upload, files=files)


def _require_blobs(upload: UploadRecord, touched: Sequence[str], data_root: Path) -> None:
    # What was fetched is what was fetched: other bytes there are damage and no new version of the upload.
    blobs = Blobs(Layout(data_root))
    for digest in (upload.blobs[name] for name in touched if name in upload.blobs):
        if problem := blobs.problem(digest):
            place = Layout.blob(digest)
            raise Unstable(f"{upload.modality} {upload.key!r}: {place}: {problem}; run `{upload.ingest_command}`")


def recognise_all(
    executor: Executor, settings: Settings, modality: Modality, uploads: Sequence[UploadRecord]
) -> Iterator[Done]:
    """Fingerprint uploads in workers; one that kills its worker is unrecognised, one that changes is a failure.

    Raises:
        ResourceError: The machine failed.
    """
    work = {upload.key: RecogniseTask(settings.data_root, modality, upload) for upload in uploads}
    tasks = (Task(key, task, largest_file(task.upload)) for key, task in work.items())
    for done in executor.map("bgb_assets.engine.recognise:recognise", tasks) if work else ():
        if done.failure is None or done.failure.error_type == "Unstable":
            yield done
            continue
        raise_if_fatal(done.failure, f"{modality.name} {done.key!r}")
        try:
            record = after_crash(work[done.key], done.failure.reason, done.failure.remedy)
        except Unstable as error:
            yield replace(done, failure=failure_of(error))
        else:
            yield replace(done, value=record, failure=None)


def largest_file(upload: UploadRecord) -> int:
    """Return the size of an upload's largest file in bytes: a bound on what hashing it holds."""
    return max((held[0] for held in upload.files.values()), default=0)
