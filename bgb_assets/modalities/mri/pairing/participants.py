"""What a data set's table of participants says about one subject.

Belongs here: BIDS `participants.tsv`. Does not belong here: what any column means.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from bgb_assets.modalities.mri.pairing.names import with_prefix
from bgb_assets.runtime.errors import BadInput

PARTICIPANTS_FILE = "participants.tsv"
_ID = "participant_id"
_ABSENT = frozenset({"", "n/a"})


def participant_row(directory: Path, files: Sequence[str], subject: str) -> dict[str, str]:
    """Return a subject's row of the table among an upload's files, cleaned; empty where there is none.

    Raises:
        BadInput: The table cannot be read.
    """
    table = next((name for name in files if PurePosixPath(name).name == PARTICIPANTS_FILE), None)
    if table is None:
        return {}
    try:
        text = (directory / table).read_text("utf-8-sig")
        rows = list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{table}: not a table in UTF-8: {error}", "save it again, or leave it out") from error
    mine = next((row for row in rows if with_prefix("sub", (row.get(_ID) or "").strip()) == subject), {})
    return clean({key: value for key, value in mine.items() if key != _ID and isinstance(value, str)})


def clean(values: Mapping[str, str]) -> dict[str, str]:
    """Return trimmed values by name; what is empty or `n/a` is absent."""
    trimmed = {name.strip(): value.strip() for name, value in values.items()}
    return {name: trimmed[name] for name in sorted(trimmed) if trimmed[name] not in _ABSENT}
