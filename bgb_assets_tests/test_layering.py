"""Imports go one way, the command line starts at once, and files stay small enough to read.

The rules are read from the sources, so that a module that nobody imports yet is held to them too; what a start
really loads is asked in a fresh process.
"""

import ast
import graphlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bgb_assets.modalities.registry import NAMES
from bgb_assets_tests.fixtures import REPOSITORY

PACKAGE = REPOSITORY / "bgb_assets"
MAY_IMPORT = {
    "runtime": {"runtime"},
    "storage": {"storage", "runtime"},
    "loading": {"loading", "storage", "runtime"},
    "training": {"training", "loading", "storage", "runtime"},
    "modalities": {"modalities", "training", "loading", "storage", "runtime"},
    "engine": {"engine", "chain", "modalities", "storage", "runtime"},
    "chain": {"engine", "modalities", "storage", "runtime"},
    "orchestration": {"orchestration", "definitions", "chain", "engine", "modalities", "storage", "runtime"},
    "definitions": {"orchestration", "modalities", "runtime"},
    "commands": {"commands", "orchestration", "chain", "engine", "modalities", "storage", "runtime"},
    "verbs": {"verbs", "commands", "runtime"},
    "cli": {"verbs", "commands", "runtime"},
}
"""Part of the package -> the parts of it that it may import."""
IN_FUNCTIONS_ONLY = {"commands": {"orchestration"}, "verbs": {"commands", "runtime"}, "cli": {"commands", "runtime"}}
MODALITY_STORAGE = {
    "audits",
    "digests",
    "tables",
    "table_reader",
    "columns",
    "compaction",
    "manifest",
    "shards",
    "splits",
    "groups",
    "pins",
    "nested_splits",
    "split_files",
    "found_groups",
}
"""What a modality may use of the storage: pure machinery, no store."""
MODALITIES = [f"bgb_assets.modalities.{name}" for name in NAMES]
CONTRACTS = {f"bgb_assets.modalities.{name}" for name in ("contract", "sources", "one_upload", "training_stage")}
HEAVY = (
    *("torch", "lightning", "librosa", "nibabel", "mne", "edfio"),
    *("dagster", "pyarrow", "pandas", "numba", "scipy"),
)
MAX_LINES = 400
HELP_LIMIT_S = 0.3


def modules() -> dict[str, Path]:
    """Return every module of the package, by name."""
    return {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Return the first name below the package: `storage` of `bgb_assets.storage.keys`."""
    return module.split(".")[1] if "." in module else ""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imported(tree: ast.AST) -> set[str]:
    """Return what is imported anywhere below a node, as written."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def at_import(tree: ast.Module) -> set[str]:
    """Return what is imported when the module is: not inside functions, not for type checkers only."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= imported(node)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def own(names: set[str]) -> set[str]:
    """Return the modules of this package among imported names."""
    known = modules()
    held = {name if name in known else name.rpartition(".")[0] for name in names if name.startswith("bgb_assets")}
    assert held <= set(known), f"no such modules: {held - set(known)}"
    return held


@pytest.mark.parametrize("module", modules())
def test_imports_go_one_way(module: str) -> None:
    part = part_of(module)
    uses = {part_of(name) for name in own(imported(parsed(modules()[module])))} - {""}
    assert uses <= MAY_IMPORT.get(part, set()), f"{module} imports {sorted(uses - MAY_IMPORT.get(part, set()))}"


def test_the_rules_name_every_part_of_the_package() -> None:
    assert {part_of(name) for name in modules()} - {""} == set(MAY_IMPORT)


def test_dagster_is_imported_by_orchestration_and_definitions_alone() -> None:
    users = {part_of(name) for name, path in modules().items() if _uses(path, "dagster")}
    assert users <= {"orchestration", "definitions"}


@pytest.mark.parametrize("part", IN_FUNCTIONS_ONLY)
def test_what_is_slow_to_import_is_imported_inside_the_verbs(part: str) -> None:
    for name, path in modules().items():
        if part_of(name) == part:
            early = {part_of(used) for used in own(at_import(parsed(path)))}
            assert not early & IN_FUNCTIONS_ONLY[part], f"{name} imports {early} when it is imported"


def test_a_modality_knows_no_other_modality_and_no_store() -> None:
    for name, path in modules().items():
        if part_of(name) != "modalities" or name.count(".") < 3:
            continue
        here = ".".join(name.split(".")[:3])
        for used in own(imported(parsed(path))):
            allowed = used.startswith(here) or used in CONTRACTS
            assert part_of(used) != "modalities" or allowed, f"{name} imports {used}"
            assert part_of(used) != "storage" or used.split(".")[2] in MODALITY_STORAGE, f"{name} imports {used}"


def test_no_two_modules_import_each_other() -> None:
    graph = {name: own(at_import(parsed(path))) - {name} for name, path in modules().items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle
    assert set(order) == set(modules())


@pytest.mark.parametrize("module", [*MODALITIES, "bgb_assets.modalities.contract", "bgb_assets.modalities.registry"])
def test_describing_a_modality_imports_nothing_heavy(module: str) -> None:
    assert not loaded(f"import {module}") & set(HEAVY)


def test_help_imports_nothing_heavy() -> None:
    assert not loaded("import bgb_assets.cli as c; c.app(['--help'], standalone_mode=False)") & set(HEAVY)


def test_the_code_location_imports_no_torch(tmp_path: Path) -> None:
    heavy = {"torch", "librosa", "nibabel", "mne", "edfio", "scipy"}
    assert not loaded("import bgb_assets.definitions", BGB_DATA_ROOT=str(tmp_path)) & heavy


@pytest.mark.parametrize("module", ["bgb_assets.training.__main__", *(f"{name}.model" for name in MODALITIES)])
def test_training_runs_where_there_is_no_dagster_and_no_signal_library(module: str) -> None:
    # Hidden, not only looked for: a library of the trainer imports librosa where it finds it.
    absent = ("dagster", "librosa", "nibabel", "soundfile", "mne", "edfio", "pandas", "numba")
    hide = f"from bgb_assets_tests.training.absent_packages import make_absent; make_absent(*{absent})"
    assert not loaded(f"{hide}\nimport {module}") & set(absent)


def test_help_is_there_at_once() -> None:
    bare_s, help_s = (
        statistics.median(seconds([sys.executable, *arguments]) for _ in range(5))
        for arguments in (["-c", "pass"], ["-m", "bgb_assets.cli", "--help"])
    )
    assert help_s - bare_s < HELP_LIMIT_S


def loaded(code: str, **environment: str) -> set[str]:
    """Return the top-level modules that a fresh process has after running some code."""
    script = f"{code}\nimport json, sys; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def seconds(command: list[str]) -> float:
    """Return the CPU seconds of a command: wall seconds would measure what else this machine does."""
    before = os.times()
    started_s = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, cwd=REPOSITORY, check=True)
    wall_s = time.perf_counter() - started_s
    after = os.times()
    used_s = after.children_user + after.children_system - before.children_user - before.children_system
    return min(wall_s, used_s)


@pytest.mark.parametrize("module", modules())
def test_modules_and_public_names_have_docstrings(module: str) -> None:
    tree = parsed(modules()[module])
    assert ast.get_docstring(tree), f"{module} has no docstring"
    bare = [node.name for node in public(tree) if not ast.get_docstring(node)]
    assert not bare, f"{module}: no docstring: {bare}"


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Yield public functions and classes, and the public methods of those classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            inner = node.body if isinstance(node, ast.ClassDef) else []
            yield from (item for item in inner if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"))


@pytest.mark.parametrize("module", modules())
def test_files_can_be_read_in_one_sitting(module: str) -> None:
    lines = len(modules()[module].read_text("utf-8").splitlines())
    assert lines <= MAX_LINES, f"{module} has {lines} lines"


def _uses(path: Path, package: str) -> bool:
    return any(name.split(".")[0] == package for name in imported(parsed(path)))
