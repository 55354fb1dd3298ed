"""Tables on a terminal, and as aligned text where output goes elsewhere.

Belongs here: printing rows. Does not belong here: what is in them (the verbs).
"""

import sys
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH = 10_000
"""Columns of a page that is no terminal: no row is broken."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, explained: bool = False) -> None:
    """Print rows under the names of their columns; all but the first column and the last are set to the right.

    Args:
        columns: Their names; a line break makes a narrow column.
        rows: One text for each column.
        explained: The last column only explains the row: it is left out on a terminal with no room for it.
    """
    # Imported here: it takes longer than a command that prints no table.
    from rich.console import Console

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    table = _table(columns, rows, {0, len(columns) - 1})
    wanted = console.measure(table, options=console.options.update(max_width=_WIDTH)).maximum
    if explained and wanted > console.width:
        table = _table(columns[:-1], [row[:-1] for row in rows], {0})
    console.print(table)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], texts: Set[int]) -> "Table":
    """Return the table; `texts` are the columns that are set to the left."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if place in texts else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
