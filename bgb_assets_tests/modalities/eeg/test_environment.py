"""Nothing in the environment leaves recordings out: what was taken in is trained on, and the manifest counts it."""

import ast
from pathlib import Path

import pytest

import bgb_assets.modalities.eeg
from bgb_assets.storage.manifest import read_counts
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus

W = 15_360
PACKAGE = Path(bgb_assets.modalities.eeg.__file__).parent


def test_a_limit_left_in_the_environment_limits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BGB_LIMIT_FILES", "LIMIT_FILES", "BGB_LIMIT"):
        monkeypatch.setenv(name, "1")
    corpus = Corpus(tmp_path)
    for patient in range(6):
        corpus.add(f"p{patient}_1", [W], [(10.0, 30.0)], written=False)
    directory, result = corpus.manifest()
    assert result.metadata["rows"] == read_counts(directory)["included"] == 6
    assert sum(counts["windows"] for counts in read_counts(directory)["windows"].values()) == 6


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_reads_the_environment(path: Path) -> None:
    names = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
    }
    assert not names & {"environ", "getenv", "putenv"}
