import hashlib
import shutil
import struct

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.scans.nifti import Reading
from bgb_assets.modalities.mri.scans.volumes import open_voxels, volume_digest
from bgb_assets.runtime import monitoring
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import (
    AFFINE,
    DESCRIP,
    ODD_FORMS,
    QFORM_CODE,
    SLOPE,
    SROW,
    nifti,
    of_nibabel,
    packed,
    patched,
    patient,
    put,
    voxels,
)


def digest_of(tmp_path, data, reading=Reading(), name="a.nii"):
    return volume_digest(put(tmp_path / name, data), reading)


@pytest.mark.parametrize("name", [*ODD_FORMS, "resampled_anat_moved.nii"])
def test_odd_forms_hold_the_voxels_that_nibabel_reads(name):
    volume, peer = open_voxels(of_nibabel(name)), nibabel.load(of_nibabel(name))
    np.testing.assert_array_equal(volume.voxels, peer.dataobj.get_unscaled())
    assert volume.voxels.dtype == peer.dataobj.dtype
    assert volume.voxels.flags.f_contiguous
    values = volume.voxels.astype("f8") * volume.header.slope + volume.header.inter
    np.testing.assert_allclose(values, peer.get_fdata(), rtol=1e-6)


def test_a_real_head_and_its_mask_hold_the_voxels_that_nibabel_reads():
    for path in (patient("07", "T2"), patient("07", "GOLD")):
        np.testing.assert_array_equal(open_voxels(path).voxels, nibabel.load(path).dataobj.get_unscaled())
    assert np.count_nonzero(open_voxels(patient("07", "GOLD")).voxels) == 1300


def test_the_digest_is_over_what_is_said_of_it(tmp_path):
    array = voxels()
    data = patched(nifti(array), SLOPE, "<2f", 0.5, 3.0)
    plain = b"nifti-volume/1\n<i2\n5,6,7\n" + struct.pack("<14d", 0.5, 3.0, *AFFINE[:3].ravel())
    assert digest_of(tmp_path, data) == hashlib.sha256(plain + array.tobytes(order="F")).hexdigest()


@pytest.mark.parametrize("dtype", ["i2", "u1", "f4", "f8"])
def test_every_form_of_one_volume_has_one_digest(tmp_path, dtype):
    array = voxels((40, 50, 60), f"<{dtype}")
    forms = [nifti(array), nifti(array, version=2), nifti(array.astype(f">{dtype}"), endianness=">")]
    forms += [nifti(array.astype(f">{dtype}"), endianness=">", version=2)]
    forms += [packed(nifti(array), 1), packed(nifti(array), 9), packed(forms[1]), packed(forms[2])]
    forms += [packed(nifti(array)[:10_000]) + packed(nifti(array)[10_000:])]
    forms += [patched(nifti(array), DESCRIP, "<8s", b"another!"), nifti(array, qform_code=1)]
    forms += [patched(nifti(array), SLOPE, "<2f", 0.0, 9.0), patched(nifti(array), SLOPE, "<2f", 1.0, 0.0)]
    assert len({digest_of(tmp_path, data) for data in forms}) == 1


def test_every_form_of_a_real_mask_has_one_digest(tmp_path):
    source = shared_data("mri") / "lesymap" / "Subject_091.nii.gz"
    image = nibabel.load(source)
    array, digest = np.asarray(image.dataobj.get_unscaled()), volume_digest(source)
    again = nibabel.Nifti2Image(array, image.affine, nibabel.Nifti2Header.from_header(image.header))
    forms = [packed(again.to_bytes(), 1), nifti(array.astype(">f4"), image.affine, endianness=">")]
    assert {digest_of(tmp_path, data) for data in forms} == {digest}
    shutil.copy(source, tmp_path / "renamed.nii")
    assert volume_digest(tmp_path / "renamed.nii") == digest


def test_all_that_makes_another_volume_makes_another_digest(tmp_path):
    array = voxels((40, 50, 60))
    changed = array.copy()
    changed[39, 49, 59] += 1
    data = nifti(array)
    forms = [data, nifti(changed), nifti(array.reshape(50, 40, 60)), nifti(array.astype("<i4"))]
    forms += [patched(data, SLOPE, "<2f", 2.0, 0.0), patched(data, SLOPE, "<2f", 1.0, 1.0)]
    for place in range(12):
        affine = AFFINE.copy()
        affine.flat[place] += 0.5
        forms.append(nifti(array, affine))
    forms.append(patched(data, SROW + 4, "<f", np.float32(1e-6)))
    assert len({digest_of(tmp_path, item) for item in forms}) == len(forms) == 19


def test_the_qform_is_of_no_account_beside_an_sform(tmp_path):
    data = nifti(qform_code=1)
    assert digest_of(tmp_path, data) == digest_of(tmp_path, patched(data, QFORM_CODE, "<h", 0))


def test_one_of_several_volumes_can_be_chosen(tmp_path):
    array = voxels((5, 6, 7, 4))
    path = put(tmp_path / "a.nii.gz", packed(nifti(array)))
    for chosen in range(4):
        volume = open_voxels(path, Reading(volume=chosen))
        np.testing.assert_array_equal(volume.voxels, array[..., chosen])
        assert volume_digest(path, Reading(volume=chosen)) == digest_of(tmp_path, nifti(array[..., chosen]))
    np.testing.assert_array_equal(open_voxels(path).voxels, array)
    with pytest.raises(BadScan, match="not_3d: volume 4 of 4"):
        open_voxels(path, Reading(volume=4))


def test_a_stated_orientation_makes_another_volume(tmp_path):
    data = nifti(sform_code=0)
    digests = {digest_of(tmp_path, data, Reading(orientation=name)) for name in ("RAS", "LAS", "RPS")}
    assert len(digests) == 3


@pytest.mark.parametrize("function", [open_voxels, volume_digest])
def test_a_file_that_is_not_whole_is_refused(tmp_path, function):
    short = put(tmp_path / "a.nii", nifti()[:-1])
    with pytest.raises(BadScan, match="data_short: 771 bytes, the header promises 772"):
        function(short)
    cut = put(tmp_path / "b.nii.gz", packed(nifti())[:-1])
    with pytest.raises(BadScan, match="gzip_truncated"):
        function(cut)
    data = bytearray(packed(nifti(voxels((40, 50, 60)))))
    data[len(data) // 2] ^= 4
    with pytest.raises(BadScan, match="gzip_crc"):
        function(put(tmp_path / "c.nii.gz", bytes(data)))


def test_a_digest_costs_one_inflation_and_little_memory(tmp_path):
    path = put(tmp_path / "a.nii.gz", packed(nifti(np.zeros((200, 200, 200), "<f4"))))
    import tracemalloc

    volume_digest(path)
    tracemalloc.start()
    with monitoring.counting() as counts:
        volume_digest(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts["inflations"] == 1
    assert peak < 8 << 20


DTYPES = ("u1", "i1", "i2", "u2", "i4", "f4", "f8", "i8")


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    dtype=st.sampled_from(DTYPES),
    form=st.tuples(st.sampled_from("<>"), st.sampled_from([1, 2]), st.sampled_from([None, 0, 1, 9])),
    seed=st.integers(0, 99),
    cut=st.integers(1, 10_000),
)
def test_the_form_of_a_volume_is_of_no_account_and_each_voxel_is(tmp_path_factory, shape, dtype, form, seed, cut):
    folder = tmp_path_factory.mktemp("form")
    endianness, version, level = form
    array = voxels(shape, f"<{dtype}", seed)
    data = nifti(array.astype(f"{endianness}{dtype}"), endianness=endianness, version=version)
    stored = data if level is None else packed(data[:cut], level) + packed(data[cut:], level)
    digest = digest_of(folder, nifti(array))
    assert digest_of(folder, stored) == digest
    np.testing.assert_array_equal(open_voxels(folder / "a.nii").voxels, array)
    array.flat[seed % array.size] += 1
    assert digest_of(folder, nifti(array)) != digest


@given(place=st.integers(0, 100_000), changed=st.integers(1, 255), cut=st.booleans())
def test_no_damage_to_a_compressed_file_makes_another_volume(tmp_path_factory, place, changed, cut):
    folder = tmp_path_factory.mktemp("damage")
    data = bytearray(packed(nifti(voxels((20, 20, 20)))))
    digest = digest_of(folder, bytes(data))
    place %= len(data)
    data[place] ^= changed
    try:
        outcome = digest_of(folder, bytes(data[:place] if cut else data))
    except BadScan as error:
        outcome = error.code
    cuts = {"gzip_truncated", "empty_file", "not_nifti"}
    assert outcome in (cuts if cut else {*cuts, digest, "gzip_crc", "too_large"})
