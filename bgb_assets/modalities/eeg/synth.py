"""Made-up recordings: EEG with seizures, and with much that only looks like one, and what is true of each.

Belongs here: whole uploads on disk, in a BIDS tree. Does not belong here: what happens when (`synthetic.plan`), the
signal (`synthetic.background`, `synthetic.episodes`), the files (`synthetic.edf_file`, `synthetic.label_files`).
Recording r of patient p of a seed is the same whatever the number of patients is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.eeg.synthetic.background import background, draw_patient, mains
from bgb_assets.modalities.eeg.synthetic.edf_file import write_edf
from bgb_assets.modalities.eeg.synthetic.episodes import add_episode
from bgb_assets.modalities.eeg.synthetic.label_files import labelled, write_labels
from bgb_assets.modalities.eeg.synthetic.plan import (
    MIN_MINUTES,
    SEIZURE,
    Episode,
    SynthOptions,
    draw_episodes,
    late_s,
    truth_of,
)
from bgb_assets.modalities.eeg.synthetic.waves import Signal
from bgb_assets.runtime.errors import UsageError

UPLOAD_MINUTES = 2.0
"""Length of the recordings of `synth`."""

KINDS: tuple[SynthOptions, ...] = (
    SynthOptions(),
    SynthOptions(rate_hz=250),
    SynthOptions(without=("Fz", "Pz")),
    SynthOptions(bipolar=True),
    SynthOptions(rate_hz=200, gap_s=20),
    SynthOptions(seizures=False),
    SynthOptions(rate_hz=400, mains_hz=50.0),
    SynthOptions(rate_hz=512),
)
"""How the recordings of `synth` are written, by turns."""

SAMPLES_SEED = 20
SAMPLES: tuple[SynthOptions, ...] = (
    SynthOptions(folders=("train",)),
    SynthOptions(rate_hz=200, bipolar=True, folders=("train",)),
    SynthOptions(rate_hz=200, without=("Fz", "Pz"), folders=("dev",)),
    SynthOptions(rate_hz=200, gap_s=20, folders=("eval",)),
)
"""How the recordings of `write_samples` are written."""


def synth(out: Path, n: int, seed: int) -> Mapping[str, Any]:
    """Write n uploads below `out`: one recording of two minutes of each of n patients, written as `KINDS` say by turns.

    Returns:
        `seed` and `recordings`, see `synthesise`.
    """
    held = [write_recording(out, patient, 0, UPLOAD_MINUTES, seed, KINDS[patient % len(KINDS)]) for patient in range(n)]
    return {"seed": seed, "recordings": held}


def synthesise(
    out: Path,
    patients: int,
    minutes: float,
    seed: int,
    options: SynthOptions | None = None,
    recordings: int = 1,
) -> Mapping[str, Any]:
    """Write recordings of made-up patients, all in the same way, below `out`.

    Args:
        out: Where the BIDS tree begins.
        patients: How many.
        minutes: Length of each recording without a gap, at least 1; whole seconds are written.
        seed: Equal seeds give equal bytes.
        options: How they are written.
        recordings: Of each patient.

    Returns:
        `seed`, and for each recording in `recordings`: `path` (the EDF file below `out`), `patient`, `rate_hz`,
        `seconds` (gap included), `gap_s` (onset and length, or None), and `episodes`: kind -> list of [onset, offset]
        in seconds since the start, those of kind `seizure` being what a detector should find.

    Raises:
        UsageError: Numbers below the least.
    """
    if patients < 0 or recordings < 1 or minutes < MIN_MINUTES:
        raise UsageError(
            f"synthetic recordings: got {patients} patients, {recordings} recordings, {minutes:g} minutes; "
            f"expected 0, 1 and {MIN_MINUTES:g} or more"
        )
    chosen = options or SynthOptions()
    held = [
        write_recording(out, patient, recording, minutes, seed, chosen)
        for patient in range(patients)
        for recording in range(recordings)
    ]
    return {"seed": seed, "recordings": held}


def write_samples(out: Path) -> Mapping[str, Any]:
    """Write the recordings that come with the project: one minute each, which is one window; see `synthesise`."""
    held = [write_recording(out, patient, 0, 1.0, SAMPLES_SEED, how) for patient, how in enumerate(SAMPLES)]
    return {"seed": SAMPLES_SEED, "recordings": held}


def write_recording(
    out: Path, patient: int, recording: int, minutes: float, seed: int, options: SynthOptions
) -> dict[str, Any]:
    """Write one recording with its label files and return what is true of it, see `synthesise`."""
    seconds = round(minutes * 60)
    name = f"s{seed}p{patient:03d}"
    folder = options.folders[patient % len(options.folders)] if options.folders else "."
    stem = out / folder / f"sub-{name}" / "eeg" / f"sub-{name}_task-synthetic_run-{recording:02d}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    signal, episodes = make_signal(seed, patient, recording, seconds, options)
    file = stem.with_name(f"{stem.name}_eeg.edf")
    write_edf(file, signal, name, options)
    seizures = [labelled(one, late_s(one, options, seconds), options) for one in episodes if one.kind == SEIZURE]
    write_labels(stem, seizures, seconds + options.gap_s)
    return {
        "path": file.relative_to(out).as_posix(),
        "patient": f"sub-{name}",
        "rate_hz": options.rate_hz,
        "seconds": seconds + options.gap_s,
        **truth_of(episodes, options, seconds),
    }


def make_signal(
    seed: int, patient: int, recording: int, seconds: int, options: SynthOptions
) -> tuple[Signal, tuple[Episode, ...]]:
    """Return the microvolts of one recording on all 19 electrodes, (19, samples), and what happens in it."""
    person = draw_patient(np.random.default_rng([seed, patient]))
    rng = np.random.default_rng([seed, patient, recording])
    samples = seconds * options.rate_hz
    episodes = draw_episodes(rng, seconds, options.seizures)
    signal = background(rng, person, samples, options.rate_hz)
    for episode in episodes:
        add_episode(rng, signal, episode, options.rate_hz)
    signal += mains(rng, samples, options.rate_hz, options.mains_hz)
    return signal, episodes
