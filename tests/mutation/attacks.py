"""Cases that share a function with given ones and are aimed at what those leave out.

Sums that are just at the edge between two outputs, so that a rounding that is off by one shows; other numbers
of rows, pixels and channels, so that loops turn more often; pairs of operands whose result is nearly a tie.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.kernels.base import Assembly, Kernel
from tests.kernels.machine import Task, lay_out
from tests.kernels.random_cases import harder, random_cases
from tests.mutation.hard_inputs import BINARY, sums_near_ties, with_hard_inputs
from tests.mutation.tuned import has_weights, sibling, tuned
from tests.ops.driver import Case

#: Attacks of each kind that are made of a case.
_TURNS, _RESIZED_TURNS = 3, 6
#: By how much the output's step is made larger: the fewer sums an output step has, the more a unit is worth.
_COARSER = (1.0, 1.0, 6.0, 40.0)
#: Outputs of an attack, and calls.
_OUTPUTS, _MOST_CALLS, _FEWEST_CALLS, _HARD_CALLS = 2_000, 200, 8, 12
#: Where any sum beside a step of the output is a target, not only those nearest to a tie.
_EDGE_CALLS = 150
#: Of the sums beside an output's step, how many are chosen from.
_NEAREST = 12
#: The largest arena of an attack.
_MOST_ELEMENTS = 150_000
#: Cases of other shapes, of each of two kinds.
_OTHERS, _OTHERS_SEED = 60, 501

_POOLS = ("average_pool_2d", "max_pool_2d")
#: Addresses that have their upper half in common.
SEGMENT_BYTES = 1 << 16

_Change = Callable[[np.random.Generator, Case], Case]


def attacks(kernel: Kernel, case: Case, bodies: Collection[str]) -> Iterator[Case]:
    """Those that the kernel takes, and computes with a function of `bodies`, if it does so with the case."""
    if not _uses(kernel, case, bodies):
        return
    rng = np.random.default_rng([zlib.crc32(kernel.name.encode()), zlib.crc32(case.name.encode())])
    case = replace(case, data=None)
    for index, change in enumerate(_changes(case)):
        changed = replace(change(rng, case), name=f"{case.name}_attack_{index}")
        node = changed.node()
        elements = node.output.elements + sum(t.elements for t in node.inputs if t is not None)
        if elements <= _MOST_ELEMENTS and kernel.refusal(node) is None and _uses(kernel, changed, bodies):
            calls = 2 if changed.samples == 2 else _calls(changed)
            yield changed if changed.data is not None else with_hard_inputs(rng, changed, calls, _HARD_CALLS)


def others(kernel: Kernel, bodies: Collection[str]) -> Iterator[Case]:
    """Cases of other shapes, hard ones and tuned ones, that happen to use a function of `bodies`."""
    for index, change in enumerate((harder, tuned)):
        for case in random_cases(kernel, _OTHERS_SEED + index, _OTHERS, change=change):
            if _uses(kernel, case, bodies):
                rng = np.random.default_rng(zlib.crc32(case.name.encode()))
                yield with_hard_inputs(rng, case, _calls(case), _HARD_CALLS)


def across_segments(task: Task, bodies: Collection[str]) -> Iterator[Task]:
    """The task with a multiple of SEGMENT_BYTES inside each of its tensors and its scratch, here and there.

    Half a pointer that is kept from before is wrong then.
    """
    if not _uses(task.kernel, task.case, bodies):
        return
    data = tuple(array[-1:] for array in task.case.samples_of_inputs())
    case = replace(task.case, data=data)
    tensors = {t.name: t for t in (*task.node.inputs, *task.node.outputs) if t is not None}
    plain = lay_out(case, task.kernel)
    places = [(address, tensors[name].bytes) for name, address in plain.addresses.items()]
    for address, size in (*places, plain.scratch):
        for eighths in (2, 3, 4, 5):
            start = (SEGMENT_BYTES - address - size * eighths // 8) // 4 * 4
            if size > 16 and start > 0:
                yield lay_out(case, task.kernel, start=start)


def _uses(kernel: Kernel, case: Case, bodies: Collection[str]) -> bool:
    arguments = kernel.call(case.node()).arguments
    return any(isinstance(a, Assembly) and a.body in bodies for a in arguments)


def _changes(case: Case) -> list[_Change]:
    if case.op in BINARY:
        return [_as_it_is, _taller] * _TURNS
    if case.op in _POOLS:
        return [_taller, _taller_and_wider, _chained(_taller, _other_window), _other_window] * _TURNS
    if not has_weights(case):
        return [_taller, _taller_and_wider] * _TURNS
    # For int16 activations functions give sums, and an int32 bias does not fit a tuned output.
    is_int8 = case.output_dtype == "int8"
    found: list[_Change] = []
    for factor in _COARSER:
        at_edges = [_chained(_coarser(factor), _with_sums_at_edges)] if is_int8 else []
        found += [*at_edges, _coarser(factor)] * _TURNS
    found += [_chained(_resized, sibling), *([_chained(_resized, tuned)] if is_int8 else [])] * _RESIZED_TURNS
    found += [_in_blocks, _with_extreme_weights] * _RESIZED_TURNS
    return [
        *found,
        _finest,
        *(_longer(axis, times) for axis in (1, 2) for times in (1, 2)),
        _many_rows,
        *([] if case.op == "fully_connected" else [_far(None), _far(SEGMENT_BYTES // 4)]),
        *[_chained(_other_rows, sibling)] * _RESIZED_TURNS,
        *([_at_all_edges] * _TURNS if is_int8 else []),
    ]


def _as_it_is(rng: np.random.Generator, case: Case) -> Case:
    return case


def _chained(*changes: _Change) -> _Change:
    def change(rng: np.random.Generator, case: Case) -> Case:
        for one in changes:
            case = one(rng, case)
        return case

    return change


def _coarser(factor: float) -> _Change:
    def change(rng: np.random.Generator, case: Case) -> Case:
        quant = case.output_quant
        return replace(
            case, output_quant=QuantParams.per_tensor(factor * quant.scale[0], quant.zero_point[0])
        )

    return change


def _with_sums_at_edges(rng: np.random.Generator, case: Case) -> Case:
    """Inputs that are nearly all zero_point, and a bias that is the last or first sum of an output."""
    x, weights, bias = (*case.inputs, None)[:3]
    assert x is not None and weights is not None
    if bias is not None and bias.data is not None:
        near = sums_near_ties(case.node())[:_NEAREST]
        edges = near[rng.integers(0, len(near), len(near[0])), np.arange(len(near[0]))]
        edges = np.clip(edges, -(2**30), 2**30).astype(np.int32)
        case = replace(case, inputs=(x, weights, replace(bias, data=edges)))
    count = _calls(case)
    steps = rng.integers(-3, 4, (count, *x.shape))
    few = rng.random((count, *x.shape)) < rng.choice([0.0, 0.02, 0.2, 0.6], (count, *[1] * len(x.shape)))
    data = np.clip(x.zero_point + np.where(few, steps, 0), -128, 127).astype(np.int8)
    return replace(case, data=(data,))


def _at_all_edges(rng: np.random.Generator, case: Case) -> Case:
    return with_hard_inputs(rng, case, _FEWEST_CALLS, _EDGE_CALLS, nearest=None)


def _calls(case: Case, outputs: int = _OUTPUTS) -> int:
    return int(np.clip(outputs // case.node().output.elements, _FEWEST_CALLS, _MOST_CALLS))


def _taller(rng: np.random.Generator, case: Case) -> Case:
    """More rows of all activations that have the largest number of them."""
    rank = max(len(t.shape) for t in case.inputs if t is not None)
    if rank < 3:
        return case
    more = int(rng.integers(1, 5))
    most = max(t.shape[-3] for t in case.inputs if t is not None and len(t.shape) == rank)
    inputs = tuple(
        replace(t, shape=(*t.shape[:-3], most + more, *t.shape[-2:]))
        if t is not None and not t.is_constant and len(t.shape) == rank and t.shape[-3] == most
        else t
        for t in case.inputs
    )
    case = replace(case, inputs=inputs, data=None)
    return replace(case, samples=_calls(case))


def _taller_and_wider(rng: np.random.Generator, case: Case) -> Case:
    (x,) = case.inputs
    assert x is not None
    shape = (*x.shape[:-3], *(size + int(rng.integers(0, 5)) for size in x.shape[-3:-1]), x.shape[-1])
    case = replace(case, inputs=(replace(x, shape=shape),), data=None)
    return replace(case, samples=_calls(case))


def _resized(rng: np.random.Generator, case: Case) -> Case:
    """Other numbers of rows, columns, output channels."""
    x, weights, bias = (*case.inputs, None)[:3]
    assert x is not None and weights is not None
    kernel_sizes = weights.shape[1:3] if len(weights.shape) == 4 else ()
    shape = list(x.shape)
    for axis in range(len(shape) - 1) if not kernel_sizes else (1, 2):
        is_line = kernel_sizes and shape[axis] == 1 == kernel_sizes[axis - 1]
        shape[axis] += 0 if is_line and rng.random() < 0.7 else int(rng.choice([0, 1, 2, 3, 6]))
    case = replace(
        case, inputs=(replace(x, shape=tuple(shape)), weights, bias)[: len(case.inputs)], data=None
    )
    if case.op != "depthwise_conv_2d" and rng.random() < 0.6:
        case = _with_channels(rng, case, int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16])))
    return replace(case, samples=_calls(case))


def _with_channels(rng: np.random.Generator, case: Case, channels: int) -> Case:
    """Output channels: the same ones repeated or cut, with scales about theirs where they have their own."""
    x, weights, bias = (*case.inputs, None)[:3]
    assert x is not None and weights is not None and weights.quant is not None and weights.data is not None
    chosen = np.resize(np.arange(weights.shape[0]), channels)
    scales = np.array(weights.quant.scale)
    if weights.quant.channel_axis is not None:
        scales = scales[chosen] * rng.uniform(0.6, 1.6, channels)

    def taken(tensor: Tensor, scales: np.ndarray) -> Tensor:
        assert tensor.quant is not None and tensor.data is not None
        is_own = tensor.quant.channel_axis is not None
        quant = QuantParams.per_channel(scales.tolist(), 0) if is_own else tensor.quant
        return Tensor.constant(tensor.name, np.ascontiguousarray(tensor.data[chosen]), quant)

    inputs = (x, taken(weights, scales), None if bias is None else taken(bias, x.scale * scales))
    return replace(case, inputs=inputs[: len(case.inputs)])


def _in_blocks(rng: np.random.Generator, case: Case) -> Case:
    """Whole blocks of output channels and another row; steps of the output that are much coarser, or not."""
    if case.op == "depthwise_conv_2d":
        return case
    x, *constants = case.inputs
    assert x is not None
    axis = 0 if len(x.shape) == 2 else 1
    shape = tuple(size + 2 * (index == axis) for index, size in enumerate(x.shape))
    case = replace(case, inputs=(replace(x, shape=shape), *constants), data=None)
    case = sibling(rng, _with_channels(rng, case, int(rng.choice([4, 8, 16, 32]))))
    return _coarser(float(rng.choice([1.0, rng.uniform(2, 12)])))(rng, case)


def _finest(rng: np.random.Generator, case: Case) -> Case:
    """An output's step that is a sum's, about: results are beyond 16 bits."""
    x, weights = case.inputs[:2]
    assert x is not None and weights is not None and weights.quant is not None
    scale = 1.02 * x.scale * max(weights.quant.scale)
    return replace(case, output_quant=QuantParams.per_tensor(scale, case.output_quant.zero_point[0]))


def _longer(axis: int, times: int) -> _Change:
    """So many times more windows along that axis."""

    def change(rng: np.random.Generator, case: Case) -> Case:
        x, *constants = case.inputs
        assert x is not None
        if len(x.shape) < 4:
            return case
        more = times * case.node().output.shape[axis] * case.attrs.strides[axis - 1]
        shape = tuple(size + more * (index == axis) for index, size in enumerate(x.shape))
        return replace(case, inputs=(replace(x, shape=shape), *constants), data=None)

    return change


def _other_rows(rng: np.random.Generator, case: Case) -> Case:
    """Another stride and filter along the rows, and perhaps another column."""
    x, weights, *rest = case.inputs
    assert x is not None and weights is not None and weights.data is not None
    if len(x.shape) < 4:
        return case
    rows, stride, windows = int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.choice([1, 2, 3, 6]))
    height = (rows - 1) * case.attrs.dilation[0] + 1 + stride * (windows - 1)
    shape = (x.shape[0], height, x.shape[2] + int(rng.integers(0, 2)), x.shape[3])
    data = np.ascontiguousarray(weights.data[:, np.arange(rows) % weights.shape[1]])
    inputs = (replace(x, shape=shape), replace(weights, shape=data.shape, data=data), *rest)
    attrs = replace(case.attrs, strides=(stride, case.attrs.strides[1]))
    case = replace(case, attrs=attrs, inputs=inputs, data=None)
    return replace(case, samples=_calls(case))


def _many_rows(rng: np.random.Generator, case: Case) -> Case:
    """More than 256 rows or columns, where the layer is small."""
    x, *constants = case.inputs
    assert x is not None
    axis = int(rng.integers(0, len(x.shape) - 1)) if len(x.shape) == 2 else int(rng.integers(1, 3))
    shape = tuple(size + (300 if index == axis else 0) for index, size in enumerate(x.shape))
    case = replace(case, inputs=(replace(x, shape=shape), *constants), data=None)
    return replace(case, samples=2)


def _far(elements: int | None) -> _Change:
    """Two windows of a row, SEGMENT_BYTES apart, or that many elements of a channel. One row of windows."""

    def change(rng: np.random.Generator, case: Case) -> Case:
        x, weights, *rest = case.inputs
        assert x is not None and weights is not None
        stride = elements or -(-SEGMENT_BYTES // x.shape[3])
        span = [(size - 1) * d + 1 for size, d in zip(weights.shape[1:3], case.attrs.dilation, strict=True)]
        attrs = replace(case.attrs, strides=(case.attrs.strides[0], stride), padding="valid")
        x = replace(x, shape=(1, span[0], span[1] + stride, x.shape[3]))
        return replace(case, attrs=attrs, inputs=(x, weights, *rest), data=None, samples=2)

    return change


def _other_window(rng: np.random.Generator, case: Case) -> Case:
    """A pool of other windows, many of them cut by the border."""
    (x,) = case.inputs
    assert x is not None
    size = (int(rng.integers(1, 7)), int(rng.integers(1, 7)))
    attrs = replace(case.attrs, filter_size=size, padding=str(rng.choice(["same", "same", "valid"])))
    if attrs.padding == "valid":
        shape = (*x.shape[:1], max(x.shape[1], size[0]), max(x.shape[2], size[1]), x.shape[3])
        x = replace(x, shape=shape)
    case = replace(case, attrs=attrs, inputs=(x,), data=None)
    return replace(case, samples=_calls(case))


def _with_extreme_weights(rng: np.random.Generator, case: Case) -> Case:
    """-128 and 127 alone, or in most places, and a scale that still tells the sums apart."""
    x, weights, *rest = case.inputs
    assert x is not None and weights is not None and weights.data is not None
    extreme = rng.choice([-128, 127], weights.shape)
    if rng.random() < 0.3:
        extreme = np.full(weights.shape, int(rng.choice([-128, 127])))
    data = np.where(rng.random(weights.shape) < rng.choice([0.3, 1.0]), extreme, weights.data)
    case = replace(case, inputs=(x, replace(weights, data=data.astype(np.int8)), *rest), data=None)
    return replace(case, samples=_calls(case))
