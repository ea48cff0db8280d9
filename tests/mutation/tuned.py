"""Cases whose outputs depend on everything: few at a clamp, all of the range used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import activation_range
from tests.ops.driver import Case, float_outputs, reference

#: Of an output's standard deviation, in its own steps: a few in a hundred reach the clamps.
_SPREAD = 50
#: What the name of a case's sibling ends with.
SIBLING = "_sibling"


def tuned(rng: np.random.Generator, case: Case) -> Case:
    """The case with new weights, a bias that centres its outputs, and a scale that spreads them."""
    if case.op in ("average_pool_2d", "quantize"):
        return case
    case = _with_new_weights(rng, _with_wide_clamps(rng, replace(case, samples=8)))
    plain = replace(case, attrs=replace(case.attrs, activation="none")) if _has_activation(case) else case
    real = float_outputs(plain).astype(np.float64)
    scale = max(float(real.std(axis=tuple(range(real.ndim - 1))).mean()), 1e-6) / _SPREAD
    quant = QuantParams.per_tensor(scale, case.output_quant.zero_point[0])
    case = replace(case, output_quant=quant)
    return _with_centred_bias(case, real) if has_weights(case) else _with_centre(case, real)


def tells(case: Case) -> bool:
    """Whether most outputs depend on what is computed: they are neither clamped nor one value."""
    (outputs,) = reference(case)
    ends = (outputs == outputs.min()) | (outputs == outputs.max())
    return float(ends.mean()) < 0.6


def sibling(rng: np.random.Generator, case: Case) -> Case:
    """The same shape and quantization of activations with other weights and other inputs."""
    return replace(_with_new_weights(rng, case), name=f"{case.name}{SIBLING}")


def _has_activation(case: Case) -> bool:
    return hasattr(case.attrs, "activation")


def _with_wide_clamps(rng: np.random.Generator, case: Case) -> Case:
    """Half of int8 or more between the clamps."""
    if not _has_activation(case) or case.attrs.activation == "none":
        return case
    quant = QuantParams.per_tensor(case.output_quant.scale[0], int(rng.choice([-128, -128, -70, 0])))
    return replace(case, attrs=replace(case.attrs, activation="relu"), output_quant=quant)


def has_weights(case: Case) -> bool:
    return OPERATORS[case.op].quant_rule.weights is not None


def _with_new_weights(rng: np.random.Generator, case: Case) -> Case:
    x, *constants = case.inputs
    if not has_weights(case):
        return case
    weights = constants[0]
    assert weights is not None
    # Channels of their own ranges: kernels may have ways of their own for small and for large ones.
    rule = OPERATORS[case.op].quant_rule.weights
    assert rule is not None
    axis = rule.channel_axis
    most = rng.choice([20, 45, 90, 127], weights.shape[axis])
    shape = [-1 if index == axis else 1 for index in range(len(weights.shape))]
    data = np.rint(rng.uniform(-1, 1, weights.shape) * most.reshape(shape)).astype(np.int8)
    return replace(case, inputs=(x, replace(weights, data=data), *constants[1:]))


def _with_centred_bias(case: Case, real: np.ndarray) -> Case:
    """Each channel's middle is the middle between the clamps. real: [N, *shape], before the activation."""
    x, weights, *rest = case.inputs
    bias = rest[0] if rest else None
    if x is None or weights is None or bias is None or bias.data is None or bias.quant is None:
        return case
    middle = (_middle(case) - case.output_quant.zero_point[0]) * case.output_quant.scale[0]
    means = real.reshape(-1, real.shape[-1]).mean(0)
    steps = (middle - means) / np.broadcast_to(bias.quant.scale, means.shape)
    data = np.clip(bias.data + np.rint(steps), -(2**30), 2**30).astype(np.int32)
    return replace(case, inputs=(x, weights, replace(bias, data=data)))


def _with_centre(case: Case, real: np.ndarray) -> Case:
    """By the output's zero_point, where there is no bias."""
    scale = case.output_quant.scale[0]
    zero_point = int(np.clip(np.rint(_middle(case) - real.mean() / scale), -128, 127))
    return replace(case, output_quant=QuantParams.per_tensor(scale, zero_point))


def _middle(case: Case) -> float:
    """Between the clamps, as an output."""
    output = Tensor("y", (1,), case.output_dtype, case.output_quant)
    low, high = activation_range(getattr(case.attrs, "activation", "none"), output)
    return (low + high) / 2
