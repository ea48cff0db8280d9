"""Functions of numbers, element by element: x + y, -x, x ** 2, exp(x), clip(x, 0, 6)."""

from __future__ import annotations

import math

import numpy as np

from mcu_quant.importers.keras_functions.arguments import Arguments, Function, FunctionTable, TensorName
from mcu_quant.importers.keras_functions.nodes import (
    MOST_ELEMENTS,
    binary,
    constant,
    layer,
    require_few,
    unary,
)
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.ops.keras import LayerRefused

#: Powers up to it are products.
MOST_FACTORS = 8


def _number(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def _binary(op: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, y = arguments.operand(0, "x", "x1", "value", "a"), arguments.operand(1, "y", "x2", "bias", "b")
        return binary(builder, op, arguments.name, x, y)

    return lower


def _unary(op: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        return unary(builder, op, arguments.name, arguments.tensor(0, "x"))

    return lower


def _affine(scale: float, shift: float = 0.0) -> Function:
    """x * scale + shift."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        name = arguments.name
        scaled = binary(builder, "mul", name, arguments.tensor(0, "x"), _number(scale))
        return scaled if shift == 0.0 else binary(builder, "add", name, scaled, _number(shift))

    return lower


def _maximum(arguments: Arguments, builder: ImportBuilder) -> str:
    x, y = arguments.operand(0, "x", "x1"), arguments.operand(1, "y", "x2")
    for tensor, other in ((x, y), (y, x)):
        is_zero = isinstance(other, np.ndarray) and other.size == 1 and not other.any()
        if isinstance(tensor, TensorName) and is_zero:
            return layer(builder, "ReLU", arguments.name, [tensor], **_relu_config())
    return binary(builder, "maximum", arguments.name, x, y)


def _relu_config(max_value: float | None = None) -> dict[str, float | None]:
    return {"max_value": max_value, "negative_slope": 0.0, "threshold": 0.0}


def _clip(arguments: Arguments, builder: ImportBuilder) -> str:
    x, name = arguments.tensor(0, "t", "x"), arguments.name
    low = arguments.constant(1, "clip_value_min", "x_min")
    high = arguments.constant(2, "clip_value_max", "x_max")
    if low.size == high.size == 1 and float(low.item()) == 0.0 < float(high.item()):
        return layer(builder, "ReLU", name, [x], **_relu_config(float(high.item())))
    return binary(builder, "maximum", name, binary(builder, "minimum", f"{name}/minimum", x, high), low)


def _square(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, "x")
    return binary(builder, "mul", arguments.name, x, x)


def _squared_difference(arguments: Arguments, builder: ImportBuilder) -> str:
    x, y = arguments.operand(0, "x"), arguments.operand(1, "y")
    if isinstance(x, TensorName) and isinstance(y, TensorName):
        return binary(builder, "squared_difference", arguments.name, x, y)
    difference = binary(builder, "sub", f"{arguments.name}/sub", x, y)
    return binary(builder, "mul", arguments.name, difference, difference)


def _power(arguments: Arguments, builder: ImportBuilder) -> str:
    """x to a constant power: a product, a root or a reciprocal. Or a constant to the power of y."""
    name, base = arguments.name, arguments.operand(0, "x", "x1")
    if isinstance(base, np.ndarray):
        return _of_base(builder, name, base, arguments.tensor(1, "y", "x2"))
    x = base
    exponents = set(arguments.constant(1, "y", "x2").reshape(-1).tolist())
    exponent = exponents.pop() if len(exponents) == 1 else math.nan
    if abs(exponent) == 0.5:
        return unary(builder, "sqrt" if exponent > 0 else "rsqrt", name, x)
    if exponent != math.floor(exponent) or not 1 <= abs(exponent) <= MOST_FACTORS:
        raise LayerRefused(
            f"the exponent must be one constant: 0.5 or an integer up to {MOST_FACTORS}, or its negative",
            value=exponents or exponent,
            hint="exp and log",
        )
    power = _product(builder, name if exponent > 0 else f"{name}/power", x, int(abs(exponent)))
    return power if exponent > 0 else binary(builder, "div", name, _number(1.0), power)


def _of_base(builder: ImportBuilder, name: str, base: np.ndarray, y: TensorName) -> str:
    if not (base > 0).all():
        raise LayerRefused("a base must be positive", value=base.reshape(-1)[:4].tolist())
    exponent = (
        y if np.all(base == np.float32(math.e)) else binary(builder, "mul", f"{name}/mul", y, np.log(base))
    )
    return unary(builder, "exp", name, exponent)


def _product(builder: ImportBuilder, name: str, x: TensorName, factors: int) -> TensorName:
    """x times itself, by squares."""
    if factors == 1:
        return x
    half = _product(builder, f"{name}/half", x, factors // 2)
    square = binary(builder, "mul", name if factors % 2 == 0 else f"{name}/even", half, half)
    return binary(builder, "mul", name, square, x) if factors % 2 else square


def _reciprocal(arguments: Arguments, builder: ImportBuilder) -> str:
    return binary(builder, "div", arguments.name, _number(1.0), arguments.tensor(0, "x"))


def _exponential(factor: float, shift: float = 0.0) -> Function:
    """exp(factor * x) + shift."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, name = arguments.tensor(0, "x"), arguments.name
        if factor != 1.0:
            x = binary(builder, "mul", f"{name}/mul", x, _number(factor))
        if shift == 0.0:
            return unary(builder, "exp", name, x)
        return binary(builder, "add", name, unary(builder, "exp", f"{name}/exp", x), _number(shift))

    return lower


def _logarithm(base: float, shift: float = 0.0) -> Function:
    """The logarithm of x + shift."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, name = arguments.tensor(0, "x"), arguments.name
        if shift != 0.0:
            x = binary(builder, "add", f"{name}/add", x, _number(shift))
        if base == math.e:
            return unary(builder, "log", name, x)
        return binary(
            builder, "mul", name, unary(builder, "log", f"{name}/log", x), _number(1 / math.log(base))
        )

    return lower


def _hyperbolic(sign: str) -> Function:
    """(exp(x) + exp(-x)) / 2, or the half of the difference."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, name = arguments.tensor(0, "x"), arguments.name
        grown = unary(builder, "exp", f"{name}/exp", x)
        inverse = binary(builder, "mul", f"{name}/neg", x, _number(-1.0))
        shrunk = unary(builder, "exp", f"{name}/exp", inverse)
        return binary(
            builder, "mul", name, binary(builder, sign, f"{name}/{sign}", grown, shrunk), _number(0.5)
        )

    return lower


def _tangent(arguments: Arguments, builder: ImportBuilder) -> str:
    x, name = arguments.tensor(0, "x"), arguments.name
    sine, cosine = (unary(builder, op, f"{name}/{op}", x) for op in ("sin", "cos"))
    return binary(builder, "div", name, sine, cosine)


def _hypotenuse(arguments: Arguments, builder: ImportBuilder) -> str:
    name = arguments.name
    squares = []
    for index, names in enumerate((("x", "x1"), ("y", "x2"))):
        side = arguments.tensor(index, *names)
        squares.append(binary(builder, "mul", f"{name}/square", side, side))
    return unary(builder, "sqrt", name, binary(builder, "add", f"{name}/add", *squares))


def _round(arguments: Arguments, builder: ImportBuilder) -> str:
    x, name = arguments.tensor(0, "x"), arguments.name
    decimals = int(arguments.get(1, "decimals", default=0))
    if decimals == 0:
        return unary(builder, "round", name, x)
    steps = binary(builder, "mul", f"{name}/steps", x, _number(10.0**decimals))
    return binary(
        builder, "mul", name, unary(builder, "round", f"{name}/round", steps), _number(10.0**-decimals)
    )


def _truncate(arguments: Arguments, builder: ImportBuilder) -> str:
    """Towards 0: the sign times the whole part of the magnitude."""
    x, name = arguments.tensor(0, "x"), arguments.name
    whole = unary(builder, "floor", f"{name}/floor", unary(builder, "abs", f"{name}/abs", x))
    return binary(builder, "mul", name, unary(builder, "sign", f"{name}/sign", x), whole)


def _floor_divide(arguments: Arguments, builder: ImportBuilder) -> str:
    x, y, name = arguments.operand(0, "x", "x1"), arguments.operand(1, "y", "x2"), arguments.name
    return unary(builder, "floor", name, binary(builder, "div", f"{name}/div", x, y))


def _modulo(arguments: Arguments, builder: ImportBuilder) -> str:
    """x - floor(x / y) * y."""
    x, y, name = arguments.operand(0, "x", "x1"), arguments.operand(1, "y", "x2"), arguments.name
    whole = unary(builder, "floor", f"{name}/floor", binary(builder, "div", f"{name}/div", x, y))
    return binary(builder, "sub", name, x, binary(builder, "mul", f"{name}/mul", whole, y))


def _filled(value: float | None) -> Function:
    """A constant of x's shape."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        fill = _number(value) if value is not None else arguments.constant(1, "fill_value")
        shape = builder.shape(arguments.tensor(0, "x", "input"))
        require_few(math.prod(shape), MOST_ELEMENTS, "elements of a constant")
        return constant(builder, arguments.name, np.broadcast_to(fill, shape).copy())

    return lower


FUNCTIONS: FunctionTable = {
    _binary("add"): ("math.add", "__operators__.add", "add", "nn.bias_add", "Add"),
    _binary("sub"): ("math.subtract", "subtract", "Subtract"),
    _binary("mul"): ("math.multiply", "multiply", "Multiply", "math.scalar_mul"),
    _binary("div"): ("math.truediv", "math.divide", "truediv", "divide", "TrueDivide", "Divide"),
    _binary("minimum"): ("math.minimum", "minimum", "Minimum", "Fmin"),
    _maximum: ("math.maximum", "maximum", "Maximum", "Fmax"),
    _clip: ("clip_by_value", "Clip"),
    _affine(-1.0): ("math.negative", "negative", "__operators__.neg", "Negative"),
    _affine(math.pi / 180): ("Deg2rad",),
    _affine(180 / math.pi): ("Rad2deg",),
    _unary("abs"): ("math.abs", "abs", "Abs", "Absolute", "Fabs"),
    _unary("exp"): ("math.exp", "exp", "Exp"),
    _unary("sqrt"): ("math.sqrt", "sqrt", "Sqrt"),
    _unary("rsqrt"): ("math.rsqrt", "rsqrt", "Rsqrt"),
    _unary("sin"): ("math.sin", "sin", "Sin"),
    _unary("cos"): ("math.cos", "cos", "Cos"),
    _unary("floor"): ("math.floor", "floor", "Floor"),
    _unary("ceil"): ("math.ceil", "ceil", "Ceil"),
    _unary("sign"): ("math.sign", "sign", "Sign"),
    _truncate: ("Trunc",),
    _round: ("math.round", "round", "math.rint", "Round"),
    _square: ("math.square", "square", "Square"),
    _squared_difference: ("math.squared_difference",),
    _power: ("math.pow", "pow", "Power"),
    _reciprocal: ("math.reciprocal", "Reciprocal"),
    _exponential(math.log(2.0)): ("Exp2",),
    _exponential(1.0, -1.0): ("math.expm1", "Expm1"),
    _logarithm(math.e): ("math.log", "Log"),
    _logarithm(math.e, 1.0): ("math.log1p", "Log1p"),
    _logarithm(2.0): ("Log2",),
    _logarithm(10.0): ("Log10",),
    _hyperbolic("add"): ("math.cosh", "Cosh"),
    _hyperbolic("sub"): ("math.sinh", "Sinh"),
    _tangent: ("math.tan", "Tan"),
    _hypotenuse: ("Hypot",),
    _floor_divide: ("math.floordiv", "FloorDivide"),
    _modulo: ("math.floormod", "math.mod", "Mod"),
    _filled(0.0): ("zeros_like", "ZerosLike"),
    _filled(1.0): ("ones_like", "OnesLike"),
    _filled(None): ("FullLike",),
}
