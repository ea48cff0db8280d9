"""The equation of an EinsumDense layer, and the shapes of the weights that it calls for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_letters
from typing import Any


@dataclass(frozen=True)
class Equation:
    """A letter for each axis of the input, the kernel, the output and the bias ("" without a bias)."""

    x: str
    kernel: str
    output: str
    bias: str


def equation_of(config: Mapping[str, Any], rank: int) -> Equation:
    """For an input of that rank, batch included. Raises ValueError, KeyError."""
    inputs, arrow, output = str(config["equation"]).replace(" ", "").partition("->")
    x, kernel = inputs.split(",")
    if not arrow or "..." in kernel:
        raise ValueError(f"equation {config['equation']!r}")
    spare = [letter for letter in ascii_letters if letter not in inputs + output]
    dots = "".join(spare[: max(0, rank - len(x) + 3)]) if "..." in x else ""
    x, output = x.replace("...", dots), output.replace("...", dots)
    axes = str(config.get("bias_axes") or "")
    if len(x) != rank or not set(axes) <= set(output):
        raise ValueError(f"equation {config['equation']!r} of {rank} axes, bias_axes {axes!r}")
    first = min((output.index(letter) for letter in axes), default=len(output))
    return Equation(x, kernel, output, output[first:])


def einsum_weights(
    config: Mapping[str, Any], input_shape: Sequence[int]
) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of kernel and bias. Raises ValueError, KeyError."""
    equation, axes = equation_of(config, len(input_shape)), str(config.get("bias_axes") or "")
    given = config["output_shape"]
    wanted = [given] if isinstance(given, int) else list(given)
    sizes: dict[str, int] = {}
    sizes.update(
        (letter, size)
        for letter, size in zip(equation.output[::-1], wanted[::-1], strict=False)
        if size is not None
    )
    sizes.update(zip(equation.x, input_shape, strict=True))
    weights = [("kernel", tuple(sizes[letter] for letter in equation.kernel))]
    if equation.bias:
        bias = tuple(sizes[letter] if letter in axes else 1 for letter in equation.bias)
        weights.append(("bias", bias))
    return weights
