"""Corpora of made-up recordings with the features of their real stage: where tests and benchmarks of training start.

Belongs here: from `synth` to an index of tokens, without files of recordings, which the tests of raw and cache read.
"""

from collections.abc import Sequence
from pathlib import Path

from bgb_assets.modalities.eeg import features, synth
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.synthetic.plan import SEIZURE, SynthOptions
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus
from bgb_assets_tests.modalities.eeg.stored_recordings import write_stored


def add_made(corpus: Corpus, patient: int, minutes: float, seed: int, split: str) -> None:
    """Add recording 0 of a made-up patient."""
    key, seconds = f"p{patient:03d}_0", round(minutes * 60)
    signal, episodes = synth.make_signal(seed, patient, 0, seconds, SynthOptions())
    seizures = [(one.onset_s, one.offset_s) for one in episodes if one.kind == SEIZURE]
    corpus.add(key, [seconds * RATE_HZ], seizures, split=split, written=False)
    stored = write_stored(corpus.root / "made" / key, signal.T, RATE_HZ)
    features.run({"cache": stored}, FeatureParams(), corpus.members[key].entries["features"].directory)


def made_corpus(root: Path, splits: Sequence[str], minutes: float, seed: int = 7) -> tuple[Corpus, Path]:
    """Return a corpus of one recording for each named split, in order, and its tokens."""
    corpus = Corpus(root)
    for patient, split in enumerate(splits):
        add_made(corpus, patient, minutes, seed, split)
    return corpus, corpus.tokens()[0]
