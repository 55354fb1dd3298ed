"""Tables on a terminal, and as aligned text where output goes elsewhere.

Belongs here: printing rows. Does not belong here: what is in them (the verbs).
"""

import sys
from collections.abc import Sequence

_WIDTH = 10_000
"""Columns of a page that is no terminal: no row is broken."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under the names of their columns; all but the first column and the last are set to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if place in (0, len(columns) - 1) else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    terminal = sys.stdout.isatty()
    Console(file=sys.stdout, width=None if terminal else _WIDTH, highlight=False).print(table)
