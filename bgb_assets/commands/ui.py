"""`bgb ui`: the web UI and the daemon on the project's own instance.

Belongs here: starting `dagster dev` with the right home. Does not belong here: what the UI shows.
"""

import os
import subprocess
import sys

import typer

from bgb_assets.commands.context import known_settings
from bgb_assets.runtime.settings import WORKSPACE_NAME


def ui(host: str, port: int) -> None:
    """Run `dagster dev` until it is interrupted; plain `dagster dev` with DAGSTER_HOME set is the same."""
    from bgb_assets.orchestration.home import prepare_home

    settings = known_settings()
    home = prepare_home(settings)
    workspace = settings.data_root.parent / WORKSPACE_NAME
    target = ["-w", str(workspace)] if workspace.is_file() else ["-m", "bgb_assets.definitions"]
    typer.echo(f"web UI on http://{host}:{port}, instance {home}, data {settings.data_root}; Ctrl-C ends it")
    command = [sys.executable, "-m", "dagster", "dev", *target, "--host", host, "--port", str(port)]
    environment = {**os.environ, "BGB_DATA_ROOT": str(settings.data_root)}
    cwd = settings.data_root.parent if workspace.is_file() else None
    process = subprocess.Popen(command, env=environment, cwd=cwd)
    try:
        sys.exit(process.wait())
    except KeyboardInterrupt:
        # The terminal has sent the interrupt to the child too: wait for its own shutdown.
        sys.exit(process.wait())
