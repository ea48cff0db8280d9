"""svdf: meaning, bits over many steps, and C. Each ID reruns one case."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.boards import load_board
from mcu_quant.errors import UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Node, QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.support import node_problems
from mcu_quant.ops.svdf import BIAS, STATE, SvdfAttrs
from mcu_quant.verify.qemu import QemuEngine
from tests.codegen.deployments import deploy
from tests.conftest import require_tools
from tests.ops.driver import (
    CHECKS,
    Case,
    activation,
    check_name,
    float_node,
    one_node_graph,
    real_operands,
)
from tests.oracles import tflm

OP = "svdf"


def case(
    name: str,
    sizes: tuple[int, int, int, int] = (12, 5, 2, 6),
    *,
    rows: int = 1,
    wide: bool = True,
    zero_points: tuple[int, int, int] = (3, 0, -5),
    fill: int | None = None,
    gains: tuple[float, float] = (1.0, 1.0),
    activation_of: str = "none",
    float_steps: float = 2.0,
    samples: int = 40,
) -> Case:
    """sizes: of a frame, units, rank, memory. wide: the state is int16, not int8. zero_points: of the input,
    the state, the output. gains: how often the largest value of a filter spans the state's type, and how
    often outputs span theirs.
    """
    size, units, rank, memory = sizes
    filters = units * rank
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 1)
    dtype, largest = ("int16", 32767) if wide else ("int8", 127)

    def weights(shape: tuple[int, int], most: int) -> np.ndarray:
        return np.full(shape, fill) if fill is not None else rng.integers(-most, most + 1, shape)

    x = activation("x", (rows, size), 0.05, zero_points[0])
    feature = Tensor.constant(
        "feature", weights((filters, size), 127).astype(np.int8), QuantParams.per_tensor(0.01)
    )
    widest = 0.05 * 255 * 0.01 * float(np.abs(feature.data.astype(int)).sum(axis=1).max())
    state_scale = widest / largest / gains[0]
    state = activation("state", (rows, filters * memory), state_scale, zero_points[1], dtype)
    time = Tensor.constant(
        "time", weights((filters, memory), largest // 4).astype(dtype), QuantParams.per_tensor(0.02)
    )
    bias_scale = state.scale * 0.02
    spread = widest / 2 * 0.02 * largest / 7 * np.sqrt(memory * rank)
    bias = rng.integers(-int(spread / bias_scale) - 1, int(spread / bias_scale) + 2, units).astype(np.int32)
    inputs = (x, feature, time, Tensor.constant("bias", bias, QuantParams.per_tensor(bias_scale)), state)
    y = QuantParams.per_tensor(2 * spread / 127 / gains[1], zero_points[2])
    attrs = SvdfAttrs(rank, activation_of)
    after = replace(state, name="after")
    return Case(name, OP, attrs, inputs, y, samples, float_steps, states=(after,))


CASES = [
    case("plain"),
    case("int8_state", wide=False),
    case("one_filter", (7, 1, 1, 4)),
    case("rank_1", (9, 6, 1, 5)),
    case("rank_3", (8, 3, 3, 8)),
    case("one_input", (1, 4, 2, 3)),
    case("memory_of_1", (8, 4, 2, 1)),
    case("memory_of_1_int8", (8, 4, 2, 1), wide=False),
    case("memory_of_2", (8, 5, 1, 2)),
    case("memory_of_3_int8", (8, 5, 1, 3), wide=False),
    case("long_memory", (5, 3, 2, 33)),
    case("long_memory_int8", (5, 3, 2, 34), wide=False),
    case("keyword_spotting", (40, 32, 1, 8)),
    case("zero_points_low", zero_points=(-128, 0, -128)),
    case("zero_points_high", zero_points=(127, 0, 127)),
    case("state_saturates", gains=(20.0, 1.0), float_steps=255),
    case("state_saturates_int8", gains=(20.0, 1.0), wide=False, float_steps=255),
    # TFLM adds the zero_point to a value that it has limited to int8, and the sum wraps.
    case("int8_state_wraps", gains=(20.0, 1.0), wide=False, zero_points=(3, 40, -5), float_steps=255),
    case("int8_state_zero_point", gains=(0.4, 1.0), wide=False, zero_points=(3, -20, -5)),
    case("output_saturates", gains=(1.0, 30.0), float_steps=31),
    case("sums_wrap", (16, 2, 4, 40), fill=127, gains=(9.0, 1.0), float_steps=255),
    case("time_sums_of_shorts", (12, 5, 2, 6), fill=-128, gains=(3.0, 0.2), float_steps=255),
    case("relu", activation_of="relu", zero_points=(3, 0, -128)),
]
#: No model has a batch, so that only what reshapes can have these.
ROWS = [
    case("several_rows", (6, 3, 2, 4), rows=3),
    case("several_rows_int8", (6, 3, 2, 5), rows=2, wide=False),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, *ROWS], ids=str)
def test_svdf(case: Case, check) -> None:
    check(case)


@pytest.mark.parametrize("wide", [False, True])
def test_thousands_of_steps_equal_tflm(wide: bool) -> None:
    stream = case("stream", (10, 6, 2, 9), wide=wide, samples=3000)
    (expected,) = tflm(write_tflite(stream.graph()), stream.samples_of_inputs(), sequence=True)
    (actual,) = run_graph(stream.graph(), stream.samples_of_inputs())
    assert np.array_equal(actual, expected) and len(np.unique(actual)) > 100


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "microbit"])
@pytest.mark.parametrize("wide", [False, True])
def test_a_thousand_steps_on_boards(wide: bool, board: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    stream, target = case("stream", (10, 6, 2, 9), wide=wide, samples=1000), load_board(board)
    engine = QemuEngine(deploy(stream.graph(), "svdf", target.core), target)
    (actual,) = engine.run(stream.samples_of_inputs())
    assert np.array_equal(actual, run_graph(stream.graph(), stream.samples_of_inputs())[0])


@pytest.mark.parametrize("index", [0, 1])
def test_a_file_says_the_same(index: int) -> None:
    graph = read_tflite(write_tflite(CASES[index].graph()), "model")
    assert [node.attrs for node in graph.nodes] == [CASES[index].attrs]
    samples = CASES[index].samples_of_inputs()
    assert np.array_equal(run_graph(graph, samples)[0], run_graph(CASES[index].graph(), samples)[0])


def broken(**changes: object) -> str:
    """The first problem of a plain case with other inputs or attributes."""
    plain = case("plain")
    node = replace(plain, **changes).node()
    return node_problems(node)[0].rule


def test_an_activation_that_tflm_would_leave_out_is_refused() -> None:
    assert "activation" in broken(attrs=SvdfAttrs(2, "relu"))


def test_mixed_types_of_state_and_weights_are_refused() -> None:
    wide, narrow = case("plain"), case("plain", wide=False)
    inputs = (*wide.inputs[:STATE], narrow.inputs[STATE])
    assert "both int8 or both int16" in broken(inputs=inputs, states=narrow.states)


def test_a_bias_of_another_size_is_refused() -> None:
    plain = case("plain")
    inputs = list(plain.inputs)
    inputs[BIAS] = Tensor.constant("bias", np.array(3, np.int32), inputs[BIAS].quant)
    shapes = [tensor.shape for tensor in inputs]
    with pytest.raises(ValueError, match="bias"):
        OPERATORS[OP].output_shapes(plain.attrs, shapes)


@pytest.mark.parametrize("hybrid", [False, True])
def test_float_frames_and_int8_weights(hybrid: bool) -> None:
    """Behind a DEQUANTIZE they are float weights; without one, LiteRT would quantize every frame."""
    real = replace(case("plain"), attrs=SvdfAttrs(2, hybrid=hybrid))
    graph = one_node_graph(OP, *_stored(real))
    if hybrid:
        with pytest.raises(UnsupportedModelError, match="no hybrid form"):
            read_tflite(write_tflite(graph), "model")
    else:
        assert form_of(next(read_tflite(write_tflite(graph), "model").bound_nodes())) == "float"


def _stored(case: Case) -> tuple[Node, dict[str, Tensor]]:
    """The case's node in float32, but for its weights: int8."""
    node = float_node(case.node(), real_operands(case))
    weights = [
        Tensor.constant(t.name, np.ones(t.shape, np.int8), QuantParams.per_tensor(0.1))
        for t in node.inputs[1:3]
    ]
    inputs = (node.inputs[0], *weights, *node.inputs[3:])
    return node.node, {t.name: t for t in (*inputs, *node.outputs)}
