"""EinsumDense: a product of the input and a kernel over named axes, and a bias."""

from __future__ import annotations

from collections.abc import Sequence

from mcu_quant.importers.keras_equation import equation_of
from mcu_quant.importers.keras_functions.arguments import TensorName
from mcu_quant.importers.keras_functions.nodes import binary
from mcu_quant.importers.keras_functions.products import Factor, contract
from mcu_quant.importers.keras_layers import HANDLERS, ImportBuilder
from mcu_quant.ops.keras import KerasLayer


def _einsum_dense(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    """A bias along all axes that only the kernel has is Dense's own; another is added."""
    (x,) = inputs
    kernel, *bias = layer.weights
    equation = equation_of(layer.config, len(builder.shape(x)))
    factors = Factor(TensorName(x), equation.x), Factor(kernel, equation.kernel)
    own = "".join(letter for letter in equation.kernel if letter not in equation.x)
    shared = set(equation.x) & set(equation.kernel) & set(equation.output)
    sizes = dict(zip(equation.kernel, kernel.shape, strict=True))
    if bias and own == equation.bias and not shared and bias[0].shape == tuple(sizes[a] for a in own):
        y = contract(builder, layer.name, *factors, equation.output, bias[0].reshape(-1))
    else:
        y = contract(builder, layer.name, *factors, equation.output)
        y = binary(builder, "add", f"{layer.name}/bias", y, bias[0]) if bias else y
    return builder.activation(layer.name, layer.config.get("activation"), y)


HANDLERS["EinsumDense"] = _einsum_dense
