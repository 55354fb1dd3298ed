from collections import Counter

import pytest

from bgb_assets.modalities.mri.lesions.bins import VOLUME_EDGES_MM3, checked_edges, volume_bin
from bgb_assets.modalities.mri.lesions.counting import count_lesion
from bgb_assets.modalities.mri.scans.volumes import open_voxels
from bgb_assets.runtime.errors import ConfigError
from bgb_assets_tests.modalities.mri.cached_scans import strokes


@pytest.mark.parametrize(
    ("volume_mm3", "expected"),
    [(0, 0), (0.1, 1), (33_619, 1), (33_619.1, 2), (67_891, 2), (67_892, 3), (128_314, 3), (128_315, 4), (1e7, 4)],
)
def test_edges_belong_to_the_bin_below(volume_mm3, expected):
    assert volume_bin(volume_mm3) == expected


def test_sixty_strokes_fill_four_bins_alike():
    # Voxels of 1 mm: counts are volumes.
    counts = [count_lesion(open_voxels(path).voxels) for path in strokes()]
    assert sum(counts) == 5_578_553
    assert (min(counts), max(counts)) == (5_376, 356_209)
    assert Counter(volume_bin(count) for count in counts) == {1: 15, 2: 15, 3: 15, 4: 15}


@pytest.mark.parametrize("wrong", [(), (0.0,), (2.0, 1.0), (1.0, 1.0), (1.0, float("inf")), (-1.0, 2.0)])
def test_edges_must_rise(wrong):
    with pytest.raises(ConfigError, match="rising positive numbers"):
        checked_edges(wrong)


def test_any_number_of_edges_makes_one_bin_more():
    edges = checked_edges((10.0,))
    assert [volume_bin(volume, edges) for volume in (0, 10, 11)] == [0, 1, 2]
    assert checked_edges(VOLUME_EDGES_MM3) == VOLUME_EDGES_MM3
