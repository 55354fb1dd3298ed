"""`python -m bgb_assets.training`: trains, goes on after a failure, and answers with the right exit code."""

import json
import subprocess
import sys

import pytest

from bgb_assets.training.__main__ import main
from bgb_assets_tests.training.tiny import SPEC, store_at, tiny

TINY = "bgb_assets_tests.training.tiny:SPEC"


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    store_at(tmp_path)
    monkeypatch.setitem(SPEC.defaults, "tiny", tiny(steps=6, validate_every_steps=3))
    places = {name: str(tmp_path / name) for name in ("out", "work", "logs")}
    options = {"variant": "tiny", "tokens": str(tmp_path / "index"), "root": str(tmp_path), "device": "cpu", **places}
    return [TINY, *(f"--{name}={value}" for name, value in options.items())]


def test_it_trains_and_prints_json(arguments, tmp_path, capsys):
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["metrics"] == json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert printed["observed"]["device"] == "cpu"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "logs", "out", "tokens", "work"]


def test_a_failure_is_one_line_and_exit_code_1(arguments, tmp_path, capsys):
    (tmp_path / "index" / "index.json").unlink()
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "index.json: cannot be read" in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--variant=tiny", "--variant=huge"), "variant must be one of ['tiny'], got 'huge'"),
        ((TINY, "cooking"), "no model 'cooking': 'bgb_assets.modalities.cooking.model:SPEC': no module named"),
        ((TINY, "bgb_assets_tests.training.tiny:NONE"), "has no 'NONE'"),
        (("--device=cpu", "--device=abacus"), "invalid choice: 'abacus'"),
    ],
)
def test_usage_errors_have_exit_code_2(arguments, capsys, change, message):
    with pytest.raises(SystemExit) as stopped:
        main([change[1] if argument == change[0] else argument for argument in arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_an_existing_model_is_not_overwritten(arguments, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    with pytest.raises(SystemExit):
        main(arguments)
    assert "exists; remove it or name another" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = """
import runpy, sys
from bgb_assets_tests.training.absent_packages import make_absent
make_absent("dagster", "librosa", "nibabel", "pandas")
sys.argv = ["bgb_assets.training", "--help"]
try:
    runpy.run_module("bgb_assets.training", run_name="__main__")
except SystemExit as stopped:
    assert stopped.code == 0
assert not {"torch", "lightning", "numpy", "pyarrow"} & set(sys.modules)
"""
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "--checkpoint-every-steps" in printed
