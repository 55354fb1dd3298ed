"""`bgb demo eeg`: from made-up recordings to the scores of a detector on patients that it never heard.

Belongs here: the order of the steps, how the patients are dealt, and what is said. Does not belong here: the steps.
"""

import tempfile
from pathlib import Path

import typer

from bgb_assets.commands import eeg_score
from bgb_assets.commands.demo import GENERATED, learned, say_what_is_next
from bgb_assets.commands.report import report
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.atomic import write_json

NAME = "eeg"
FOLDERS = ("train", "train", "dev", "eval")
"""Where patients lie, by turns: half of them to learn from, a quarter to tune on, a quarter that is unseen."""

UNSEEN = FOLDERS[-1]
TRUTH_FILE = "truth.json"
"""Written last, so that a folder without it is made again."""

DRAWN_UPLOADS = 1
RESAMPLES = 2_000


def demo(patients: int, minutes: float, seed: int, variant: str | None) -> None:
    """Make recordings, materialize everything, train, find seizures in unseen recordings, score them, draw it all.

    Raises:
        UsageError: There are too few patients for all splits, or there is no such variant.
    """
    if patients < len(FOLDERS):
        raise UsageError(
            f"--patients takes {len(FOLDERS)} or more, one for each of {', '.join(FOLDERS)}; got {patients}"
        )
    folder = load_settings().data_root / GENERATED / NAME
    recordings = made_recordings(folder, patients, minutes, seed)
    model = learned(NAME, recordings, variant or modality(NAME).default_variant)
    found = folder / f"{model.name[:12]}_found"
    typer.echo(f"listening to the patients of {recordings / UNSEEN}, which training never opened")
    _listen(recordings / UNSEEN, model, found)
    eeg_score.score(recordings / UNSEEN, found, missing="error", resamples=RESAMPLES, seed=0, as_json=False)
    typer.echo(f"these are scores of made-up seizures; what was found: {found}")
    typer.echo("pictures:")
    report(NAME, None, folder / "report", shown=DRAWN_UPLOADS)
    typer.echo(f"model: {model}")
    say_what_is_next("recording", NAME)


def made_recordings(folder: Path, patients: int, minutes: float, seed: int) -> Path:
    """Return the folder of the made-up recordings; what is there already is not made again."""
    out = folder / f"recordings_{patients}x{minutes:g}_seed{seed}"
    if not (out / TRUTH_FILE).exists():
        # Only now: it takes a second to import.
        from bgb_assets.modalities.eeg.synth import synthesise
        from bgb_assets.modalities.eeg.synthetic.plan import SynthOptions

        typer.echo(f"making recordings of {patients} patients, {minutes:g} minutes each")
        write_json(out / TRUTH_FILE, synthesise(out, patients, minutes, seed, SynthOptions(folders=FOLDERS)))
    return out


def _listen(folder: Path, model: Path, out: Path) -> None:
    """Write what the model finds in each recording below a folder."""
    from bgb_assets.modalities.eeg.detection.detect import detect
    from bgb_assets.modalities.eeg.detection.export import write_all
    from bgb_assets.modalities.eeg.detection.trained import load_detector

    trained = load_detector(model)
    for recording in sorted(folder.rglob("*.edf")):
        with tempfile.TemporaryDirectory(prefix="bgb-demo-") as space:
            found = detect(recording, trained, Path(space))
        write_all(found, out)
        typer.echo(f"{found.name}: {len(found.events)} seizures")
