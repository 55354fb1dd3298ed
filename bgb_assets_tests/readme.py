"""The parts of the README that follow from the code: the tree with a line per file, and the table of settings.

    python -m bgb_assets_tests.readme

writes them. Belongs here: making those parts. Does not belong here: what is checked of the rest (`test_readme`).
"""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bgb_assets.commands.context import SECTIONS
from bgb_assets_tests.fixtures import REPOSITORY

README = REPOSITORY / "README.md"
TOP_LEVEL = {
    "workspace.yaml": "Tells Dagster where the code location is",
    "pyproject.toml": "Packaging, dependencies, and the settings of ruff, mypy and pytest",
    "LICENSE": "MIT",
    ".ci/run": "What CI runs: the two commands above, the checks of the code, a run from a clean home, benchmarks",
    ".pre-commit-config.yaml": "The checks before a commit",
    "data/": "The data root: inbox, entries of each stage, catalog, logs; only what follows is tracked",
    "data/dagster_home/dagster.yaml": "The project's Dagster instance",
    "data/inbox/": "The watched folders",
    "data/samples/": "Uploads for `bgb demo`",
}
"""What lies beside the two packages."""
TEST_FOLDERS = {
    "benchmarks": "Speed against a named peer, a script each: `python -m bgb_assets_tests.benchmarks.bench_no_op`",
    "e2e": "The whole system: real songs, kills, a full disk, web UI and daemon, a browser",
}
"""Folders of tests that mirror no package."""


def main() -> None:
    """Write the generated parts into the README."""
    text = README.read_text("utf-8")
    for name, part in parts().items():
        text = with_part(text, name, part)
    README.write_text(text, "utf-8")


def parts() -> dict[str, str]:
    """Return the generated parts by the name of their markers."""
    return {"settings": settings_table(), "tree": tree()}


def part_of(text: str, name: str) -> str:
    """Return what stands between the markers of a part."""
    found = re.search(_between(name), text, re.DOTALL)
    if found is None:
        raise ValueError(f"README.md has no markers <!-- {name} --> and <!-- /{name} -->; put them back")
    return found[1]


def with_part(text: str, name: str, part: str) -> str:
    """Return the text with a part replaced."""
    part_of(text, name)
    return re.sub(_between(name), lambda _: f"<!-- {name} -->\n{part}<!-- /{name} -->", text, flags=re.DOTALL)


def _between(name: str) -> str:
    return f"<!-- {name} -->\n(.*?)<!-- /{name} -->"


def settings_table() -> str:
    """Return a table per section of `config.toml` that is about running: key, default, meaning."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for section, kind in SECTIONS.items():
        meanings = dict(attributes(kind))
        for field in dataclasses.fields(kind):
            lines.append(f"| `{section}.{field.name}` | `{shown(field.default)}` | {meanings[field.name]} |")
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    """Return a default as TOML writes it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:_}" if isinstance(value, int) else str(value)


def attributes(kind: type) -> Iterator[tuple[str, str]]:
    """Yield (field, meaning) from the `Attributes` of a class's docstring."""
    _, _, listed = (kind.__doc__ or "").partition("Attributes:\n")
    for match in re.finditer(r"^ {8}(\w+): (.*?)(?=^ {8}\w|\Z)", listed, re.MULTILINE | re.DOTALL):
        yield match[1], " ".join(match[2].split())


def tree() -> str:
    """Return every module of the package and every folder and file of the tests, each with its first sentence."""
    lines = [f"{name:<34}{text}" for name, text in TOP_LEVEL.items()]
    lines += ["bgb_assets/", *branch(REPOSITORY / "bgb_assets", 1, whole=True)]
    lines += ["bgb_assets_tests/", *branch(REPOSITORY / "bgb_assets_tests", 1, whole=False)]
    return "```\n" + "\n".join(lines) + "\n```\n"


def branch(folder: Path, depth: int, *, whole: bool) -> Iterator[str]:
    """Yield the lines below a folder: its modules first, then its packages; of the tests only the top."""
    indent = "  " * depth
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield f"{indent + path.name:<34}{first_sentence(path)}"
    for package in sorted(path.parent for path in folder.glob("*/__init__.py")):
        said = first_sentence(package / "__init__.py") if whole else TEST_FOLDERS.get(package.name)
        yield f"{indent + package.name + '/':<34}{said or f'Tests of bgb_assets/{package.name}/, file by file'}"
        if whole:
            yield from branch(package, depth + 1, whole=True)


def first_sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, without its period."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[A-Za-z0-9`)])\.(?: |$)", text)[0]


if __name__ == "__main__":
    main()
