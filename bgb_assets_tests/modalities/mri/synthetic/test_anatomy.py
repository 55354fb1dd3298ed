"""A made-up head: tissues where they belong, a lesion of the size asked for, inside the brain."""

import numpy as np
import pytest

from bgb_assets.modalities.mri.synthetic.anatomy import (
    BRAIN,
    FLUID,
    SCALP,
    SKULL,
    WHITE,
    Waves,
    draw_person,
    intensity,
    lesion_share,
)
from bgb_assets.modalities.mri.synthetic.forms import Form, grid_of, points_of


def drawn(seed, radius_mm=20.0):
    return draw_person(np.random.default_rng(seed), radius_mm)


@pytest.mark.parametrize("seed", range(6))
def test_tissues_lie_in_shells(seed):
    person = drawn(seed)
    away = -np.sign(person.lesion_mm[0])
    rx = person.radii_mm[0] * away
    places = {share: intensity(person, np.array([share * rx, 0.0, 0.0])) for share in (0.45, 0.91, 0.97, 1.02)}
    assert places[0.45] == pytest.approx(WHITE, rel=0.2)
    assert places[0.91] == pytest.approx(SKULL, rel=0.3)
    assert places[0.97] == pytest.approx(SCALP, rel=0.3)
    assert places[1.02] == 0.0
    ventricle = np.array([12.0 * away * person.radii_mm[0] / 75.0, 0.0, 6.0])
    if lesion_share(person, ventricle) == 0:
        assert intensity(person, ventricle) == pytest.approx(FLUID, rel=0.1)


@pytest.mark.parametrize("radius_mm", [15.0, 34.0])
def test_a_lesion_has_about_its_volume_and_stays_in_the_brain(radius_mm):
    shape, affine = grid_of(Form(spacing_mm=(2.5, 2.5, 2.5)))
    points = points_of(shape, affine)
    for seed in range(4):
        person = drawn(seed, radius_mm)
        lesion = lesion_share(person, points) >= 0.5
        volume_mm3 = lesion.sum() * 2.5**3
        assert 0.6 < volume_mm3 / (4 / 3 * np.pi * radius_mm**3) < 1.6
        depth = np.linalg.norm(points[lesion] / person.radii_mm, axis=-1)
        assert depth.max() < BRAIN
        assert len(set(np.sign(points[lesion].mean(axis=0)[:1]))) == 1


def test_waves_are_smooth_and_of_one_size():
    waves = Waves(np.eye(3) * 2 * np.pi / 20.0, np.zeros(3))
    line = np.stack([np.linspace(0, 20, 400), np.zeros(400), np.zeros(400)], axis=-1)
    found = waves.at(line)
    assert found[0] == pytest.approx(found[-1], abs=1e-9)
    assert np.abs(np.diff(found)).max() < 0.02
