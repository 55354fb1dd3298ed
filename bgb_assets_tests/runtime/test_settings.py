from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.runtime.settings import InboxSettings, RunSettings, load_settings, overlay, rebuild_asked, sources


@dataclass(frozen=True)
class Inner:
    depth: int = 2


@dataclass(frozen=True)
class Params:
    count: int = 1
    rate_hz: float = 2.0
    name: str | None = None
    either: int | float = 1
    sizes: tuple[int, ...] = (1,)
    pair: tuple[int, str] = (1, "a")
    mode: Literal["fast", "exact"] = "fast"
    on: bool = False
    table: dict[str, Any] | None = None
    inner: Inner = Inner()


def settings_of(tmp_path: Path, text: str):
    (tmp_path / "config.toml").write_text(text)
    return load_settings({"BGB_DATA_ROOT": str(tmp_path)})


def test_root_is_the_variable_or_beside_the_nearest_workspace(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").touch()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = load_settings({}, start=below)
    assert (found.data_root, found.root_source) == (tmp_path / "data", f"beside {tmp_path / 'workspace.yaml'}")
    assert load_settings({"BGB_DATA_ROOT": str(below)}, start=below).root_source == "BGB_DATA_ROOT"
    assert load_settings({"BGB_DATA_ROOT": "x"}).data_root.is_absolute()


def test_no_root_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"BGB_DATA_ROOT is not set and no workspace\.yaml lies in"):
        load_settings({}, start=tmp_path)


@pytest.mark.parametrize(("text", "force"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_force_comes_from_the_environment(tmp_path: Path, text: str, force: bool) -> None:
    assert load_settings({"BGB_DATA_ROOT": str(tmp_path), "BGB_FORCE": text}).force is force


def test_one_stage_is_forced_by_a_variable_that_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("1", "true", "YES"):
        monkeypatch.setenv("BGB_FORCE_MANIFEST_REBUILD", text)
        assert rebuild_asked("manifest") == f"BGB_FORCE_MANIFEST_REBUILD={text}"
        assert rebuild_asked("tokens") == ""
    for text in ("0", "", "no", "False"):
        monkeypatch.setenv("BGB_FORCE_MANIFEST_REBUILD", text)
        assert rebuild_asked("manifest") == ""
    with pytest.raises(ConfigError, match=r"BGB_FORCE_MANIFEST_REBUILD: expected one of 1, true, .* got 'perhaps'"):
        rebuild_asked("manifest", {"BGB_FORCE_MANIFEST_REBUILD": "perhaps"})


@pytest.mark.parametrize("data", [b"[run", b"x = 'a\xff'"])
def test_file_that_is_no_toml_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(data)
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings({"BGB_DATA_ROOT": str(tmp_path)})


def test_section_is_laid_over_its_defaults(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[run]\nworkers = 3\n[inbox]\nsettle_s = 1\n")
    assert settings.section(RunSettings(), "run") == RunSettings(workers=3)
    assert settings.section(InboxSettings(), "inbox").settle_s == 1.0
    assert type(settings.section(InboxSettings(), "inbox").settle_s) is float
    assert settings.section(RunSettings(), "absent", "below") == RunSettings()
    with pytest.raises(ConfigError, match=r"\[run.workers\] must be a table, got 3"):
        settings.section(RunSettings(), "run", "workers")


def test_unknown_table_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[run]\nworkers = 3\n[toy.raw]\n[beetmap.raw]\n")
    with pytest.raises(ConfigError, match=r"unknown \['beetmap'\]; there are the tables automation, .*toy"):
        settings.require_known(["toy"])
    settings.require_known(["toy", "beetmap"])


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("count", 3, 3),
        ("rate_hz", 3, 3.0),
        ("name", "x", "x"),
        ("either", 2.5, 2.5),
        ("sizes", [1, 2, 3], (1, 2, 3)),
        ("sizes", [], ()),
        ("pair", [3, "b"], (3, "b")),
        ("mode", "exact", "exact"),
        ("on", True, True),
        ("table", {"a": 1}, {"a": 1}),
        ("inner", {"depth": 5}, Inner(5)),
    ],
)
def test_values_that_fit_are_taken(name: str, value: object, held: object) -> None:
    found = getattr(overlay(Params(), {name: value}, "here"), name)
    assert (found, type(found)) == (held, type(held))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 3.0),
        ("count", True),
        ("count", "3"),
        ("rate_hz", float("nan")),
        ("rate_hz", float("inf")),
        ("rate_hz", True),
        ("name", 3),
        ("either", "x"),
        ("sizes", 3),
        ("sizes", ["a"]),
        ("sizes", [1.5]),
        ("pair", [3]),
        ("pair", ["b", 3]),
        ("mode", "slow"),
        ("on", 1),
        ("table", 3),
        ("inner", 3),
    ],
)
def test_values_of_the_wrong_type_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"here {name}: must be .*, got"):
        overlay(Params(), {name: value}, "here")


def test_unknown_names_and_nothing_to_set() -> None:
    with pytest.raises(ConfigError, match=r"here: unknown \['cuont'\]; it takes count, either"):
        overlay(Params(), {"cuont": 3}, "here")
    with pytest.raises(ConfigError, match="here inner: unknown"):
        overlay(Params(), {"inner": {"width": 3}}, "here")
    with pytest.raises(ConfigError, match="there is nothing to set here"):
        overlay(None, {"x": 3}, "here")
    params = Params()
    assert overlay(params, {}, "here") is params


def test_every_value_has_a_source() -> None:
    found = {name: (value, source) for name, value, source in sources(Params(), {"count": 4}, "config.toml: [x]")}
    assert found["count"] == (4, "config.toml: [x]")
    assert found["rate_hz"] == (2.0, "default")
    assert list(sources(None, {}, "x")) == []
