"""Opens a recording file with the reader of its format. Does not belong here: any format."""

from pathlib import Path

from bgb_assets.modalities.eeg.recordings.edf import SUFFIXES, open_edf
from bgb_assets.modalities.eeg.recordings.other_formats import open_other
from bgb_assets.modalities.eeg.recordings.recording import Recording


def open_recording(path: Path) -> Recording:
    """Open a recording by the suffix of its file.

    Raises:
        BadInput: It cannot be read; the message names the file.
    """
    return open_edf(path) if path.suffix.lower() in SUFFIXES else open_other(path)
