from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.annotations import text_lines
from bgb_assets.modalities.eeg.annotations.text_lines import Line, read_confidence, read_lines, read_number
from bgb_assets.runtime.errors import BadInput

LINE = Line("X.csv", 3, "")


def test_blank_lines_count_but_are_left_out(tmp_path):
    path = tmp_path / "X.csv"
    path.write_bytes("\ufeff\n a\u2028b \r\n\r\n\tc\n".encode())
    assert [(line.number, line.text) for line in read_lines(path)] == [(2, " a\u2028b "), (4, "\tc")]


def test_a_file_without_end_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text_lines, "MAX_FILE_BYTES", 10)
    path = tmp_path / "X.csv"
    path.write_text("a" * 11)
    with pytest.raises(BadInput, match=r"X\.csv: got 11 bytes, expected at most 10"):
        read_lines(path)


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_numbers_are_read_as_written(digits, places):
    text = f"{Decimal(digits).scaleb(-places):f}"
    assert read_number(LINE, text, "onset") == Decimal(text)


@pytest.mark.parametrize("text", ["", "1.2.3", "1,5", "0x10", "1e999", "1e", "--1", "1 2", "Infinity", "nan", "１"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(BadInput, match=r"X\.csv, line 3: got .*, expected a number in the column 'onset'"):
        read_number(LINE, text, "onset")


def test_confidence_is_a_share_or_not_said():
    assert [read_confidence(LINE, text) for text in ("1.0000", "0", "n/a", ".5")] == [1.0, 0.0, None, 0.5]
    with pytest.raises(BadInput, match=r"got '-0\.1', expected a confidence between 0 and 1"):
        read_confidence(LINE, "-0.1")
