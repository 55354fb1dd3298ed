"""Opens a map that a person names: a folder, or an archive that is unpacked where it can do no harm.

Belongs here: from a path to a directory to read. Does not belong here: reading it (`song`).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from bgb_assets.modalities.contract import ArchiveLimits
from bgb_assets.runtime.archives import archive_suffix, unpack
from bgb_assets.runtime.errors import BadInput, UsageError


@contextmanager
def opened_map(path: Path) -> Iterator[Path]:
    """Give the directory of a map for a block; what an archive held is removed after it.

    Raises:
        UsageError: There is no such path.
        BadInput: A file that is no archive.
        UnsafeArchive: An archive that must not be unpacked, or is damaged.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise UsageError(f"{path}: no such map; give a folder or a zip")
    if archive_suffix(path.name) is None:
        raise BadInput(f"{path}: is neither a folder nor an archive", "give the folder or the zip of a map")
    with tempfile.TemporaryDirectory(prefix="bgb-map-") as space:
        unpack(path, Path(space), **asdict(ArchiveLimits()))
        yield Path(space)
