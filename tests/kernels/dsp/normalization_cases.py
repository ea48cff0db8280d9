"""Random layer normalizations, as the quantizer makes them of random data."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import Graph
from mcu_quant.ops.keras import KerasLayer
from mcu_quant.ops.layer_normalization import OPERATOR as LAYER
from mcu_quant.optimize.normalizations import merge_normalizations
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from tests.ops.driver import Case
from tests.passes.float_models import Model

_SIZES = (2, 3, 4, 5, 7, 8, 12, 17, 33)


def random_normalization(index: int) -> Case:
    """Rows of any length, of deviations that differ up to a hundredfold, as far as int16 bears that; int8."""
    rng = np.random.default_rng([8, index])
    while True:
        steps, size = int(rng.integers(1, 7)), int(rng.choice(_SIZES))
        rows = 10.0 ** rng.uniform(-2, 0, (20, 1, steps, 1))
        x = rng.normal(rng.uniform(-2, 2), 1, (20, 1, steps, size)) * rows
        model = quantize_integer(_layer(rng, steps, size), [x.astype(np.float32)], QuantizeOptions())
        found = _merged(f"normalization {index}", model)
        if found is not None:
            return found


def case_of(name: str, class_name: str, center: bool) -> Case:
    """With gamma, and maybe beta."""
    rng = np.random.default_rng(9)
    weights = [rng.normal(0, 1, 12).astype(np.float32) for _ in range(1 + center)]
    config = {"scale": True, "center": center}
    if class_name == "RMSNormalization":
        del weights[1:]
    m = Model(4, 12)
    graph = m.graph(
        LAYER.from_keras(KerasLayer("norm", class_name, config, tuple(weights)), [m.x], m.builder)
    )
    x = rng.normal(0, 1, (20, 1, 4, 12)).astype(np.float32)
    found = _merged(name, quantize_integer(graph, [x], QuantizeOptions()))
    assert found is not None
    return found


def _merged(name: str, model: Graph) -> Case | None:
    for node in merge_normalizations(model).bound_nodes():
        if node.node.op == "normalize_rows":
            quant = node.output.quant
            assert quant is not None
            return Case(name, node.node.op, node.attrs, (node.input(0),), quant, 1)
    return None


def _layer(rng: np.random.Generator, steps: int, size: int) -> Graph:
    scale, center = bool(rng.integers(4)), bool(rng.integers(8))
    weights = [rng.normal(0, 1, size).astype(np.float32) for _ in range(scale + center)]
    config = {"scale": scale, "center": center, "epsilon": float(10.0 ** rng.uniform(-7, -1))}
    m = Model(steps, size)
    layer = KerasLayer("norm", "LayerNormalization", config, tuple(weights))
    return m.graph(LAYER.from_keras(layer, [m.x], m.builder))
