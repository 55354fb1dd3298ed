import numpy as np
import pytest
import torch

from bgb_assets.modalities.beatmap.generation.pen import Paper, Pen, Sampling, draw, likeliest, unsteered
from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import Shape
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.grammar import Grammar, Rules
from bgb_assets.modalities.beatmap.sequences.tokenizer import header
from bgb_assets.runtime.errors import BadInput

HEAD = header("Hard", "Standard", 4.0, 120.0, v.any_of(v.QUAL))


@pytest.fixture(scope="module")
def paper():
    torch.manual_seed(0)
    network = Network(Shape(width=32, heads=1, hidden=64, encoder_blocks=1, decoder_blocks=1, kernel=0)).eval()
    with torch.inference_mode():
        return Paper(network, network.remember(network.encode(torch.rand(1, 256, 81))), Sampling(), 64)


def logits_of(paper, tokens, ticks):
    with torch.inference_mode():
        return paper.network.decode(torch.tensor([tokens]), torch.tensor([ticks]), paper.memory)[0, -1].numpy()


def test_guidance_goes_on_from_the_open_header_beyond_the_one_asked_for(paper):
    context = [v.BAR, v.POS.start + 48, v.NOTE.start + 130]
    guided = Paper(paper.network, paper.memory, Sampling(guidance=3.0), 64)
    with torch.inference_mode():
        pen = Pen(guided, Grammar(Rules(4)), np.random.default_rng(0), None)
        pen.begin(HEAD, context)
        written = [*context, v.BAR]
        ticks = [0] * 7 + [48, 48, 192]
        for _ in range(12):
            wished, open_ = (logits_of(paper, [*head, *written], ticks) for head in (HEAD, unsteered(HEAD)))
            assert np.allclose(pen._logits, open_ + 3.0 * (wished - open_), atol=1e-4)
            written.append(pen.choose())
            bar = sum(token == v.BAR for token in written) - 1
            place = written[-1] - v.POS.start if v.POS.holds(written[-1]) else 0 if written[-1] == v.BAR else None
            ticks.append(ticks[-1] if place is None else bar * 192 + place)


def test_an_open_header_keeps_what_is_no_wish():
    opened = unsteered(HEAD)
    assert opened[1] == v.any_of(v.DIFF)
    assert opened[3] == v.any_of(v.NPS)
    assert [opened[0], opened[2], opened[4], opened[5]] == [HEAD[0], HEAD[2], HEAD[4], HEAD[5]]


def test_without_room_every_bar_is_still_ended(paper):
    pen = Pen(Paper(paper.network, paper.memory, Sampling(), 7), Grammar(Rules(4)), np.random.default_rng(0), None)
    with torch.inference_mode():
        pen.begin(HEAD, [])
        written = [pen.choose() for _ in range(4)]
    assert pen.grammar.done
    assert written == [v.BAR, v.BAR, v.BAR, v.EOS]


def test_the_likeliest_places_make_up_their_share_of_what_is_expected():
    chances = np.array([0.01, 0.5, 0.02, 0.4, 0.9])
    assert likeliest(chances, 0.95).tolist() == [0.0, 0.5, 0.0, 0.4, 0.9]
    assert likeliest(chances, 0.6).tolist() == [0.0, 0.5, 0.0, 0.0, 0.9]
    assert likeliest(chances, 1.0).tolist() == chances.tolist()


def test_a_draw_takes_allowed_likely_tokens():
    random = np.random.default_rng(0)
    logits = np.full(v.SIZE, -np.inf)
    logits[[10, 20, 30]] = [2.0, 1.0, -5.0]
    drawn = [draw(logits, 0.95, random) for _ in range(2_000)]
    assert set(drawn) == {10, 20}
    assert drawn.count(10) / 2_000 == pytest.approx(1 / (1 + np.exp(-1)), abs=0.04)
    assert draw(logits, 0.0, random) == 10
    assert {draw(logits / 10.0, 1.0, random) for _ in range(500)} == {10, 20, 30}
    logits[[10, 20]] = -np.inf
    assert draw(logits, 0.95, random) == 30


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", -0.1), ("top_p", 0.0), ("top_p", 1.1), ("guidance", -1.0), ("guidance", 21.0)]
)
def test_numbers_out_of_range_are_refused(name, value):
    with pytest.raises(BadInput, match=f"{name} must be .*, got {value}; correct --{name.replace('_', '-')}"):
        Sampling(**{name: value})
