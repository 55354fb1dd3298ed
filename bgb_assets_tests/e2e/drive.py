"""A driver of a whole chain, to be run as a process of its own and killed: ingest, walk, manifest, tokens, model.

    python -m bgb_assets_tests.e2e.drive package.module:MODALITY DATA_ROOT [--workers N] [--hold KIND:N]

Says `ready` when all is imported, begins when it reads a line, and says `done` at the end. With `--hold publish:N` it
stops for good at the Nth commit, after the record is written and before the rename, and says `held`; with
`--hold call:N` after the Nth call of a stage function, before anything of it is committed; with `--hold step:N` after
the Nth step of the optimiser, in mid-training. Holding works without workers only: they are processes of their own.
"""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bgb_assets.chain import Chain
from bgb_assets.engine import fan_in, walk
from bgb_assets.engine.ingest import Ingest
from bgb_assets.modalities.contract import FAN_IN_STAGES, PER_UPLOAD_STAGES
from bgb_assets.runtime.executor import Bounds, Executor, InProcessExecutor
from bgb_assets.runtime.executor_local import LocalProcessExecutor
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.backend import LocalBackend


def main() -> None:
    """Drive the chain as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("modality")
    parser.add_argument("root", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--hold", default="")
    arguments = parser.parse_args()
    if arguments.hold:
        hold(*arguments.hold.split(":"))
    executor: Executor = InProcessExecutor()
    if arguments.workers:
        executor = LocalProcessExecutor(Bounds(max_workers=arguments.workers))
    chain = Chain(resolve(arguments.modality), load_settings({"BGB_DATA_ROOT": str(arguments.root)}), executor)
    print("ready", flush=True)
    sys.stdin.readline()
    Ingest(chain).wait_and_apply()
    for _ in chain.run(chain.uploads.keys(), PER_UPLOAD_STAGES):
        pass
    executor.close()
    for stage in FAN_IN_STAGES:
        fan_in.FanInRun(chain, stage).run()
    print("done", flush=True)


def hold(kind: str, number: str) -> None:
    """Stop for good at the given commit or call, counted from 0."""
    left = [int(number)]

    def counted() -> None:
        if left[0] == 0:
            print("held", flush=True)
            while True:
                signal.pause()
        left[0] -= 1

    if kind == "publish":
        setattr(LocalBackend, "publish", _before(LocalBackend.publish, counted))  # noqa: B010 - mypy forbids assigning it
    elif kind == "step":
        from torch.optim import AdamW

        setattr(AdamW, "step", _after(AdamW.step, counted))  # noqa: B010
    else:
        setattr(walk, "call", _after(walk.call, counted))  # noqa: B010
        setattr(fan_in, "call", walk.call)  # noqa: B010


def _before(function: Callable[..., Any], hook: Callable[[], None]) -> Callable[..., Any]:
    def hooked(*arguments: Any, **named: Any) -> Any:
        hook()
        return function(*arguments, **named)

    return hooked


def _after(function: Callable[..., Any], hook: Callable[[], None]) -> Callable[..., Any]:
    def hooked(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        hook()
        return result

    return hooked


if __name__ == "__main__":
    main()
