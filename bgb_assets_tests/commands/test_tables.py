import io
from contextlib import redirect_stdout

import pytest

from bgb_assets.commands.tables import print_table


class Terminal(io.StringIO):
    """A page that says it is a terminal."""

    def isatty(self):
        return True


def printed(columns, rows, out=None, **options):
    out = out or io.StringIO()
    with redirect_stdout(out):
        print_table(columns, rows, **options)
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


@pytest.mark.parametrize(("width", "explained"), [(60, True), (30, False)])
def test_what_explains_is_left_out_where_there_is_no_room(monkeypatch, width, explained):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    rows = [("swings", "12", "swings of both hands")]
    lines = printed(("measure", "Easy", "what it is"), rows, Terminal(), explained=True)
    assert lines[-1].split() == ["swings", "12", *(("swings", "of", "both", "hands") if explained else ())]


def test_what_says_something_of_its_own_stays(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    lines = printed(("measure", "Easy", "status"), [("swings", "12", "missing and nowhere to be found")], Terminal())
    assert "found" in " ".join(lines)
    assert len(lines) > 3


def test_a_line_break_in_a_name_makes_a_narrow_column():
    first, second, *_ = printed(("measure", "Standard\nEasy", "what"), [("a", "1", "b")])
    assert (first.split(), second.split()) == (["Standard"], ["measure", "Easy", "what"])
