import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.loading.order import Order, SampleIndex
from bgb_assets.modalities.eeg.windows.balance import BalancedDraw, NoSeizureError, Ratios, balanced_draw
from bgb_assets.modalities.eeg.windows.windows import FULL, NO_SEIZURE, PARTIAL
from bgb_assets.runtime.errors import TrainingError

REFERENCE = {
    (1, 0, 0): "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc",
    (3, 10, 10): "b2d4a7b16752958f5b78a510b876644edf3190882b90599176668d35adac6aaa",
    (7, 0, 5): "80b0ed09165073e87cbc017ca3352061e80554466f7c26772c80d35082c4b38e",
    (313, 55, 100_000): "55475d99a6f43e2da8d53a53866e240b26d088ebdf57b2f688e68681a4ee50cf",
    (13_095, 9_000, 280_000): "0a900ae7f291107e750ff3925ab674b1ad0c83e9e256dfc1b2968634b7de1b1c",
}


def blocks(partial: int, full: int, none: int) -> np.ndarray:
    return np.repeat(np.array([PARTIAL, FULL, NO_SEIZURE], np.int8), [partial, full, none])


def drawn(partial: int, full: int, none: int, **kinds: object) -> BalancedDraw:
    category = blocks(partial, full, none)
    return balanced_draw(category, np.ones(len(category), bool), **kinds)  # type: ignore[arg-type]


@pytest.mark.parametrize("draw", ["reference", "sweep"])
@pytest.mark.parametrize("counts", REFERENCE)
def test_reference_draw(counts: tuple[int, int, int], draw: str) -> None:
    ids = drawn(*counts, draw=draw).ids(0)
    assert ids.dtype == np.int64
    assert hashlib.sha256(ids.astype("<i8").tobytes()).hexdigest() == REFERENCE[counts]


def written_out(
    category: np.ndarray, chosen: np.ndarray, full_ratio: float, background_ratio: float, seed: int
) -> list:
    """Return the reference draw, step by step as it is described."""
    lists: dict[int, list[int]] = {PARTIAL: [], FULL: [], NO_SEIZURE: []}
    for number in range(len(category)):
        if chosen[number]:
            lists[int(category[number])].append(number)
    random = np.random.default_rng(seed)
    drawn = list(lists[PARTIAL])
    for kind, ratio in ((FULL, full_ratio), (NO_SEIZURE, background_ratio)):
        wanted = min(int(ratio * len(lists[PARTIAL])), len(lists[kind]))
        if wanted > 0:
            drawn += [lists[kind][place] for place in random.choice(len(lists[kind]), wanted, replace=False)]
    drawn = np.array(drawn)
    random.shuffle(drawn)
    return drawn.tolist()


@given(
    st.lists(st.tuples(st.sampled_from([NO_SEIZURE, PARTIAL, FULL]), st.booleans()), max_size=400),
    st.sampled_from([0.0, 0.3, 1.7]),
    st.sampled_from([0.0, 2.5, 100.0]),
    st.integers(0, 2**32),
)
def test_reference_draw_is_index_for_index_the_procedure_written_out(
    windows: list[tuple[int, bool]], full_ratio: float, background_ratio: float, seed: int
) -> None:
    windows = [*windows, (PARTIAL, True)]
    category = np.array([kind for kind, _ in windows], np.int8)
    chosen = np.array([taken for _, taken in windows])
    draw = balanced_draw(category, chosen, Ratios(full_ratio, background_ratio), seed, "reference")
    expected = written_out(category, chosen, full_ratio, background_ratio, seed)
    assert draw.ids(0).tolist() == draw.ids(4).tolist() == expected
    index = SampleIndex(np.flatnonzero(chosen), np.full(len(category), 15_360), np.ones(len(category)))
    order = Order(index, batch=1, seed=9, pool_batches=1, draw=draw)
    assert order.batches(2).rows.tolist() == expected, "training keeps the order"


def test_reference_draw_is_the_same_each_epoch_and_ignores_the_run() -> None:
    draw = drawn(313, 55, 10_000, draw="reference")
    index = SampleIndex(np.arange(10), np.ones(10_368, np.int64), np.ones(10_368))
    assert np.array_equal(draw.ids(0), draw.ids(7))
    assert np.array_equal(draw(index, 5, 3), draw.ids(3))


@given(
    st.integers(1, 30),
    st.integers(0, 40),
    st.integers(0, 200),
    st.floats(0, 3),
    st.floats(0, 5),
    st.integers(0, 2**32),
)
def test_sweep_sees_each_window_before_any_twice(
    partial: int, full: int, none: int, full_ratio: float, background_ratio: float, seed: int
) -> None:
    draw = drawn(partial, full, none, ratios=Ratios(full_ratio, background_ratio), seed=seed)
    assert np.array_equal(
        draw.ids(0), drawn(partial, full, none, ratios=draw.ratios, seed=seed, draw="reference").ids(0)
    )
    category = blocks(partial, full, none)
    seen: Counter[int] = Counter()
    for epoch in range(6):
        ids = draw.ids(epoch)
        assert len(set(ids.tolist())) == len(ids) == draw.counts["windows"]
        assert np.count_nonzero(category[ids] == PARTIAL) == partial
        assert (np.count_nonzero(category[ids] == FULL), np.count_nonzero(category[ids] == NO_SEIZURE)) == draw.drawn
        seen.update(ids.tolist())
        for kind, count in zip((FULL, NO_SEIZURE), draw.drawn, strict=True):
            often = [seen[one] for one in np.flatnonzero(category == kind).tolist()]
            assert not count or max(often) - min(often) <= 1
    assert np.array_equal(draw.ids(3), drawn(partial, full, none, ratios=draw.ratios, seed=seed).ids(3))


def test_only_the_chosen_split_is_drawn_from() -> None:
    category = blocks(10, 10, 100)
    chosen = np.arange(120) % 2 == 0
    draw = balanced_draw(category, chosen)
    for epoch in range(5):
        assert (draw.ids(epoch) % 2 == 0).all()


def test_full_windows_take_the_place_of_partial_ones() -> None:
    draw = drawn(0, 4, 100)
    assert draw.counts == {"windows": 14, "seizure": 4, "background": 10}
    assert set(range(4)) <= set(draw.ids(0).tolist())


@pytest.mark.parametrize("chosen", [True, False])
def test_no_seizure_stops(chosen: bool) -> None:
    category = blocks(0, 0, 50) if chosen else blocks(5, 5, 50)
    with pytest.raises(NoSeizureError, match="no window holds a seizure"):
        balanced_draw(category, np.full(len(category), chosen))
    assert issubclass(NoSeizureError, TrainingError)


def test_unknown_draw_and_negative_ratios_are_refused() -> None:
    with pytest.raises(TrainingError, match="'random'"):
        drawn(1, 1, 1, draw="random")
    with pytest.raises(TrainingError, match="0 or more"):
        Ratios(full=-0.1)


def test_order_of_a_run_follows_the_draw() -> None:
    draw = drawn(20, 9, 300)
    index = SampleIndex(np.arange(329), np.full(329, 15_360), np.ones(329))
    order = Order(index, batch=4, seed=1, draw=draw)
    assert sorted(order.batches(2).rows.tolist()) == sorted(draw.ids(2).tolist())
