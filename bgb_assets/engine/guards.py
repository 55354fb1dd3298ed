"""What stops a run: a full disk, a failure that is not one upload's, too many rejections.

Belongs here: the checks around a run. Does not belong here: the run (`bgb_assets.chain`, `engine.fan_in`).
"""

import shutil
from collections.abc import Sequence

from bgb_assets.runtime.errors import BgbError, ContractError, ResourceError, TooManyQuarantined
from bgb_assets.runtime.executor import Failure
from bgb_assets.runtime.settings import RunSettings, Settings
from bgb_assets.storage.quarantine import Rejection


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
