import pytest

from bgb_assets.modalities.beatmap.generation.pace_file import read_pace_curve
from bgb_assets.runtime.errors import BadInput


@pytest.fixture
def curve(tmp_path):
    def read(text):
        (tmp_path / "pace.csv").write_text(text)
        return read_pace_curve(tmp_path / "pace.csv")

    return read


@pytest.mark.parametrize(
    "text", ["bar,nps\n0,3\n4,6.5\n6,0\n", "0, 3\n\n4, 6.5\n6, 0", "\ufeffbar,nps\r\n0,3\r\n4,6.5\r\n6,0"]
)
def test_each_row_holds_until_the_next(curve, text):
    assert curve(text).of_bars(8).tolist() == [3.0, 3.0, 3.0, 3.0, 6.5, 6.5, 0.0, 0.0]
    assert curve(text).of_bars(2).tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"bars must rise from 0, got \[\]"),
        ("bar,nps\n1,3\n", r"bars must rise from 0, got \[1\]"),
        ("0,3\n4,3\n4,5\n", r"bars must rise from 0, got \[0, 4, 4\]"),
        ("0,3\n4,fast\n", "'4,fast': expected a bar's number"),
        ("0,3\n4.5,2\n", "'4.5,2': expected a bar's number"),
        ("0,3\n4\n", "'4': expected a bar's number"),
        ("0,3,9\n", "'0,3,9': expected two numbers"),
        ("0,nan\n", "'0,nan': expected two numbers, the second from 0 to 50"),
        ("0,-1\n", "the second from 0 to 50"),
        ("0,0\n8,0\n", "asks for no note at all"),
        ("nps,bar\n0,3\n", "'nps,bar': expected a bar's number"),
    ],
)
def test_anything_else_is_refused(curve, text, reason):
    with pytest.raises(BadInput, match=reason):
        curve(text)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"none\.csv: no such file; correct --nps-curve"):
        read_pace_curve(tmp_path / "none.csv")
