"""The project's own Dagster instance: where it lies and what it needs to be fast.

Belongs here: finding DAGSTER_HOME, writing `dagster.yaml` into a home that lacks one. Does not belong here:
runs (`runs`).
"""

import os
from importlib import resources
from pathlib import Path

import dagster as dg

from bgb_assets.runtime.settings import Settings
from bgb_assets.storage.atomic import write_bytes

HOME_VARIABLE = "DAGSTER_HOME"
FILE_NAME = "dagster.yaml"


def default_yaml() -> bytes:
    """Return the `dagster.yaml` that the project ships."""
    return resources.files("bgb_assets.orchestration").joinpath(FILE_NAME).read_bytes()


def prepare_home(settings: Settings) -> Path:
    """Return the home (`DAGSTER_HOME`, else `<data root>/dagster_home`), with a `dagster.yaml` in it.

    The variable is set for this process and its children: they must all use one instance.
    """
    home = Path(os.environ.get(HOME_VARIABLE) or settings.data_root / "dagster_home").absolute()
    home.mkdir(parents=True, exist_ok=True)
    if not (home / FILE_NAME).exists():
        write_bytes(home / FILE_NAME, default_yaml())
    os.environ[HOME_VARIABLE] = str(home)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Return the instance of the home; a context manager."""
    prepare_home(settings)
    return dg.DagsterInstance.get()


def is_batched(instance: dg.DagsterInstance) -> bool:
    """Say whether events are written in batches; with a stock event log all is right, but slower."""
    from bgb_assets.orchestration.event_log import BatchedSqliteEventLogStorage

    return isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage)
