"""The one tree of errors, all under `BgbError`.

A message says what failed and where, what was got against what was expected, and what to do:
`mri/raw 'sub-07': voxel size must be positive, got (1.0, 0.0, 1.0) mm in pixdim; re-export the NIfTI`.

    BgbError
    +-- ContractError         a modality or a stage breaks its own declaration: a bug
    +-- ConfigError           a setting is wrong: the user's to mend
    +-- UsageError            a command was asked for something that does not exist
    +-- BadInput              an upload is wrong: one quarantine row, the others go on
    |   +-- UnsafeArchive     an archive that must not be unpacked
    +-- StoreError            the stage store cannot do what it was asked
    |   +-- NewerStore        written by a later version of this project
    |   +-- Unstable          a file changed while it was read: retried, never committed
    +-- SourceError           a source cannot be asked, or not now: what was fetched is kept
    +-- ResourceError         no space, I/O error, permission: the run stops, nothing is quarantined
    +-- TooManyQuarantined    more uploads were rejected than allowed
    +-- TrainingError         training cannot start or go on
    +-- WorkerDied            a worker process was killed or ran out of memory
"""

import errno


class BgbError(Exception):
    """Base of every error that this project raises on purpose."""


class ContractError(BgbError):
    """A modality or a stage breaks its own declaration."""


class ConfigError(BgbError):
    """A setting is wrong; the message names the file or variable and the accepted values."""


class UsageError(BgbError):
    """A command was asked for something that does not exist."""


class BadInput(BgbError):
    """An upload is wrong.

    Args:
        reason: What was got against what was expected.
        remedy: What the owner of the upload can do.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["BadInput"], tuple[str, str]]:
        return type(self), (self.reason, self.remedy)


class UnsafeArchive(BadInput):
    """An archive that must not be unpacked."""


class StoreError(BgbError):
    """The stage store cannot do what it was asked."""


class NewerStore(StoreError):
    """The store was written by a later version of this project."""


class Unstable(StoreError):
    """A file changed while it was read."""


class SourceError(BgbError):
    """A source of uploads cannot be asked, or not now; what was fetched so far is kept."""


class ResourceError(BgbError):
    """No space left, an I/O error or a missing permission: the run stops and quarantines nothing."""


class TooManyQuarantined(BgbError):
    """More uploads of a run were rejected than allowed; all others are committed and reported."""


class TrainingError(BgbError):
    """Training cannot start or go on."""


class WorkerDied(BgbError):
    """A worker process was killed or ran out of memory while it worked on one item."""


_RESOURCE_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
)


def is_resource_error(error: BaseException) -> bool:
    """Say whether an exception is the machine's fault and not the upload's."""
    return isinstance(error, ResourceError) or (isinstance(error, OSError) and error.errno in _RESOURCE_ERRNOS)
