import math
from pathlib import Path

import pytest

from bgb_assets.runtime.errors import ContractError
from bgb_assets.runtime.imports import resolve


def test_finds_functions_and_nested_names() -> None:
    assert resolve("math:tau") == math.tau
    assert resolve("pathlib:Path.cwd")() == Path.cwd()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("math", "not of the form 'package.module:name'"),
        (":sqrt", "not of the form"),
        ("math:square_root", "module 'math' has no 'square_root'"),
        ("bgb_assets.absent:run", "no module named 'bgb_assets.absent'"),
        ("absent.module:run", "no module named 'absent'"),
    ],
)
def test_says_what_was_not_found(text: str, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        resolve(text)


def test_an_import_error_inside_the_module_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more.py").write_text("import a_library_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_there"):
        resolve("needs_more:run")


def test_a_name_that_was_not_found_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ContractError):
        resolve("comes_later:VALUE")
    (tmp_path / "comes_later.py").write_text("VALUE = 7\n")
    assert resolve("comes_later:VALUE") == 7
