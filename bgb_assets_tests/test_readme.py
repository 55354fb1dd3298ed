"""The README says what the code does: commands, tree, settings, dependencies, names and the worked example."""

import dataclasses
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from bgb_assets import cli
from bgb_assets.engine.outcomes import Outcome
from bgb_assets.engine.wanted import configured, read_overrides
from bgb_assets.modalities.contract import STAGE_NAMES, Modality, Stage, StageResult, matches
from bgb_assets.modalities.registry import modalities, modality
from bgb_assets.runtime.errors import BadInput
from bgb_assets.runtime.settings import OWN_TABLES, InboxSettings, Settings
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.readme import README, SECTIONS, TOP_LEVEL, part_of, parts

TEXT = README.read_text("utf-8")
PYPROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
FILE_LINE = re.compile(r"^( *)(\S+?)(/?) {2,}\S", re.MULTILINE)


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return [text for name, text in fenced() if name == language]


def fenced() -> list[tuple[str, str]]:
    """Return (language, text) of every code block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def spans() -> list[str]:
    """Return what is set as code, in blocks line by line and within sentences."""
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks("") for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", prose)


def bgb_commands() -> list[str]:
    """Return every `bgb VERB ...` of the README, comments cut off."""
    found = [span.split("  #")[0].strip() for span in spans()]
    return sorted({span for span in found if re.match(r"(\.venv/bin/)?bgb( |$)", span)} - {"bgb"})


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


# The two commands.


def test_set_up_and_main_job_are_one_line() -> None:
    (line,) = [line for line in TEXT.splitlines() if line.startswith("python3 -m venv") and line.endswith("bgb demo")]
    assert line.count(" && ") == 3
    assert ".venv/bin/pip install -q -e ." in line


def test_set_up_and_tests_are_one_line_that_ci_finds() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text("utf-8")
    pattern = re.search(r"grep -m1 -E '([^']+)' README\.md", script)
    assert pattern is not None, ".ci/run no longer takes its test command from the README"
    found = [line for line in TEXT.splitlines() if re.search(pattern[1], line)]
    assert len(found) == 1
    assert found[0].endswith('-e ".[dev]" && .venv/bin/pytest -n auto')


def test_torch_is_installed_in_the_range_that_the_project_wants() -> None:
    wanted = next(item for item in PYPROJECT["dependencies"] if item.startswith("torch"))
    assert TEXT.count(f'pip install -q "{wanted}"') == 2


# The command line.


@pytest.mark.parametrize("line", bgb_commands())
def test_every_command_is_one_that_bgb_takes(line: str) -> None:
    words = shlex.split(line)[1:]
    command: Any = get_command(cli.app)
    said = "bgb"
    while hasattr(command, "commands") and words:
        said += f" {words[0]}"
        assert words[0] in command.commands, f"there is no `{said}`"
        command = command.commands[words.pop(0)]
    if not words:
        return
    required = sum(1 for item in command.params if item.param_type_name == "argument" and item.required)
    if "--help" not in words and len([word for word in words if not word.startswith("-")]) < required:
        assert all(word in _options(command) for word in words), f"{line!r} names an option that is not there"
        return
    command.make_context(said, list(words))  # raises where an argument or an option is wrong


def _options(command: Any) -> set[str]:
    return {option for item in command.params for option in item.opts}


def test_every_verb_is_shown() -> None:
    shown = {line.split()[1] for line in bgb_commands() if len(line.split()) > 1}
    assert set(get_command(cli.app).commands) - shown == set()


def test_keys_and_stages_of_the_examples_exist() -> None:
    for name, stage in re.findall(r"\b(beatmap)/(\w+)\b", TEXT):
        if (name, stage) not in {("beatmap", "inbox"), ("beatmap", "beatmap")} and "samples" not in stage:
            assert stage in STAGE_NAMES or Path(f"bgb_assets/modalities/{name}/{stage}").suffix, stage


# Dagster.


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The loaded code location."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BGB_DATA_ROOT", str(tmp_path_factory.mktemp("data")))
        from bgb_assets.definitions import defs

        return defs.get_repository_def()


def test_the_assets_of_the_table_are_those_of_the_code_location(definitions: Any) -> None:
    shown = [cells[0].strip("`") for cells in rows("The chain")[1:]]
    assert shown == [f"beatmap/{stage}" for stage in STAGE_NAMES]
    known = {key.to_user_string() for key in definitions.asset_graph.get_all_asset_keys()}
    assert set(shown) | {"beatmap/inbox"} <= known


def test_the_picture_shows_what_each_stage_reads() -> None:
    (picture,) = blocks("mermaid")
    arrows: set[tuple[str, str]] = set()
    for line in picture.splitlines():
        names = re.findall(r"\b(inbox|" + "|".join(STAGE_NAMES) + r")\b(?:\[\(inbox\)\])?", line)
        if "-->" in line or "-.->" in line:
            arrows |= set(zip([n for i, n in enumerate(names) if i == 0 or n != names[i - 1]], names[1:], strict=False))
    arrows = {(a, b) for a, b in arrows if a != b}
    reads = {
        ("inbox" if read.source == "upload" else read.source, stage.name)
        for stage in modality("beatmap").stages
        for read in stage.reads
    }
    # The cache opens the audio of the upload itself, but through what raw says about it.
    assert arrows == reads - {("inbox", "cache")}


def test_names_of_checks_sensors_and_outcomes_exist(definitions: Any) -> None:
    bullet = re.search(r"^- \*\*Checks\.\*\*.*?(?=^- )", TEXT, re.MULTILINE | re.DOTALL)
    assert bullet is not None
    checks = {key.name for key in definitions.asset_graph.asset_check_keys}
    assert checks == set(re.findall(r"`(\w+)`", bullet[0]))
    assert "beatmap_uploads_sensor" in {sensor.name for sensor in definitions.sensor_defs}
    outcomes = re.search(r"carries `outcome` \((.*?)\)", TEXT)
    assert outcomes is not None
    assert tuple(re.findall(r"`(\w+)`", outcomes[1])) == Outcome.__args__  # type: ignore[attr-defined]


def test_selections_of_the_ci_example_name_assets_that_can_run_together(definitions: Any) -> None:
    lines = [line for line in spans() if line.startswith("dagster asset materialize -m")]
    assert len(lines) == 3
    for line in lines:
        assert "bgb_assets.definitions" in line
        stages = re.findall(r'key:"beatmap/(\w+)"', line)
        kinds = {definitions.asset_graph.get(_key(stage)).partitions_def for stage in stages}
        assert len(kinds) == 1, f"one run cannot hold {stages}"
    assert {stage for line in lines for stage in re.findall(r'key:"beatmap/(\w+)"', line)} == set(STAGE_NAMES)


def _key(stage: str) -> Any:
    from bgb_assets.orchestration.partitions import asset_key

    return asset_key("beatmap", stage)


# What is generated.


@pytest.mark.parametrize("name", parts())
def test_generated_parts_are_up_to_date(name: str) -> None:
    assert part_of(TEXT, name) == parts()[name], "run `python -m bgb_assets_tests.readme`"


def test_the_tree_lists_every_module_once_and_nothing_else() -> None:
    (tree,) = re.findall(r"```\n(.*?)```", part_of(TEXT, "tree"), re.DOTALL)
    listed: list[str] = []
    folders: list[str] = []
    for line in tree.splitlines():
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [name.rstrip("/")] if name.endswith("/") else []
        if name.endswith(".py"):
            listed.append("/".join([*folders[:depth], name]))
    package = REPOSITORY / "bgb_assets"
    held = [path for path in package.rglob("*.py") if path.name != "__init__.py"]
    held += (REPOSITORY / "bgb_assets_tests").glob("[!_]*.py")
    assert sorted(listed) == sorted(path.relative_to(REPOSITORY).as_posix() for path in held)
    for name in TOP_LEVEL:
        assert (REPOSITORY / name).exists(), name


def test_every_line_of_the_tree_says_something() -> None:
    tree = part_of(TEXT, "tree").splitlines()[1:-1]
    assert [line for line in tree if not FILE_LINE.match(line)] == ["bgb_assets/", "bgb_assets_tests/"]


def test_every_running_table_is_in_the_settings() -> None:
    assert tuple(SECTIONS) == OWN_TABLES
    fields = [f"{name}.{field.name}" for name, kind in SECTIONS.items() for field in dataclasses.fields(kind)]
    assert re.findall(r"^\| `([\w.]+)`", part_of(TEXT, "settings"), re.MULTILINE) == fields


def test_settings_named_in_sentences_exist() -> None:
    named = {span for span in spans() if re.fullmatch(rf"({'|'.join(OWN_TABLES)})\.\w+", span)}
    assert named
    for span in named:
        section, _, field = span.partition(".")
        assert field in {item.name for item in dataclasses.fields(SECTIONS[section])}, span


def test_the_limits_of_deletion_are_the_defaults() -> None:
    inbox = InboxSettings()
    assert f"more than {inbox.vanish_share:.0%} and more than {inbox.vanish_count} uploads".replace("%", " %") in TEXT


# Configuration.


def test_the_example_of_config_toml_is_taken(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    settings = Settings(tmp_path, "here", tomllib.loads(text))
    for name, kind in SECTIONS.items():
        settings.section(kind(), name)
    settings.require_known([known.name for known in modalities()])
    changed = configured(modality("beatmap"), settings)
    assert changed.stage("features").params.n_mels == 96
    assert changed.variants["tiny"].training.steps == 1200


def test_the_example_of_overrides_is_taken(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "beatmap.yaml").write_text(text)
    assert read_overrides(tmp_path / "beatmap.yaml", modality("beatmap")) == yaml.safe_load(text)


# Dependencies.


def test_core_dependencies_are_those_of_the_project() -> None:
    cells = rows("Dependencies")
    end = cells.index(["extra", "packages", "what for"])
    shown = [name for row in cells[1:end] for name in row[0].split(", ")]
    assert sorted(shown) == sorted(_name(item) for item in PYPROJECT["dependencies"])


def test_extras_are_those_of_the_project() -> None:
    cells = rows("Dependencies")
    shown = {
        row[0].strip("`"): row[1].split(", ") for row in cells[cells.index(["extra", "packages", "what for"]) + 1 :]
    }
    assert shown == {name: [_name(item) for item in held] for name, held in PYPROJECT["optional-dependencies"].items()}


@pytest.mark.parametrize("package", ["fsspec", "s3fs", "wandb"])
def test_what_is_said_to_be_unused_is_unused(package: str) -> None:
    used = re.compile(rf"^\s*(import|from) {package}\b", re.MULTILINE)
    users = [path for path in (REPOSITORY / "bgb_assets").rglob("*.py") if used.search(path.read_text("utf-8"))]
    assert users == [], f"{package} is used now: the README says that it is not"


def _name(requirement: str) -> str:
    return re.split(r"[<>=!~\[; ]", requirement)[0]


# The worked example.


def example(index: int) -> dict[str, Any]:
    """Run a Python block of the README and return its names."""
    names: dict[str, Any] = {"__name__": f"readme_example_{index}"}
    exec(compile(blocks("python")[index], f"README.md, example {index}", "exec", dont_inherit=True), names)
    return names


@pytest.fixture
def haiku() -> Modality:
    found = example(0)["MODALITY"]
    assert isinstance(found, Modality)
    return found


def test_the_example_is_a_modality(haiku: Modality, tmp_path: Path) -> None:
    assert [stage.name for stage in haiku.stages] == list(STAGE_NAMES)
    lowered = configured(haiku, Settings(tmp_path, "here", {"haiku": {"notes": {"lower": False}}}))
    assert lowered.stage("notes").params.lower is False


def test_the_functions_of_the_example_do_what_the_contract_says(haiku: Modality, tmp_path: Path) -> None:
    raw: Stage = haiku.stage("raw")
    names = example(1)
    inbox, out = tmp_path / "inbox", tmp_path / "out"
    inbox.mkdir()
    out.mkdir()
    (inbox / "frog.txt").write_text("old pond\na frog leaps in\nwater's sound\n")
    (found,) = names["discover"](inbox)
    assert (found.path, found.files) == ("frog.txt", ("frog.txt",))
    facets = names["fingerprint"](inbox)
    assert all(matches(name, haiku.upload_facets) for name in facets)
    assert names["cost_bytes"](inbox) > 0
    result = names["run"]({"upload": inbox}, raw.params, out)
    assert isinstance(result, StageResult)
    assert all(matches(name, raw.publishes) and len(digest) == 64 for name, digest in result.facets.items())
    assert result.metadata == {"lines": 3}
    assert (out / "lines.json").is_file()


def test_the_example_rejects_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "frog.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not UTF-8 text"):
        example(1)["fingerprint"](tmp_path)


# The rest.


def test_messages_that_troubleshooting_quotes_are_in_the_code() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (REPOSITORY / "bgb_assets").rglob("*.py"))
    for quoted in (
        "no data root: ",
        "nothing was deleted: ",
        "still growing, ingest again",
        "stock event log",
        "bytes are free, a run needs",
        "is newer than",
    ):
        assert quoted in TEXT, quoted
        assert quoted in code, quoted


def test_credits_are_given() -> None:
    assert '"Vibe Ace" by Kevin MacLeod (freemusicarchive.org), CC BY 3.0' in TEXT
    assert '"Jazz Trumpet Loops Pack in F 90 bpm" by Mihai Sorohan (freesound.org/s/77711), CC BY 3.0' in TEXT


def test_there_is_a_changelog_for_this_version() -> None:
    assert f"\n### {PYPROJECT['version']}\n" in TEXT.split("\n## Changelog\n")[1]


def test_files_that_the_readme_names_exist() -> None:
    for name in re.findall(r"`((?:bgb_assets|data)/[\w./-]+\.(?:py|toml|yaml))`", TEXT):
        assert (REPOSITORY / name).exists() or "haiku" in name, name


def test_the_size_of_what_a_newcomer_reads_first() -> None:
    first_screen = TEXT.split("\n## ")[0].splitlines()
    assert len(first_screen) < 40
    assert max(map(len, re.sub(r"^```.*?^```$", "", TEXT.split("## Files")[0], flags=re.M | re.S).splitlines())) < 400
