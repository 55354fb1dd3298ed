"""What stops a run: a full disk, a failure that is not one upload's, too many rejections.

Belongs here: the checks around a run. Does not belong here: the run (`bgb_assets.chain`, `engine.fan_in`).
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bgb_assets.runtime.errors import BgbError, ContractError, ResourceError, TooManyQuarantined, is_resource_error
from bgb_assets.runtime.executor import Failure
from bgb_assets.runtime.settings import RunSettings, Settings
from bgb_assets.storage.quarantine import Rejection

_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")


def raise_if_fatal(failure: Failure, where: str) -> None:
    """Raise for a failure that is not one upload's: the machine's, or a bug in a declaration.

    Raises:
        ResourceError: No space, I/O error or permission.
        ContractError: A stage breaks its declaration.
        BgbError: Another error of this project.
    """
    if failure.kind == "resource":
        raise ResourceError(f"{where}: {failure.message}; mend it and run again, what was committed is kept")
    if failure.error_type == "ContractError":
        raise ContractError(f"{where}: {failure.message}")
    if failure.kind != "crash":
        raise BgbError(f"{where}: {failure.message}\n{failure.traceback}")


def machine_error(error: BaseException) -> BaseException | None:
    """Return what to raise for an error that is the machine's and not an upload's, None for another."""
    if is_resource_error(error):
        return error
    # numpy writes arrays without Python's file and tells of a full disk by an OSError without a number.
    if isinstance(error, OSError) and error.errno is None and _SHORT_WRITE.fullmatch(str(error)):
        return ResourceError(f"No space left on device: {error}")
    return None


@contextmanager
def machine_errors_named(where: str) -> Iterator[None]:
    """Turn what the machine is at fault for into one kind of error that says what to do.

    Raises:
        ResourceError: No space, I/O error or permission.
    """
    try:
        yield
    except OSError as error:
        if (fault := machine_error(error)) is None:
            raise
        raise ResourceError(f"{where}: {fault}; mend it and run again, what was committed is kept") from error


def check_free_space(settings: Settings, limits: RunSettings) -> None:
    """Refuse to start on a full disk.

    Raises:
        ResourceError: Less is free than `run.min_free_bytes`.
    """
    settings.data_root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_root).free
    if free < limits.min_free_bytes:
        raise ResourceError(
            f"{settings.data_root}: {free:,} bytes are free, a run needs {limits.min_free_bytes:,}; "
            "free some (`bgb cache prune --budget SIZE`) or lower run.min_free_bytes"
        )


def check_quarantined(modality: str, rejections: Sequence[Rejection], total: int, limits: RunSettings) -> None:
    """Fail a run of which too many uploads were rejected.

    Raises:
        TooManyQuarantined: More than the larger of the count and the share.
    """
    allowed = max(limits.quarantine_count, limits.quarantine_share * total)
    if len(rejections) > allowed:
        first = "; ".join(row.reason for row in rejections[:3])
        raise TooManyQuarantined(
            f"{modality}: {len(rejections)} of {total} uploads were quarantined, {allowed:g} are allowed "
            f"({first} ...); all others are committed; see `bgb quarantine list {modality}`"
        )
