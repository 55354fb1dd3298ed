"""Sources are found by entry point: those that come with the project and those of another package."""

from pathlib import Path

import pytest

from bgb_assets.modalities.source_registry import (
    configured_options,
    open_source,
    prefixes,
    require_known_sources,
    split_source,
)
from bgb_assets.runtime.errors import ConfigError, UsageError
from bgb_assets.runtime.settings import Settings, load_settings
from bgb_assets_tests.toy_source import FolderSource, installed


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path / "site", "toy"))


def settings(root: Path, text: str) -> Settings:
    (root / "config.toml").write_text(text)
    return load_settings({"BGB_DATA_ROOT": str(root)})


def test_sources_of_the_project_are_registered() -> None:
    assert prefixes("beatmap") == ["beatsaver", "official"]


@pytest.mark.usefixtures("_installed")
def test_another_package_brings_a_source(tmp_path: Path) -> None:
    assert prefixes("toy") == ["shelf"]
    assert open_source("toy", "shelf", str(tmp_path), {"at_once": "3"}) == FolderSource(tmp_path, 3)
    with pytest.raises(UsageError, match="the shelf has no option 'pages'"):
        open_source("toy", "shelf", str(tmp_path), {"pages": "3"})


@pytest.mark.usefixtures("_installed")
def test_unknown_source_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"toy: no source 'shell:' and no file 'shell:x'; the sources are: shelf:"):
        open_source("toy", "shell", "x", {})
    with pytest.raises(UsageError, match="the sources are: none"):
        open_source("other", "shell", "x", {})


def test_what_has_the_form_of_a_source() -> None:
    assert split_source("beatsaver:") == ("beatsaver", "")
    assert split_source("official:/games/a:b") == ("official", "/games/a:b")
    for path in ("maps", "./beatsaver:", "C:\\maps", "/a:b", "Maps: mine", ":x", "-x:"):
        assert split_source(path) is None, path


def test_options_in_the_configuration_are_read_as_the_command_line_writes_them(tmp_path: Path) -> None:
    text = "[sources.toy.shelf]\nbase_url = 'http://x'\nmin_score = 0.5\nmax_maps = 3\nnsfw = true\ntags = ['a', 'b']\n"
    held = settings(tmp_path, text)
    assert configured_options(held, "toy", "shelf") == {
        "base_url": "http://x",
        "min_score": "0.5",
        "max_maps": "3",
        "nsfw": "true",
        "tags": "a,b",
    }
    assert configured_options(held, "toy", "other") == {}
    held.require_known(["toy"])


@pytest.mark.parametrize("text", ["[sources.toy]\nshelf = 3\n", "[sources.toy.shelf]\nx = {y = 1}\n", "sources = 3\n"])
def test_wrong_tables_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"\[sources\.toy\.shelf\].*must be"):
        configured_options(settings(tmp_path, text), "toy", "shelf")


@pytest.mark.parametrize("text", ["[sources.tyo.shelf]\nx = 1\n", "sources = 3\n"])
def test_sources_of_no_modality_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"\[sources\]: unknown .*it holds a table per modality: toy"):
        require_known_sources(settings(tmp_path, text), ["toy"])
