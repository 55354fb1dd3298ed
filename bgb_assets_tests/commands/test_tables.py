import io
from contextlib import redirect_stdout

from bgb_assets.commands.tables import print_table


def printed(columns, rows):
    out = io.StringIO()
    with redirect_stdout(out):
        print_table(columns, rows)
    return out.getvalue().splitlines()


def test_numbers_stand_below_one_another():
    head, line, first, second = printed(("name", "count", "what"), [("a", "7", "seven"), ("bb", "1234", "more")])
    assert head.split() == ["name", "count", "what"]
    assert set(line) <= {"─", " "}
    assert first.index("7") == second.index("4")
    assert first.index("seven") == second.index("more")


def test_a_long_row_is_not_broken_and_nothing_is_taken_for_markup():
    text = "[bold]" + "long " * 100
    *_, row = printed(("name", "what"), [("a", text.strip())])
    assert text.strip() in row
