"""Measures of attributions against closed forms and brute force."""

import numpy as np
import pytest
from scipy import ndimage

from advtool.explain import measures


def test_sparsity_of_one_pixel_and_of_all():
    one, flat = np.zeros((1, 1, 8, 8), np.float32), np.full((1, 1, 8, 8), -3, np.float32)
    one[0, 0, 2, 5] = -1e-30
    assert measures.hoyer(one) == pytest.approx(1) and measures.hoyer(flat) == pytest.approx(0)
    assert measures.gini(one) == pytest.approx(1 - 1 / 64) and measures.gini(flat) == pytest.approx(0)


def test_gini_is_the_mean_difference_over_twice_the_mean():
    a = np.random.default_rng(0).normal(size=(3, 1, 5, 5))
    for row, found in zip(np.abs(a.reshape(3, -1)), measures.gini(a), strict=True):
        assert found == pytest.approx(np.abs(row[:, None] - row[None]).mean() / (2 * row.mean()))


def test_hoyer_of_k_equal_pixels():
    a = np.zeros((1, 3, 4, 4))
    a.ravel()[:12] = [1, -1] * 6
    assert measures.hoyer(a) == pytest.approx((48**0.5 - 12**0.5) / (48**0.5 - 1))


def test_total_variation_by_hand():
    stripes = np.tile([1.0, -1.0], (4, 2))[None, None]
    assert measures.total_variation(stripes) == pytest.approx(4 * 3 * 2 / 16)
    assert measures.total_variation(np.ones((1, 1, 4, 4))) == 0


def test_edges_of_each_image_alone():
    rng = np.random.default_rng(1)
    images, a = rng.random((4, 3, 9, 9)), rng.normal(size=(4, 3, 9, 9))
    for index, found in enumerate(measures.edge_alignment(a, images)):
        grey = images[index].mean(0)
        edges = np.hypot(ndimage.sobel(grey, 0, mode="nearest"), ndimage.sobel(grey, 1, mode="nearest"))
        assert found == pytest.approx(np.corrcoef(np.abs(a[index]).sum(0).ravel(), edges.ravel())[0, 1])
        assert measures.edge_alignment(edges[None, None], images[index : index + 1]) == pytest.approx(1)


def test_class_means_leave_the_image_out():
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], [12, 11, 3])
    images, a = rng.random((26, 1, 3, 3)), rng.normal(size=(26, 1, 3, 3))
    found = measures.class_mean_alignment(a, images, labels)
    assert np.isnan(found[23:]).all()
    flat = images.reshape(26, -1)
    own = flat[[i for i in range(12) if i != 4]].mean(0)
    way, row = flat[12:23].mean(0) - own, a[4].ravel()
    assert found[4] == pytest.approx(row @ way / np.linalg.norm(row) / np.linalg.norm(way))
    np.testing.assert_allclose(measures.class_mean_alignment(a, images, labels, -1), -found)


@pytest.mark.parametrize("labels", [np.zeros(20, int), np.arange(20)], ids=["one class", "one image a class"])
def test_class_means_that_there_are_none_of(labels):
    images = np.random.default_rng(3).random((20, 1, 3, 3))
    assert np.isnan(measures.class_mean_alignment(images, images, labels)).all()


def test_measures_do_not_depend_on_scale_and_have_no_value_for_nothing():
    rng = np.random.default_rng(4)
    images, a, labels = rng.random((30, 1, 6, 6)), rng.normal(size=(30, 1, 6, 6)), np.arange(30) % 2
    small, large = (measures.all_measures(a * scale, images, labels) for scale in (1e-25, 1e25))
    for name, values in measures.all_measures(a, images, labels).items():
        np.testing.assert_allclose(values, small[name], rtol=1e-9)
        np.testing.assert_allclose(values, large[name], rtol=1e-9)
    for name, values in measures.all_measures(0 * a, images, labels).items():
        assert np.isnan(values).all(), name


def test_one_pixel_has_no_measures():
    one = np.ones((2, 1, 1, 1))
    with np.errstate(all="raise"):
        found = measures.all_measures(one, one, np.zeros(2, int))
    assert np.isnan(found["hoyer"]).all() and np.isnan(found["edge_alignment"]).all()


def test_mean_and_standard_error():
    assert measures.mean_and_error(np.array([1.0, 2.0, 4.0, np.nan])) == {
        "mean": pytest.approx(7 / 3),
        "se": pytest.approx(np.std([1, 2, 4], ddof=1) / 3**0.5),
        "n": 3,
    }
    assert measures.mean_and_error(np.array([5.0, np.inf])) == {"mean": 5.0, "se": None, "n": 1}
    assert measures.mean_and_error(np.array([np.nan])) == {"mean": None, "se": None, "n": 0}
