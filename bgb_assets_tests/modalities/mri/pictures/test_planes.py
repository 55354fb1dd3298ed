"""Three planes before and after: cut at one place, each named."""

import numpy as np

from bgb_assets.modalities.mri.pictures.head import Head
from bgb_assets.modalities.mri.pictures.planes import planes
from bgb_assets_tests.modalities.mri.pictures.figure_parts import texts


def head_of(spacing_mm: float) -> Head:
    counts = np.round(np.array([60, 70, 50]) / spacing_mm).astype(int)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    places = np.moveaxis(np.indices(counts), 0, -1) * spacing_mm
    image = (np.linalg.norm(places - (30, 35, 25), axis=-1) < 22).astype(np.float32)
    return Head(image, affine, np.linalg.norm(places - (40, 30, 20), axis=-1) < 5)


def test_all_rows_are_cut_at_the_place_of_the_last_ones_lesion():
    after = head_of(1.0)
    before = Head(head_of(2.0).image, head_of(2.0).affine)
    figure = planes([("as delivered", before), ("conformed", after)], "a scan")
    assert len(figure.axes) == 6
    said = [text for text in texts(figure) if text[:2] in ("x ", "y ", "z ")]
    assert said == [f"{axis} +{place}.0 mm" for axis, place in (("z", 20), ("y", 30), ("x", 40))] * 2
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["as delivered, axial", "coronal", "sagittal", "conformed, axial", "coronal", "sagittal"]


def test_a_head_without_a_lesion_is_cut_in_its_middle():
    head = head_of(1.0)
    figure = planes([("conformed", Head(head.image, head.affine))], "a scan")
    assert len(figure.axes) == 3
    assert {"z +25.0 mm", "y +35.0 mm", "x +30.0 mm"} <= {text.replace(".5", ".0") for text in texts(figure)}
