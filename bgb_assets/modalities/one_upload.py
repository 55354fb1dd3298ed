"""One upload that no store knows, as its stages would be handed it: a file a person names, with what belongs to it.

Belongs here: finding the files of that upload by the modality's own rules. Does not belong here: uploads of the inbox
(`engine.ingest`), running stages on it (each modality).
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from bgb_assets.modalities.contract import Found
from bgb_assets.runtime.errors import UsageError


def upload_around(path: Path, discover: Callable[[Path], Iterable[Found]], into: Path, noun: str, forms: str) -> Path:
    """Return a directory with an upload's files, linked where they lie; a folder is one already.

    Args:
        path: A folder, or one file of the upload.
        discover: The modality's, asked about the folder that the file lies in.
        into: Directory to make for the links.
        noun: What the modality calls an upload.
        forms: Which files can be named, for the message.

    Raises:
        UsageError: There is nothing at `path`, or it belongs to no upload.
    """
    if path.is_dir():
        return path
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; name a {noun} or its folder")
    found = next((one for one in discover(path.parent) if path.name in one.files), None)
    if found is None:
        raise UsageError(f"{path}: no {noun} that can be read; name {forms}")
    for name in found.files:
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).symlink_to((path.parent / name).resolve())
    return into
