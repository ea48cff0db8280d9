"""Calibration methods: each against its definition over the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.quantize import CALIBRATIONS, calibrate, quantize_integer
from mcu_quant.quantize.histogram import BINS, Histogram
from mcu_quant.quantize.moving_average import MovingAverage
from mcu_quant.quantize.schemes import LinearRounding, activation_scheme, quantize_linear_constants
from mcu_quant.quantize_options import QuantizeOptions
from tests.keras_models import calibration_data, float_graph, needs_models
from tests.quantize.test_calibration import GRAPH

RNG = np.random.default_rng(3)
RELU = np.maximum(RNG.normal(0.3, 1, 200_000), 0).astype(np.float32)
NORMAL = RNG.normal(-0.5, 2, 100_000).astype(np.float32)
OUTLIER = np.concatenate([NORMAL, [400.0]]).astype(np.float32)
RELU6 = np.minimum(np.maximum(RNG.normal(3, 3, 100_000), 0), 6).astype(np.float32)


def chosen(method: str, *batches: np.ndarray) -> tuple[float, float]:
    calibrator = CALIBRATIONS[method]()
    for values in batches:
        calibrator.observe("x", values.reshape(len(values), -1))
    return calibrator.ranges()["x"]


def histogram_of(*parts: np.ndarray) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part)
    return histogram


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    quant = activation_scheme(low, high)
    q = np.clip(np.rint(values / quant.scale[0]) + quant.zero_point[0], -128, 127)
    return float((((q - quant.zero_point[0]) * quant.scale[0] - values.astype(np.float64)) ** 2).mean())


@pytest.mark.parametrize("values", [RELU, NORMAL, OUTLIER, -RELU, NORMAL + 100, NORMAL * 1e-20])
def test_histograms_count_exactly(values: np.ndarray) -> None:
    histogram = histogram_of(values[:10], values[10:5000], values[5000:])
    edges = histogram.edges()
    assert histogram.width == 2.0 ** round(np.log2(histogram.width))
    assert len(histogram.counts) <= BINS
    assert edges[0] <= values[values != 0].min() and edges[-1] > values[values != 0].max()
    expected = np.bincount(np.searchsorted(edges, values[values != 0], side="right") - 1)
    assert np.array_equal(histogram.counts, expected)
    assert (histogram.zeros, histogram.total) == (np.count_nonzero(values == 0), values.size)
    assert (histogram.low, histogram.high) == (values.min(), values.max())


def test_one_sided_histograms_spend_no_bin_on_the_other_side() -> None:
    histogram = histogram_of(RELU)
    assert histogram.first == 0 and len(histogram.counts) > BINS / 2


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=30), st.randoms())
def test_histograms_do_not_depend_on_the_order(values: list[float], random: object) -> None:
    first = histogram_of(np.float32(values))
    random.shuffle(values)  # type: ignore[attr-defined]
    second = histogram_of(*np.float32(values)[:, None])
    assert (first.width, first.first, first.zeros) == (second.width, second.first, second.zeros)
    assert (first.at_low, first.at_high) == (second.at_low, second.at_high)
    assert np.array_equal(first.counts, second.counts)


@pytest.mark.parametrize("values", [RELU, NORMAL, OUTLIER, RELU6, -RELU])
@pytest.mark.parametrize("percent", [99.99, 99.0, 80.0])
def test_percentile_is_numpys(values: np.ndarray, percent: float) -> None:
    from mcu_quant.quantize.percentile import Percentile

    calibrator = Percentile(percent)
    calibrator.observe("x", values[None])
    low, high = calibrator.ranges()["x"]
    width = histogram_of(values).width
    for end, part in ((low, (100 - percent) / 2), (high, 100 - (100 - percent) / 2)):
        below, above = (np.percentile(values, part, method=side) for side in ("lower", "higher"))
        assert below - width <= end <= above + width


def test_percentile_100_is_minmax() -> None:
    ranges = calibrate(GRAPH, [RNG.normal(size=(100, 2))], method="percentile=100")
    assert ranges.keys() == calibrate(GRAPH, [RNG.normal(size=(100, 2))]).keys()
    data = RNG.normal(size=(100, 2)).astype(np.float32)
    assert calibrate(GRAPH, [data], method="percentile=100") == calibrate(GRAPH, [data])


@pytest.mark.parametrize("values", [RELU, NORMAL, OUTLIER, RELU6, -RELU])
def test_mse_is_near_the_best_of_all_ranges(values: np.ndarray) -> None:
    low, high = chosen("mse", values)
    full_low, full_high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    shares = np.linspace(0.04, 1, 25)
    tried = [
        squared_error(values, a * full_low, b * full_high)
        for a in (shares if full_low else [0.0])
        for b in (shares if full_high else [0.0])
    ]
    assert squared_error(values, low, high) <= 1.02 * min(tried)


def test_mse_drops_what_hardly_ever_occurs() -> None:
    many = np.concatenate([np.tile(NORMAL, 20), [60.0]]).astype(np.float32)
    assert chosen("mse", many)[1] < 30 < chosen("minmax", many)[1]


def test_entropy() -> None:
    assert chosen("entropy", OUTLIER)[1] < 100, "400 is far from everything else"
    assert chosen("entropy", RELU6)[1] == 6.0, "what ReLU6 clamps is exact at 6"
    uniform = RNG.uniform(-1, 1, 200_000).astype(np.float32)
    assert chosen("entropy", uniform) == pytest.approx((-1, 1), abs=0.01)


def test_entropy_saturates_hardly_anything() -> None:
    """A spike among thinly spread values; without a limit, it decides alone."""
    values = np.concatenate([np.full(50_000, 0.7), RNG.exponential(1, 5_000)]).astype(np.float32)
    low, high = chosen("entropy", values)
    assert np.count_nonzero((values < low) | (values > high)) <= 0.001 * values.size + 1


def test_moving_average_is_by_samples() -> None:
    """Of a tensor of two values, 32 samples in a row have one extreme: 300 samples have nine."""
    data = RNG.normal(size=(300, 2)).astype(np.float32)
    groups = data[: 9 * 32].reshape(9, 64)
    weights = 0.99 ** np.arange(8, -1, -1)
    low, high = (np.average(end, weights=weights) for end in (groups.min(axis=1), groups.max(axis=1)))
    expected = pytest.approx((low, high))
    assert calibrate(GRAPH, [data], method="moving_average")["x"] == expected
    assert calibrate(GRAPH, list(data), method="moving_average")["x"] == expected


def test_moving_average_of_large_tensors_takes_every_sample() -> None:
    data = RNG.normal(size=(50, 64)).astype(np.float32)
    weights = 0.99 ** np.arange(49, -1, -1)
    calibrator = MovingAverage()
    calibrator.observe("x", data)
    low, high = calibrator.ranges()["x"]
    assert low == pytest.approx(np.average(data.min(axis=1), weights=weights))
    assert high == pytest.approx(np.average(data.max(axis=1), weights=weights))


def test_moving_average_of_few_small_samples_is_their_range() -> None:
    calibrator = MovingAverage()
    calibrator.observe("x", np.float32([[-1.0], [0.5], [2.0]]))
    assert calibrator.ranges() == {"x": (-1.0, 2.0)}


@pytest.mark.parametrize("method", CALIBRATIONS)
@pytest.mark.parametrize(
    "values", [np.zeros(50), np.full(50, 3.0), np.full(50, -2.5), [1e-30, 0], [-1e17, 1e17], [0.0, 7.0]]
)
def test_degenerate_values(method: str, values: np.ndarray) -> None:
    array = np.asarray(values, np.float32)
    low, high = chosen(method, array[:, None])
    assert array.min() <= low <= high <= max(array.max(), 0.0)
    activation_scheme(low, high)


@pytest.mark.parametrize("method", CALIBRATIONS)
@needs_models
def test_the_split_does_not_matter(method: str) -> None:
    graph, data = float_graph("fsdd_dscnn"), calibration_data("fsdd_dscnn")[:70]
    whole = calibrate(graph, [data], method=method)
    assert whole == calibrate(graph, iter(data), method=method)
    assert quantize_integer(graph, [data], QuantizeOptions(calibration=method))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("percentile=200", "percentile must be above 50 and at most 100.*seen: 200"),
        ("percentile=50", "above 50"),
        ("percentile=nan", "above 50"),
        ("percentile=most", "must be a number.*percentile=most"),
        ("percentile=", "must be a number"),
        ("mse=3", "only the calibration method percentile takes a value"),
        ("best", "must be one that exists.*minmax.*entropy"),
    ],
)
def test_unknown_methods(text: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        QuantizeOptions(calibration=text)
    with pytest.raises(InvalidInputError, match=says):
        calibrate(GRAPH, [np.ones((1, 2))], method=text)


def test_ranges_for_int8_are_none_for_int16() -> None:
    for method in ("mse", "entropy"):
        with pytest.raises(InvalidInputError, match=f"int8 activations.*{method} for int16.*minmax"):
            quantize_integer(GRAPH, [np.ones((3, 2))], QuantizeOptions("int16x8", calibration=method))


@pytest.mark.parametrize("per_tensor", [False, True])
def test_mse_weights(per_tensor: bool) -> None:
    """Never worse than minmax, better where one weight is far out, and within the integers."""
    weights = np.clip(RNG.normal(size=(6, 40_000)), -4, 4).astype(np.float32)
    weights[2, 7] = 7.0
    errors = []
    for method in ("minmax", "mse"):
        x, tensor = QuantParams.per_tensor(0.02, -128), Tensor.constant("w", weights)
        (q, quant), _ = quantize_linear_constants(x, tensor, None, 0, LinearRounding(per_tensor, method))
        assert q.min() >= -127 and q.dtype == np.int8
        errors.append(((q * quant.broadcast_scale(2) - weights) ** 2).sum(axis=1))
    assert errors[1].sum() < errors[0].sum()
    if not per_tensor:
        assert (errors[1] <= errors[0] * 1.0001).all() and errors[1][2] < 0.9 * errors[0][2]


def test_unknown_weights_calibration() -> None:
    with pytest.raises(InvalidInputError, match=r"weights' calibration.*best.*mse"):
        QuantizeOptions(weights_calibration="best")
