"""An experiment: one model variant trained many times, with other folds, restarts and seeds.

Every run is an entry of stage model: its directory is its identity, so that one of another learning rate, width, seed,
split or data is never taken for it, and a run that was interrupted goes on from its last checkpoint. Its head is called
`model/<variant>@<run>`.

Belongs here: conducting runs, finding those that were made. Does not belong here: which runs an experiment has and
their params (each modality's `experiment`), what they are worth (its measures).
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bgb_assets.chain import Chain
from bgb_assets.engine.fan_in import FanInRun, head_name
from bgb_assets.modalities.contract import FAN_IN_STAGES
from bgb_assets.runtime.deadline import TimeIsUp, stopped_after
from bgb_assets.runtime.errors import TrainingError, UsageError
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.identity import differences
from bgb_assets.storage.records import Record

MODEL = FAN_IN_STAGES[-1]
RUN_MARK = "@"
"""Stands between the variant and the run in a head's name."""

State = Literal["trained", "current", "stopped", "failed", "waiting"]


@dataclass(frozen=True)
class RunState:
    """What became of one run.

    Attributes:
        state: `trained` now; `current`: it was there; `stopped` by the limit, to go on next time; `failed`; `waiting`:
            the limit came before it.
        directory: Of the trained model, relative to the store's root; empty where there is none.
        problem: Why it failed.
    """

    run: str
    state: State
    identity: str
    directory: str = ""
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class RunMade:
    """A run that was trained once.

    Attributes:
        run: Its name among those of the variant; empty for the variant's own model.
        record: The entry.
        stale: What makes it another run than the one asked for now, such as `params.seed 42 -> 43`; empty if nothing.
    """

    run: str
    record: Record
    stale: tuple[str, ...]


def conduct(chain: Chain, variant: str, runs: Mapping[str, Any], *, limit_s: float = math.inf) -> Iterator[RunState]:
    """Bring the runs of a variant up to date one after the other, yielding what became of each.

    A run that cannot be trained does not stop the others.

    Args:
        chain: The modality's chain, with its tokens up to date.
        variant: Name of the variant.
        runs: Name of the run -> its params.
        limit_s: After so many seconds the run in progress is stopped, to go on from its last checkpoint next time.

    Raises:
        ResourceError: The machine failed; runs that were trained stay.
    """
    ends = time.monotonic() + limit_s
    for name, params in runs.items():
        run = FanInRun(chain, MODEL, f"{variant}{RUN_MARK}{name}", params)
        try:
            yield _brought(run, name, ends)
        except TrainingError as error:
            yield RunState(name, "failed", run.identity().digest(), problem=str(error))


def runs_made(chain: Chain, variant: str, asked: Callable[[Mapping[str, Any]], Any]) -> list[RunMade]:
    """Return the runs of a variant that heads point to, each entry once, by name.

    Args:
        chain: The modality's chain.
        variant: Name of the variant.
        asked: Params of a run as its record holds them -> those that such a run is given now.

    Raises:
        UsageError: There is no such variant.
    """
    if variant not in chain.modality.variants:
        raise UsageError(
            f"{chain.modality.name}: no variant {variant!r}; there are {', '.join(chain.modality.variants)}"
        )
    found: dict[str, RunMade] = {}
    # Runs of an experiment before the variant's own model: where the two are one entry, it is called by the run.
    for head, held in sorted(heads_of(chain.store.layout, chain.modality.name).all().items(), reverse=True):
        own, _, run = head.partition(RUN_MARK)
        if own != head_name(MODEL, variant) or held.identity in found:
            continue
        record = chain.store.lookup(MODEL, chain.modality.name, held.identity)
        if record is not None and chain.store.is_whole(record):
            params = asked(record.parts_of_identity["params"])
            wanted = FanInRun(chain, MODEL, head.partition("/")[2], params).identity()
            found[held.identity] = RunMade(run, record, tuple(differences(record.parts_of_identity, wanted.as_json())))
    return sorted(found.values(), key=lambda one: one.run)


def _brought(run: FanInRun, name: str, ends: float) -> RunState:
    identity = run.identity().digest()
    left_s = ends - time.monotonic()
    if run.held() is None and left_s <= 0:
        return RunState(name, "waiting", identity)
    try:
        # A run that is there takes no time.
        with stopped_after(math.inf if run.held() else left_s):
            outcome = run.run()
    except TimeIsUp:
        return RunState(name, "stopped", identity)
    location = run.chain.store.layout.location(MODEL, run.chain.modality.name, identity)
    return RunState(name, "current" if outcome.outcome == "hit" else "trained", identity, location, outcome.seconds)
