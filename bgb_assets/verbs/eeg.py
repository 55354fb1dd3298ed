"""Verbs about EEG recordings and their seizures.

Belongs here: arguments and their help. Does not belong here: what a verb does (`bgb_assets.commands`, imported inside
each verb).
"""

from pathlib import Path
from typing import Annotated

import typer

from bgb_assets.verbs import groups

app = typer.Typer()


@groups.demo.command("eeg")
def demo_eeg(
    patients: Annotated[
        int, typer.Option(help="Made-up patients, dealt to training, tuning and scoring; 4 or more.")
    ] = 16,
    minutes: Annotated[float, typer.Option(help="Length of each recording.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Same seed, same recordings.")] = 7,
    variant: Annotated[str | None, typer.Option(help="Model variant; the default one where left out.")] = None,
) -> None:
    """Make recordings with seizures, run the whole chain on them, train a detector, and score it on unseen patients."""
    from bgb_assets.commands import eeg_demo

    eeg_demo.demo(patients, minutes, seed, variant)


@groups.score.command("eeg")
def score_eeg(
    reference: Annotated[Path, typer.Option("--ref", help="Folder with what is true: .csv_bi or _events.tsv files.")],
    hypothesis: Annotated[Path, typer.Option("--hyp", help="Folder with what a detector wrote, named alike.")],
    missing: Annotated[
        str, typer.Option(help="A recording without a hypothesis: error, or empty, that is 'no event'.")
    ] = "error",
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of patients for the intervals.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Same seed, same intervals.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Score seizure annotations against others by SzCORE's and NEDC's rules, with intervals over patients."""
    from bgb_assets.commands import eeg_score

    eeg_score.score(reference, hypothesis, missing=missing, resamples=resamples, seed=seed, as_json=json)


@groups.inspect.command("eeg")
def inspect_eeg(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="Recordings, or their labels alone; or one file.")],
    variant: Annotated[
        str | None, typer.Option(help="Model variant whose draw is told; the default one where left out.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Say what a folder would become: windows, class ratio, bytes, what would be refused; opens no signal."""
    from bgb_assets.commands import eeg_inspect

    eeg_inspect.inspect(path, variant, as_json=json)


@groups.export.command("eeg")
def export_eeg(
    output: Annotated[Path, typer.Argument(help="The JSON file to write.")],
    split: Annotated[
        str | None, typer.Option(help="train, val or test: only its windows; those of all three where left out.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Write the manifest as three lists of files and window numbers, as trainers of per-window archives read it."""
    from bgb_assets.commands import eeg_export

    eeg_export.export(output, split, as_json=json)


@app.command()
def detect(
    recording: Annotated[
        Path | None, typer.Argument(metavar="REC", help="A recording: EDF, BDF, or what MNE reads.", show_default=False)
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model directory; the newest trained one where left out.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for csv_bi, BIDS events, EDF+, JSON, probabilities.")
    ] = None,
    like_stream: Annotated[
        bool, typer.Option("--like-stream", help="Find what a live stream would have found: nothing looks far ahead.")
    ] = False,
    container_input: Annotated[str | None, typer.Option(envvar="INPUT", hidden=True, help="See below.")] = None,
    container_output: Annotated[str | None, typer.Option(envvar="OUTPUT", hidden=True, help="See below.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Find the seizures of an EEG recording with a trained model.

    Without REC and with the variables INPUT and OUTPUT it is a container of SzCORE: /data/$INPUT to /output/$OUTPUT.
    """
    from bgb_assets.commands import eeg_detect

    if recording is None and container_input and container_output:
        eeg_detect.detect_in_container(container_input, container_output, model)
    else:
        eeg_detect.detect(recording, model, output, like_stream=like_stream, as_json=json)


@app.command()
def stream(
    recording: Annotated[Path, typer.Argument(metavar="REC", help="A recording, played as if it came live.")],
    speed: Annotated[float, typer.Option(help="Seconds of recording per second; 0: as fast as can be.")] = 20.0,
    model: Annotated[Path | None, typer.Option(help="Model directory; the newest trained one where left out.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder to write what was found to.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts, at the end.")] = False,
) -> None:
    """Play a recording through the live detector: seizures are told four to six seconds after they are sure."""
    from bgb_assets.commands import eeg_detect

    eeg_detect.stream(recording, model, output, speed=speed, as_json=json)
