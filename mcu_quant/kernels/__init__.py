"""All kernels, and the choice among them. A new kernel is its two files and a line here."""

from __future__ import annotations

from importlib import import_module

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph
from mcu_quant.kernels.base import Core, Kernel
from mcu_quant.ops.forms import form_of

_MODULES = (
    "portable.fully_connected_s8",
    "portable.conv_2d_s8",
    "portable.depthwise_conv_2d_s8",
    "portable.transpose_conv_s8",
    "portable.batch_matmul_s8",
    "portable.lstm_s8",
    "portable.lstm_s16",
    "portable.lstm_f32",
    "portable.gru_s8",
    "portable.gru_s16",
    "portable.gru_f32",
    "portable.simple_rnn_s8",
    "portable.simple_rnn_s16",
    "portable.simple_rnn_f32",
    "dsp.gru_s8_dsp",
    "dsp.simple_rnn_s8_dsp",
    "portable.svdf_s8",
    "portable.svdf_f32",
    "portable.max_pool_2d_s8",
    "portable.average_pool_2d_s8",
    "portable.mean_s8",
    "portable.pad_s8",
    "portable.softmax_s8",
    "portable.softmax_table_s8",
    "portable.lookup_s8",
    "portable.add_s8",
    "portable.mul_s8",
    "portable.extremum_s8",
    "portable.compare_s8",
    "portable.select",
    "portable.strided_copy_s8",
    "portable.strided_copy_s16",
    "portable.strided_copy_f32",
    "portable.concatenation_s8",
    "portable.slide_s8",
    "portable.normalize_rows_s8",
    "portable.normalize_rows_s16",
    "portable.quantize_f32",
    "portable.dequantize_f32",
    "portable.fully_connected_s16",
    "portable.conv_2d_s16",
    "portable.depthwise_conv_2d_s16",
    "portable.transpose_conv_s16",
    "portable.batch_matmul_s16",
    "portable.max_pool_2d_s16",
    "portable.average_pool_2d_s16",
    "portable.mean_s16",
    "portable.softmax_s16",
    "portable.sigmoid_s16",
    "portable.rescale_s16",
    "portable.rsqrt_s16",
    "portable.prelu_s8",
    "portable.prelu_s16",
    "portable.prelu_f32",
    "portable.add_s16",
    "portable.mul_s16",
    "portable.extremum_s16",
    "portable.quantize_s16",
    "portable.quantize_f32_s16",
    "portable.dequantize_f32_s16",
    "portable.fully_connected_f32",
    "portable.conv_2d_f32",
    "portable.depthwise_conv_2d_f32",
    "portable.transpose_conv_f32",
    "portable.batch_matmul_f32",
    "portable.pool_2d_f32",
    "portable.reduce_f32",
    "portable.reduce_extremum_s8",
    "portable.reduce_extremum_s16",
    "portable.reduce_prod_s8",
    "portable.reduce_prod_s16",
    "portable.cumsum_s8",
    "portable.l2_normalization_s8",
    "portable.l2_normalization_f32",
    "portable.log_softmax_s8",
    "portable.log_softmax_f32",
    "portable.cumsum_f32",
    "portable.softmax_f32",
    "portable.unary_f32",
    "portable.binary_f32",
    "portable.compare_f32",
    "portable.gather_s8",
    "portable.one_hot_s8",
    "portable.mirror_pad_s8",
    "portable.resize_nearest_s8",
    "portable.resize_bilinear_s8",
    "portable.resize_bilinear_s16",
    "portable.resize_bilinear_f32",
    "portable.fully_connected_hybrid",
    "portable.conv_2d_hybrid",
    "portable.depthwise_conv_2d_hybrid",
    "portable.compare_plain",
    "portable.binary_s32",
    "portable.div_s8",
    "portable.squared_difference_s8",
    "portable.squared_difference_s16",
    "portable.division_f32",
    "portable.alias",
    "portable.transpose_conv_hybrid",
    "portable.arg_extremum",
    "portable.arg_extremum_f32",
    "portable.cast_integer",
    "portable.cast_f32",
    "armv7m.fully_connected_s8_armv7m",
    "armv7m.conv_2d_s8_armv7m",
    "armv7m.pointwise_bytes_s8_armv7m",
    "armv7m.depthwise_conv_2d_s8_armv7m",
    "armv7m.add_s8_armv7m",
    "thumb1.conv_2d_pairs_s8",
    "thumb1.conv_2d_four_pixels_s8",
    "thumb1.fully_connected_bytes_s8",
    "thumb1.depthwise_conv_2d_pairs_s8",
    "thumb1.add_tables_s8",
    "dsp.conv_2d_dsp_s8",
    "dsp.fully_connected_dsp_s8",
    "dsp.depthwise_planar_s8",
    "dsp.depthwise_lines_s8",
    "dsp.conv_2d_dsp_hybrid",
    "dsp.fully_connected_dsp_hybrid",
    "dsp.transpose_conv_s8_dsp",
    "dsp.batch_matmul_s8_dsp",
    "dsp.batch_matmul_pairs_s8_dsp",
    "dsp.batch_matmul_s16_dsp",
    "dsp.normalize_rows_s8_dsp",
    "dsp.lstm_s8_dsp",
    "dsp.lstm_s16_dsp",
    "dsp.svdf_s8_dsp",
    "dsp.add_s8_dsp",
    "dsp.binary_s8_dsp",
    "dsp.average_pool_2d_s8_dsp",
    "dsp.max_pool_2d_s8_dsp",
    "dsp.mean_s8_dsp",
    "dsp.quantize_f32_dsp",
    "mve.conv_2d_s8_mve",
    "mve.conv_2d_columns_s8_mve",
    "mve.fully_connected_s8_mve",
    "mve.depthwise_conv_2d_s8_mve",
    "mve.depthwise_conv_1d_s8_mve",
    "mve.average_pool_2d_s8_mve",
    "mve.max_pool_2d_s8_mve",
    "mve.add_s8_mve",
    "mve.mul_s8_mve",
    "dsp.winograd_dsp_s8",
    "dsp.conv_2d_dsp_s16",
    "dsp.fully_connected_dsp_s16",
    "dsp.depthwise_conv_2d_dsp_s16",
)


def _kernels_of(module: str) -> tuple[Kernel, ...]:
    """A module's KERNEL, or its KERNELS if it has several that share a function in C."""
    names = vars(import_module(f"{__name__}.{module}"))
    return names.get("KERNELS") or (names["KERNEL"],)


#: Every kernel; each name occurs once.
KERNELS: tuple[Kernel, ...] = tuple(kernel for module in _MODULES for kernel in _kernels_of(module))


def usable_kernels(
    core: Core, optimize: str = "balanced", families: tuple[str, ...] | None = None
) -> list[Kernel]:
    """The kernels of the core's families (or those given) that are for the mode."""
    return [k for k in KERNELS if k.family in (families or core.families) and optimize in k.modes]


def able_kernels(
    graph: Graph, core: Core, optimize: str = "balanced", families: tuple[str, ...] | None = None
) -> list[tuple[Kernel, ...]]:
    """For each node its kernels, the cheapest first, of the core's families (or those given) and the mode.

    optimize: "time", "balanced" or "size". Raises UnsupportedModelError with every node that no kernel
    computes.
    """
    usable = usable_kernels(core, optimize, families)
    chosen: list[tuple[Kernel, ...]] = []
    problems: list[Problem] = []
    for node in graph.bound_nodes():
        form = form_of(node)
        kernels = [kernel for kernel in usable if node.node.op in kernel.ops and form in kernel.forms]
        refusals = {kernel.name: kernel.refusal(node) for kernel in kernels}
        able = [kernel for kernel in kernels if refusals[kernel.name] is None]
        if able:
            chosen.append(tuple(sorted(able, key=lambda kernel: kernel.cycles_in(node, core, optimize))))
        else:
            problems.append(_unsupported(node, [text for text in refusals.values() if text is not None]))
    if problems:
        raise UnsupportedModelError(problems)
    return chosen


def choose_kernels(
    graph: Graph, core: Core, optimize: str = "balanced", families: tuple[str, ...] | None = None
) -> list[Kernel]:
    """The cheapest kernel for each node: the first of able_kernels."""
    return [able[0] for able in able_kernels(graph, core, optimize, families)]


def _unsupported(node: BoundNode, refusals: list[str]) -> Problem:
    types = ", ".join(tensor.dtype for tensor in (*node.inputs, *node.outputs) if tensor is not None)
    rule = "; ".join(refusals) or f"there is no C kernel for {node.node.op} in {form_of(node)}"
    return Problem(rule, node.name, types, "quantize the model to full int8")
