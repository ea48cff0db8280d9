"""Depthwise convolution on thumb-1: two rows of the image share each product, a channel after the other.

Weights take four times their bytes. Scratch holds some columns of one channel as words.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.thumb1.planes import Planes, planes_function, windows_function
from mcu_quant.kernels.thumb1.requantize import Form, form_of
from mcu_quant.ops.conv_2d import axes_of

_SCRATCH_BYTES = 5376
_MOST_TAPS, _MOST_ROWS = 32, 250


class DepthwiseConv2DPairsS8(Kernel):
    name = "depthwise_conv_2d_pairs_s8"
    family = "thumb1"
    ops = ("depthwise_conv_2d",)
    modes = ("time",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(0).shape[3] != node.output.shape[3]:
            return "the depth multiplier must be 1"
        if node.attrs.dilation != (1, 1):
            return "dilation must be 1"
        planes = planes_of(node)
        if planes.taps > _MOST_TAPS or planes.rows > _MOST_ROWS:
            return f"filters must have {_MOST_TAPS} taps at most, images {2 * _MOST_ROWS} rows"
        if _run_sums(node, split=True).max() > 255:
            return "two neighbouring weights must not both be -128"
        form = form_of(node)
        if form is None or len(form.exact) * 4 > node.output.shape[3]:
            return "most channels must have a proven short requantization"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        planes, form = planes_of(node), _form(node)
        height, width, channels = planes.height, planes.width, node.output.shape[3]
        split = _run_sums(node, split=False).max(axis=1) > 255
        with_table = form.has_small_table
        params = {
            "input_h": height.input_size,
            "input_w": width.input_size,
            "channels": channels,
            "filter_h": height.filter_size,
            "filter_w": width.filter_size,
            "output_h": height.output_size,
            "output_w": width.output_size,
            "stride_h": height.stride,
            "stride_w": width.stride,
            "padding_h": height.before,
            "padding_w": width.before,
            "input_zero_point": node.input(0).zero_point,
            "block_w": _block(planes),
            "table_lowest": form.table_lowest if with_table else 0,
            "exact_channels": len(form.exact),
            **form.params(),
        }
        functions = {
            kind: windows_function(form, planes, split=kind, with_table=with_table)
            for kind in sorted(set(split.tolist()))
        }
        whole = functions.get(False, functions.get(True))
        assert whole is not None
        arguments = (
            Activation(node.input(0).name),
            Constant("weights", _stream(node, form, split)),
            Constant("table", form.table if with_table else np.zeros(1, np.int8)),
            Constant("exact", form.exact if len(form.exact) else np.zeros((1, 4), np.int32)),
            planes_function(planes, node.input(0).zero_point),
            whole,
            functions.get(True, whole),
            Scratch(),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        planes = planes_of(node)
        return 4 * planes.rows * planes.columns(_block(planes))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """Runs and columns of a window, words that are packed, channels: fitted to docs/benchmarks.json."""
        planes, form, channels = planes_of(node), _form(node), node.output.shape[3]
        pairs = planes.pairs * planes.width.output_size
        window = 13.9 * len(planes.runs()) + 19.1 * planes.width.filter_size + 8 * (form.digits - 2)
        window += 32 * form.short.is_signed + (0 if form.has_small_table else 4.8)
        words = planes.rows * planes.width.input_size
        exact = 29.7 * len(form.exact) * node.output.elements / channels * planes.taps
        return channels * (pairs * window + 10.6 * words + 200) + exact


def _form(node: BoundNode) -> Form:
    form = form_of(node)
    assert form is not None, node.name
    return form


def planes_of(node: BoundNode) -> Planes:
    return Planes(*axes_of(node))


def _block(planes: Planes) -> int:
    """Output columns that go through the scratch at once."""
    columns = max(planes.width.filter_size, _SCRATCH_BYTES // (4 * planes.rows))
    return min(planes.width.output_size, (columns - planes.width.filter_size) // planes.width.stride + 1)


@lru_cache(maxsize=64)
def _rows(node: BoundNode) -> IntArray:
    """Weights int64 [channels, taps], column by column."""
    weights = node.input(1).data
    assert weights is not None
    return weights.astype(np.int64)[0].transpose(2, 1, 0).reshape(weights.shape[3], -1)


def _run_sums(node: BoundNode, *, split: bool) -> IntArray:
    """The sums of |w| that go through 16 bits at once, [channels, sums]."""
    weights = np.abs(_rows(node))
    parts = [
        weights[:, first + start : first + end]
        for first, count in planes_of(node).runs()
        for start, end in (((0, min(count, 2)), (2, count)) if split else ((0, count),))
    ]
    return np.stack([part.sum(axis=1) for part in parts], axis=1)


def _stream(node: BoundNode, form: Form, split: np.ndarray) -> np.ndarray:
    """int32 [channels, taps + constants + 1]: weights, constants, 1 if the second function is to take it."""
    columns = [_rows(node), form.constants.astype(np.int64), split[:, None].astype(np.int64)]
    return np.concatenate(columns, axis=1).astype(np.int32)


KERNEL = DepthwiseConv2DPairsS8()
