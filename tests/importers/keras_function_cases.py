"""Expressions of keras.ops: each a name, shapes of its inputs, and what is written in a model.

The first letters of a name say what it is about. `o` is keras.ops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Expression = Callable[..., Any]
RNG = np.random.default_rng(11)
CUBE, SIGNAL, ROW = (4, 3, 2), (6, 4), (8,)


def constant(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 2, shape).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """shapes: of the inputs, without the batch. positive: values are from 0.3 to 2, else from -2 to 2.

    eager: Keras 3.15 cannot run it in a model (ConvTranspose gives its arguments in a wrong order).
    """

    write: Expression
    shapes: tuple[tuple[int, ...], ...] = (CUBE,)
    positive: bool = False
    eager: bool = False


def on(*shapes: tuple[int, ...]) -> Callable[[Expression], Case]:
    return lambda write: Case(write, shapes)


def positive(write: Expression) -> Case:
    return Case(write, positive=True)


_two, _signal, _row = on(CUBE, CUBE), on(SIGNAL), on(ROW)
V2, M32, TRANSPOSED = constant(2), constant(3, 2), constant(3, 3, 2, 4)

ARITHMETIC = {
    "add_scalar": Case(lambda o, x: x + 1.5),
    "add_vector": Case(lambda o, x: o.add(V2, x)),
    "add_plane": Case(lambda o, x: x + M32),
    "add_column": Case(lambda o, x: x + constant(3, 1)),
    "add_tensors": _two(lambda o, x, y: x + y),
    "add_broadcast": on(CUBE, (3, 1))(lambda o, x, y: x + y[:, None]),
    "subtract": _two(lambda o, x, y: x - y),
    "subtract_from": Case(lambda o, x: 1.0 - x),
    "multiply": _two(lambda o, x, y: x * y),
    "multiply_by_itself": Case(lambda o, x: x * x),
    "divide_scalar": Case(lambda o, x: x / 3.0),
    "divide_plane": Case(lambda o, x: o.divide(x, M32)),
    "divide_tensors": Case(lambda o, x, y: x / y, (CUBE, CUBE), positive=True),
    "divide_constant": positive(lambda o, x: 2.0 / x),
    "true_divide": Case(lambda o, x, y: o.true_divide(x, y), (CUBE, CUBE), positive=True),
    "negative": Case(lambda o, x: -x),
    "abs": Case(lambda o, x: abs(x)),
    "absolute": Case(lambda o, x: o.absolute(x - 0.5)),
    "square": Case(lambda o, x: o.square(x)),
    "power_2": Case(lambda o, x: x**2),
    "power_3": Case(lambda o, x: o.power(x, 3)),
    "power_7": Case(lambda o, x: x**7),
    "power_of_2": Case(lambda o, x: 2.0**x),
    "power_half": positive(lambda o, x: x**0.5),
    "power_minus_half": positive(lambda o, x: x**-0.5),
    "power_minus_2": positive(lambda o, x: x**-2),
    "sqrt": positive(lambda o, x: o.sqrt(x)),
    "rsqrt": positive(lambda o, x: o.rsqrt(x)),
    "reciprocal": positive(lambda o, x: o.reciprocal(x)),
    "exp": Case(lambda o, x: o.exp(x)),
    "exp2": Case(lambda o, x: o.exp2(x)),
    "expm1": Case(lambda o, x: o.expm1(x)),
    "log": positive(lambda o, x: o.log(x)),
    "log1p": positive(lambda o, x: o.log1p(x)),
    "log2": positive(lambda o, x: o.log2(x)),
    "log10": positive(lambda o, x: o.log10(x)),
    "sin": Case(lambda o, x: o.sin(x)),
    "cos": Case(lambda o, x: o.cos(x)),
    "tan": Case(lambda o, x: o.tan(x * 0.4)),
    "sinh": Case(lambda o, x: o.sinh(x)),
    "cosh": Case(lambda o, x: o.cosh(x)),
    "floor": Case(lambda o, x: o.floor(x)),
    "ceil": Case(lambda o, x: o.ceil(x)),
    "round": Case(lambda o, x: o.round(x * 2)),
    "round_decimals": Case(lambda o, x: o.round(x, 1)),
    "trunc": Case(lambda o, x: o.trunc(x * 2)),
    "sign": Case(lambda o, x: o.sign(x)),
    "floor_divide": Case(lambda o, x: x // 0.7),
    "mod": Case(lambda o, x: o.mod(x, 0.75)),
    "maximum": _two(lambda o, x, y: o.maximum(x, y)),
    "maximum_zero": Case(lambda o, x: o.maximum(x, 0.0)),
    "maximum_constant": Case(lambda o, x: o.maximum(0.5, x)),
    "minimum": _two(lambda o, x, y: o.minimum(x, y)),
    "minimum_vector": Case(lambda o, x: o.minimum(x, V2)),
    "clip": Case(lambda o, x: o.clip(x, -0.5, 0.75)),
    "clip_relu": Case(lambda o, x: o.clip(x, 0.0, 1.0)),
    "hypot": _two(lambda o, x, y: o.hypot(x, y)),
    "deg2rad": Case(lambda o, x: o.deg2rad(x)),
    "rad2deg": Case(lambda o, x: o.rad2deg(x)),
    "fmax": _two(lambda o, x, y: o.fmax(x, y)),
    "zeros_like": Case(lambda o, x: o.maximum(o.zeros_like(x), x)),
    "full_like": Case(lambda o, x: x + o.full_like(x, 2.0)),
    "zero_mean": Case(lambda o, x: (x - o.mean(x, (1, 2), keepdims=True)) / 2.0),
}

CONDITIONS = {
    "where": Case(lambda o, x: o.where(x > 0.25, x, 0.1 * x)),
    "where_constant": Case(lambda o, x: o.where(x < 0.0, -1.0, 1.0)),
    "where_mask": Case(lambda o, x: o.where(np.array([[True], [False], [True]]), x, 0.0)),
    "where_tensors": _two(lambda o, x, y: o.where(x >= y, x, y)),
    "where_and": _two(lambda o, x, y: o.where(o.logical_and(x > 0, y <= 0.5), x, y)),
    "where_or_not": _two(lambda o, x, y: o.where(o.logical_or(o.logical_not(x > 0), y < 0), x, y)),
    "where_xor": _two(lambda o, x, y: o.where(o.logical_xor(x > 0, y > 0), x, y)),
    "gate": Case(lambda o, x: x * o.cast(x > 0.5, "float32")),
    "gate_bool": Case(lambda o, x: o.multiply(x, x > 0.5)),
    "equal": Case(lambda o, x: o.cast(o.equal(o.maximum(x, 0.0), 0.0), "float32")),
    "not_equal": Case(lambda o, x: o.cast(o.not_equal(o.relu(x), 0.0), "float32")),
    "cast_float": Case(lambda o, x: o.cast(x, "float32") + 1.0),
    "select": Case(lambda o, x: o.select([x > 1.0, x > 0.0], [x, x * 0.5], 0.25)),
    "stop_gradient": Case(lambda o, x: o.stop_gradient(x) + x * x),
    "convert": Case(lambda o, x: o.convert_to_tensor(x) * 2.0),
    "copy": Case(lambda o, x: o.copy(x) * 2.0),
    "one_hot": Case(lambda o, x: o.one_hot(o.argmax(x, -1), 2)),
}

ACTIVATIONS = {
    name: Case(lambda o, x, name=name: getattr(o, name)(x))
    for name in (
        "relu", "relu6", "sigmoid", "tanh", "softplus", "softsign", "silu", "log_sigmoid", "hard_sigmoid",
        "hard_silu", "hard_tanh", "selu", "tanh_shrink", "sparse_plus", "sparse_sigmoid", "elu", "celu",
        "gelu", "squareplus", "soft_shrink", "hard_shrink", "leaky_relu", "softmax", "log_softmax", "glu",
    )
} | {
    "leaky_relu_slope": Case(lambda o, x: o.leaky_relu(x, 0.35)),
    "elu_alpha": Case(lambda o, x: o.elu(x, alpha=0.5)),
    "celu_alpha": Case(lambda o, x: o.celu(x, alpha=0.5)),
    "gelu_erf": Case(lambda o, x: o.gelu(x, approximate=False)),
    "soft_shrink_threshold": Case(lambda o, x: o.soft_shrink(x, 0.25)),
    "threshold": Case(lambda o, x: o.threshold(x, 0.3, -0.2)),
    "squareplus_b": Case(lambda o, x: o.squareplus(x, 1)),
    "softmax_axis": Case(lambda o, x: o.softmax(x, axis=1)),
    "log_softmax_axis": Case(lambda o, x: o.log_softmax(x, axis=2)),
    "glu_axis": Case(lambda o, x: o.glu(x, axis=1)),
}  # fmt: skip

REDUCTIONS = {
    **{
        f"{name}_{label}": Case(lambda o, x, name=name, kwargs=kwargs: getattr(o, name)(x, **kwargs))
        for name in ("mean", "sum", "max", "min", "var", "std")
        for label, kwargs in {
            "last": {"axis": -1},
            "spatial": {"axis": (1, 2), "keepdims": True},
            "all": {"axis": [1, 2, 3]},
        }.items()
    },
    "prod": positive(lambda o, x: o.prod(x, axis=2)),
    "any": Case(lambda o, x: o.cast(o.any(x > 1.0, axis=1), "float32")),
    "all": Case(lambda o, x: o.cast(o.all(x > -1.0, axis=(1, 2)), "float32")),
    "count": Case(lambda o, x: o.sum(o.cast(x > 0, "float32"), axis=(1, 2))),
    "moments": Case(lambda o, x: o.add(*o.moments(x, [1, 2]))),
    "argmax": Case(lambda o, x: o.argmax(x, axis=-1)),
    "argmax_axis": Case(lambda o, x: o.argmax(x, axis=1, keepdims=True)),
    "argmin": Case(lambda o, x: o.argmin(x, axis=2)),
    "cumsum": Case(lambda o, x: o.cumsum(x, axis=1)),
    "mean_scaled": Case(lambda o, x: 1.0 - 2.0 * o.mean(x, axis=[1, 2, 3])),
    "norm": _signal(lambda o, x: o.norm(x, axis=-1)),
    "norm_1": _signal(lambda o, x: o.norm(x, ord=1, axis=-1, keepdims=True)),
    "norm_infinity": _signal(lambda o, x: o.norm(x, ord=float("inf"), axis=1)),
    "logsumexp": Case(lambda o, x: o.logsumexp(x, axis=-1)),
    "logsumexp_keepdims": Case(lambda o, x: o.logsumexp(x, axis=(1, 2), keepdims=True)),
    "ptp": Case(lambda o, x: o.ptp(x, axis=1)),
    "average": Case(lambda o, x: o.average(x, axis=1)),
    "amax": Case(lambda o, x: o.amax(x, axis=1)),
}

SHAPES = {
    "reshape": Case(lambda o, x: o.reshape(x, (-1, 6, 4))),
    "reshape_rest": Case(lambda o, x: o.reshape(x, (-1, 2, 3, 4))),
    "transpose": Case(lambda o, x: o.transpose(x, (0, 2, 1, 3))),
    "transpose_last": Case(lambda o, x: o.transpose(x, (0, 3, 1, 2))),
    "squeeze": on((4, 1, 3))(lambda o, x: o.squeeze(x, 2)),
    "expand_dims": Case(lambda o, x: o.expand_dims(x, 1)),
    "expand_dims_two": _signal(lambda o, x: o.expand_dims(x, (1, -1))),
    "moveaxis": Case(lambda o, x: o.moveaxis(x, -1, 1)),
    "moveaxis_two": Case(lambda o, x: o.moveaxis(x, (1, 2), (3, 1))),
    "swapaxes": Case(lambda o, x: o.swapaxes(x, 1, 2)),
    "concatenate": _two(lambda o, x, y: o.concatenate([x, y, x], axis=2)),
    "append": _two(lambda o, x, y: o.append(x, y, axis=1)),
    "stack": _two(lambda o, x, y: o.stack([x, y], axis=1)),
    "stack_last": _two(lambda o, x, y: o.stack([x, y, x], axis=-1)),
    "hstack": _two(lambda o, x, y: o.hstack([x, y])),
    "dstack": _two(lambda o, x, y: o.dstack([x, y])),
    "split": Case(lambda o, x: o.split(x, 2, axis=1)[1]),
    "split_places": _row(lambda o, x: o.concatenate(o.split(x, [2, 5], axis=1)[::-1], axis=-1)),
    "array_split": _row(lambda o, x: o.concatenate(o.array_split(x, 3, axis=1)[::-1], axis=-1)),
    "hsplit": Case(lambda o, x: o.add(*o.hsplit(x, 2))),
    "dsplit": Case(lambda o, x: o.dsplit(x, 3)[1]),
    "unstack": Case(lambda o, x: o.subtract(*o.unstack(x, 2, axis=-1))),
    "tile": Case(lambda o, x: o.tile(x, (1, 2, 1, 3))),
    "repeat": Case(lambda o, x: o.repeat(x, 3, axis=2)),
    "flip": Case(lambda o, x: o.flip(x, axis=(1, 3))),
    "fliplr": Case(lambda o, x: o.fliplr(x)),
    "rot90": Case(lambda o, x: o.rot90(x, 1, axes=(1, 2))),
    "rot90_thrice": Case(lambda o, x: o.rot90(x, 3, axes=(1, 2))),
    "roll": Case(lambda o, x: o.roll(x, 1, axis=1)),
    "roll_back": Case(lambda o, x: o.roll(x, -2, axis=2)),
    "broadcast": on((1, 3))(lambda o, x: o.add(x, o.zeros((4, 3)))),
    "pad": _signal(lambda o, x: o.pad(x, ((0, 0), (1, 2), (0, 3)))),
    "pad_value": _signal(lambda o, x: o.pad(x, ((0, 0), (1, 2), (0, 3)), constant_values=0.5)),
    "pad_reflect": _signal(lambda o, x: o.pad(x, ((0, 0), (1, 2), (0, 3)), mode="reflect")),
    "pad_symmetric": _signal(lambda o, x: o.pad(x, ((0, 0), (2, 1), (1, 0)), mode="symmetric")),
    "slice": Case(lambda o, x: x[:, 1:3, ::2, :1]),
    "slice_back": Case(lambda o, x: x[:, ::-1, -1]),
    "slice_new_axis": Case(lambda o, x: x[:, None, ..., 0]),
    "take": Case(lambda o, x: o.take(x, 1, axis=2)),
    "take_several": Case(lambda o, x: o.take(x, [2, 0, -1], axis=1)),
    "diff": _signal(lambda o, x: o.diff(x, axis=1)),
    "diff_twice": _signal(lambda o, x: o.diff(x, n=2, axis=1)),
    "depth_to_space": on((3, 2, 8))(lambda o, x: o.nn.depth_to_space(x, 2)),
    "space_to_depth": on((4, 6, 3))(lambda o, x: o.nn.space_to_depth(x, 2)),
}

_PICTURE = on((9, 8, 4))
LAYERS = {
    "conv_1d": on((11, 4))(lambda o, x: o.conv(x, constant(3, 4, 5), strides=2, padding="same")),
    "conv_2d": _PICTURE(lambda o, x: o.conv(x, constant(3, 2, 4, 6), dilation_rate=2)),
    "depthwise_conv": _PICTURE(lambda o, x: o.depthwise_conv(x, constant(3, 3, 4, 2), strides=2)),
    "separable_conv": _PICTURE(
        lambda o, x: o.separable_conv(x, constant(3, 3, 4, 2), constant(1, 1, 8, 3), padding="same")
    ),
    "conv_transpose": Case(
        lambda o, x: o.conv_transpose(x, TRANSPOSED, strides=2, padding="same"), ((9, 8, 4),), eager=True
    ),
    "max_pool": _PICTURE(lambda o, x: o.max_pool(x, 2, strides=1, padding="same")),
    "max_pool_1d": on((11, 4))(lambda o, x: o.max_pool(x, 3)),
    "average_pool": _PICTURE(lambda o, x: o.average_pool(x, (3, 2))),
    "adaptive_max_pool": _PICTURE(lambda o, x: o.adaptive_max_pool(x, (3, 4))),
    "adaptive_average_pool": _PICTURE(lambda o, x: o.adaptive_average_pool(x, (3, 2))),
    "batch_normalization": Case(
        lambda o, x: o.batch_normalization(x, V2, V2 + 1, axis=-1, offset=-V2, scale=V2)
    ),
    "layer_normalization": _signal(lambda o, x: o.layer_normalization(x, constant(4), constant(4))),
    "rms_normalization": _signal(lambda o, x: o.rms_normalization(x, constant(4))),
    "normalize": _signal(lambda o, x: o.normalize(x)),
    "normalize_axis": _signal(lambda o, x: o.normalize(x, axis=1)),
    "normalize_1": _signal(lambda o, x: o.normalize(x, order=1)),
    "resize": _PICTURE(lambda o, x: o.image.resize(x, (5, 12))),
    "resize_nearest": _PICTURE(lambda o, x: o.image.resize(x, (18, 4), interpolation="nearest")),
    "rgb_to_grayscale": on((4, 5, 3))(lambda o, x: o.image.rgb_to_grayscale(x)),
    "pad_images": _PICTURE(lambda o, x: o.image.pad_images(x, 1, 2, target_height=12, target_width=11)),
    "crop_images": _PICTURE(
        lambda o, x: o.image.crop_images(x, top_cropping=1, left_cropping=2, target_height=6, target_width=4)
    ),
}

PRODUCTS = {
    "matmul": _signal(lambda o, x: o.matmul(x, constant(4, 3))),
    "matmul_operator": _row(lambda o, x: x @ constant(8, 3)),
    "matmul_vector": _signal(lambda o, x: o.matmul(x, constant(4))),
    "matmul_constant_first": _signal(lambda o, x: o.matmul(constant(5, 6), x)),
    "matmul_tensors": on((3, 4), (4, 5))(lambda o, x, y: o.matmul(x, y)),
    "matmul_heads": on((2, 3, 4), (2, 4, 5))(lambda o, x, y: o.matmul(x, y)),
    "matmul_heads_constant": on((2, 3, 4))(lambda o, x: o.matmul(x, constant(2, 4, 3))),
    "dot": _signal(lambda o, x: o.dot(x, constant(4, 3))),
    "inner": _signal(lambda o, x: o.inner(x, constant(3, 4))),
    "tensordot": Case(lambda o, x: o.tensordot(x, constant(3, 2, 5), axes=2)),
    "tensordot_axes": Case(lambda o, x: o.tensordot(x, constant(5, 4), axes=[[1], [1]])),
    "einsum_dense": Case(lambda o, x: o.einsum("...a,ab->...b", x, constant(2, 5))),
    "einsum_middle": Case(lambda o, x: o.einsum("bhwc,hk->bkwc", x, constant(4, 5))),
    "einsum_heads": _signal(lambda o, x: o.einsum("btc,cnh->btnh", x, constant(4, 2, 3))),
    "einsum_scores": on((3, 2, 4), (5, 2, 4))(lambda o, q, k: o.einsum("btnh,bsnh->bnts", q, k)),
    "einsum_values": on((2, 3, 5), (5, 2, 4))(lambda o, w, v: o.einsum("bnts,bsnh->btnh", w, v)),
    "einsum_per_head": on((3, 4))(lambda o, x: o.einsum("bhk,hkd->bhd", x, constant(3, 4, 2))),
    "einsum_scale": Case(lambda o, x: o.einsum("bhwc,wc->bhwc", x, M32)),
    "einsum_outer": on((3,), (4,))(lambda o, x, y: o.einsum("bi,bj->bij", x, y)),
    "einsum_transpose": Case(lambda o, x: o.einsum("bhwc->bchw", x)),
    "einsum_sum": Case(lambda o, x: o.einsum("bhwc->bw", x)),
}

GROUPS = {
    "arithmetic": ARITHMETIC,
    "conditions": CONDITIONS,
    "activations": ACTIVATIONS,
    "reductions": REDUCTIONS,
    "shapes": SHAPES,
    "layers": LAYERS,
    "products": PRODUCTS,
}
CASES = {f"{group}/{name}": case for group, cases in GROUPS.items() for name, case in cases.items()}
