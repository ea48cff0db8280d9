"""The .tflite reader on damaged, hostile and unsupported files. The files are made here."""

from __future__ import annotations

import contextlib
import random
import struct
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import flatbuffers
import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, McuQuantError, UnsupportedModelError
from mcu_quant.exporters.tflite import BUFFER_ALIGN, write_tflite
from mcu_quant.importers import tflite_file
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.support import require_supported
from mcu_quant.ops.transpose_conv import TransposeConvAttrs
from tests.graphs import assert_same_graph
from tests.oracles import litert_ref, tflm

#: The schema with mutable objects, which the tflite package lacks.
tflite = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="edits files by LiteRT's schema")


def dense_graph(layers: int = 2, units: int = 3) -> Graph:
    """A chain of fully connected layers, int8, per channel."""
    rng = np.random.default_rng(0)
    quant = QuantParams.per_tensor(0.05, -3)
    tensors = {"x": Tensor("x", (1, units), "int8", quant)}
    nodes, last = [], "x"
    for index in range(layers):
        weights = Tensor.constant(
            f"w{index}",
            rng.integers(-127, 128, (units, units)).astype(np.int8),
            QuantParams.per_channel(rng.uniform(0.001, 0.02, units), 0),
        )
        bias = Tensor.constant(f"b{index}", rng.integers(-99, 99, units).astype(np.int32))
        output = Tensor(f"y{index}", (1, units), "int8", quant)
        tensors |= {tensor.name: tensor for tensor in (weights, bias, output)}
        inputs = (last, weights.name, bias.name)
        nodes.append(Node(output.name, "fully_connected", FullyConnectedAttrs(), inputs, (output.name,)))
        last = output.name
    return check(Graph("dense", tuple(nodes), tensors, ("x",), (last,)))


GRAPH = dense_graph()
FILE = write_tflite(GRAPH)


def model_object() -> Any:
    """The file as the schema's mutable objects."""
    return tflite.ModelT.InitFromPackedBuf(FILE)


def edited(edit: Callable[[Any], None]) -> bytes:
    """The file after an edit of its objects."""
    model = model_object()
    edit(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(model: Any, name: str) -> Any:
    (found,) = (t for t in model.subgraphs[0].tensors if t.name == name.encode())
    return found


def set_fields(name: str, **fields: Any) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        for field, value in fields.items():
            setattr(tensor(model, name), field, value)

    return edit


def set_quantization(name: str, **fields: Any) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        for field, value in fields.items():
            setattr(tensor(model, name).quantization, field, value)

    return edit


def set_operator(**fields: Any) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        for field, value in fields.items():
            setattr(model.subgraphs[0].operators[0], field, value)

    return edit


def set_subgraph(**fields: Any) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        for field, value in fields.items():
            setattr(model.subgraphs[0], field, value)

    return edit


def set_code(code: int, custom: bytes | None = None) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        model.operatorCodes[0].builtinCode = code
        model.operatorCodes[0].deprecatedBuiltinCode = min(code, 127)
        model.operatorCodes[0].customCode = custom

    return edit


def set_constant(name: str, data: bytes) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        model.buffers[tensor(model, name).buffer].data = list(data)

    return edit


def add_signature(model: Any, key: bytes) -> None:
    model.subgraphs.append(model.subgraphs[0])
    signature = tflite.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key, 1
    signature.inputs, signature.outputs = [], []
    model.signatureDefs.append(signature)


def external_file() -> bytes:
    """w0 in another file, as very large models have their weights."""

    def edit(model: Any) -> None:
        tensor(model, "w0").externalBuffer, tensor(model, "w0").buffer = 1, 0

    return edited(edit)


def test_reading_gives_what_was_written() -> None:
    assert_same_graph(read_tflite(FILE, "dense"), GRAPH)
    assert write_tflite(read_tflite(FILE, "dense")) == FILE


def test_an_edit_that_changes_nothing_reads_the_same() -> None:
    assert_same_graph(read_tflite(edited(lambda model: None), "dense"), GRAPH)


def test_tflm_and_litert_load_the_file() -> None:
    inputs = [np.zeros((2, 1, 3), np.int8)]
    assert tflm(FILE, inputs)[0].shape == litert_ref(FILE, inputs)[0].shape == (2, 1, 3)


def test_constants_are_aligned_and_equal_ones_are_stored_once() -> None:
    data = np.arange(-100, -91, dtype=np.int8).reshape(3, 3)
    quant = QuantParams.per_tensor(0.01)
    weights = {name: Tensor.constant(name, data, quant) for name in ("w0", "w1")}
    file = write_tflite(replace(GRAPH, tensors=dict(GRAPH.tensors) | weights))
    assert file.count(data.tobytes()) == 1
    assert file.index(data.tobytes()) % BUFFER_ALIGN == 0


INVALID = {
    "empty": (b"", "TFL3"),
    "not a model": (b"PK\x03\x04 this is a zip file", "TFL3"),
    "schema version": (edited(lambda m: setattr(m, "version", 2)), "schema version"),
    "no subgraph": (edited(lambda m: setattr(m, "subgraphs", [])), "must hold a model"),
    "tensor index": (edited(set_operator(inputs=[0, 1, 77])), "tensors of the file"),
    "negative output": (edited(set_operator(outputs=[-1])), "tensors of the file"),
    "buffer index": (edited(set_fields("w0", buffer=99)), "buffer must be in the file"),
    "operator code": (edited(set_operator(opcodeIndex=9)), "code must be in the file"),
    "cycle": (edited(set_operator(inputs=[6, 1, 2])), "written before it is read"),
    "written twice": (edited(set_operator(outputs=[0])), "written once"),
    "output never written": (edited(lambda m: m.subgraphs[0].operators.pop()), "output must be written"),
    "no input": (edited(set_subgraph(inputs=[])), "inputs must be different"),
    "repeated input": (edited(set_subgraph(inputs=[0, 0])), "inputs must be different"),
    "no output": (edited(set_subgraph(outputs=[])), "must have an output"),
    "constant input": (edited(set_subgraph(inputs=[0, 1])), "must not be a constant"),
    "negative size": (edited(set_fields("y0", shape=[1, -3])), "sizes, positive"),
    "zero size": (edited(set_fields("y0", shape=[1, 0])), "sizes, positive"),
    "huge": (edited(set_fields("y0", shape=[1, 65536, 65536])), "sizes, positive"),
    "rank": (edited(set_fields("y0", shape=[1] * 9)), "at most 8 sizes"),
    "variable input": (edited(set_fields("x", isVariable=True)), "an input must not be a variable tensor"),
    "wrong shape": (edited(set_fields("y0", shape=[1, 4])), "follows from the inputs"),
    "short constant": (edited(set_constant("w0", bytes(8))), "size of its shape"),
    "NaN scale": (edited(set_quantization("x", scale=[float("nan")])), "positive and finite"),
    "infinite scale": (edited(set_quantization("x", scale=[float("inf")])), "positive and finite"),
    "zero scale": (edited(set_quantization("x", scale=[0.0])), "positive and finite"),
    "negative scale": (edited(set_quantization("x", scale=[-1.0])), "positive and finite"),
    "zero point": (edited(set_quantization("x", zeroPoint=[128])), r"zero_point must be in \[-128, 127\]"),
    "zero points": (edited(set_quantization("w0", zeroPoint=[0, 0])), "zero_point for every scale"),
    "axis": (edited(set_quantization("w0", quantizedDimension=2)), "one per index of an axis"),
    "scales": (edited(set_quantization("w0", scale=[1.0, 1.0], zeroPoint=[0, 0])), "per index of an axis"),
    "missing operands": (edited(set_operator(inputs=[0])), "must fit together"),
    "absent operand": (edited(set_operator(inputs=[0, -1, 2])), "must fit together"),
}  # fmt: skip

UNSUPPORTED = {
    "operator": (edited(set_code(tflite.BuiltinOperator.TOPK_V2)), "TOPK_V2"),
    "newer operator": (edited(set_code(tflite.BuiltinOperator.BITCAST)), "BITCAST"),
    "unknown operator": (edited(set_code(4711)), "BUILTIN_4711"),
    "custom": (edited(set_code(tflite.BuiltinOperator.CUSTOM, b"FlexErf")), "FlexErf.*SELECT_TF_OPS"),
    "batch": (edited(set_fields("x", shape=[8, 3])), "batch .* must be 1.*8, 3"),
    "open size": (edited(set_fields("x", shapeSignature=[-1, -1])), "every size but the batch"),
    "INT4": (edited(set_fields("w0", type=tflite.TensorType.INT4)), "INT4.*8 bits"),
    "float16": (edited(set_fields("y0", type=tflite.TensorType.FLOAT16)), "computed must not be float16"),
    "string": (edited(set_fields("w0", type=tflite.TensorType.STRING)), "STRING"),
    "variable": (edited(set_fields("y0", isVariable=True)), "keep state"),
    "sparse": (edited(set_fields("w0", sparsity=tflite.SparsityParametersT())), "dense"),
    "signatures": (edited(lambda m: add_signature(m, b"train")), "one signature.*serving_default, train"),
    "external": (external_file(), "constants must be in the file"),
    "no scale": (edited(set_fields("y1", quantization=None)), "must have a scale"),
    "weights along inputs": (edited(set_quantization("w0", quantizedDimension=1)), "axis 0.*axis 1"),
    "hybrid": (edited(set_fields("x", type=tflite.TensorType.FLOAT32)), "all integer or all float"),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid(case: str) -> None:
    data, message = INVALID[case]
    with pytest.raises(InvalidModelError, match=message):
        read_tflite(data, "model")


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported(case: str) -> None:
    data, message = UNSUPPORTED[case]
    with pytest.raises(UnsupportedModelError, match=f"(?s){message}"):
        read_tflite(data, "model")


def test_float_files_are_read_and_supported() -> None:
    tensors = {
        "x": Tensor("x", (1, 3)),
        "w": Tensor.constant("w", np.ones((3, 3), np.float32)),
        "y": Tensor("y", (1, 3)),
    }
    node = Node("y", "fully_connected", FullyConnectedAttrs(), ("x", "w", None), ("y",))
    graph = Graph("float", (node,), tensors, ("x",), ("y",))
    read = read_tflite(write_tflite(graph), "float")
    assert_same_graph(read, graph)
    assert require_supported(read) is read


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_arithmetic_of_other_integers_is_refused(dtype: str) -> None:
    tensors = {name: Tensor(name, (1, 3), dtype, None) for name in ("x", "y")}
    node = Node("y", "add", ArithmeticAttrs(), ("x", "x"), ("y",))
    with pytest.raises(UnsupportedModelError, match=r"y: . must be (int8|int32)"):
        require_supported(Graph("add", (node,), tensors, ("x",), ("y",)))


def quantized(*names: str, dtype: str = "int8") -> dict[str, Tensor]:
    quant = QuantParams.per_tensor(0.05, -3)
    return {name: Tensor(name, (1, 2, 2, 1), dtype, quant if dtype == "int8" else None) for name in names}


def test_an_output_may_be_a_constant() -> None:
    tensors = quantized("x", "y")
    tensors["c"] = Tensor.constant("c", np.arange(2, dtype=np.int8), tensors["x"].quant)
    node = Node("y", "add", ArithmeticAttrs(), ("x", "x"), ("y",))
    graph = read_tflite(write_tflite(Graph("constant", (node,), tensors, ("x",), ("y", "c"))), "constant")
    _, constant = run_graph(graph, [np.zeros((3, 1, 2, 2, 1), np.int8)])
    assert constant.tolist() == [[0, 1]] * 3


def test_an_operator_of_constants_is_computed() -> None:
    """With its scale, in TFLM's bits: (5 + 3) * 0.05 twice is 0.8, which is 16 steps above the zero_point."""
    tensors = quantized("x", "y", "z")
    tensors["c"] = Tensor.constant("c", np.full((1, 2, 2, 1), 5, np.int8), tensors["x"].quant)
    nodes = (
        Node("y", "add", ArithmeticAttrs(), ("c", "c"), ("y",)),
        Node("z", "add", ArithmeticAttrs(), ("x", "y"), ("z",)),
    )
    file = write_tflite(Graph("constants", nodes, tensors, ("x",), ("z",)))
    graph = read_tflite(file, "constants")
    assert [node.name for node in graph.nodes] == ["z"]
    assert graph.tensors["y"].data.tolist() == [[[[13], [13]], [[13], [13]]]]  # type: ignore[union-attr]
    assert graph.tensors["y"].quant == tensors["y"].quant
    inputs = [np.arange(-128, 128, dtype=np.int8).reshape(-1, 1, 2, 2, 1)]
    np.testing.assert_array_equal(run_graph(graph, inputs), tflm(file, inputs))


@pytest.mark.parametrize("missing", [1, 2])
def test_a_missing_operand_is_damage(missing: int) -> None:
    tensors = quantized("a", "b", "y") | quantized("condition", dtype="bool")
    inputs = ("condition", "a", "b")[: 3 - missing]
    node = Node("y", "select_v2", None, inputs, ("y",))
    file = write_tflite(Graph("select", (node,), tensors, ("condition", "a", "b"), ("y",)))
    with pytest.raises(InvalidModelError, match="inputs and options of SELECT_V2 must fit"):
        read_tflite(file, "select")


@pytest.mark.parametrize("size", [(0, 1), (-1, 1), (1, 2**30)])
def test_windows_have_a_sane_size(size: tuple[int, int]) -> None:
    tensors = quantized("x", "y")
    node = Node("y", "average_pool_2d", Pool2DAttrs(size, (1, 1), "same"), ("x",), ("y",))
    file = write_tflite(Graph("pool", (node,), tensors, ("x",), ("y",)))
    with pytest.raises(InvalidModelError, match=r"must be positive|at most 262144 elements"):
        read_tflite(file, "pool")


@pytest.mark.parametrize(
    ("attrs", "rule"),
    [
        (Conv2DAttrs(strides=(1, -1)), "StrideH and StrideW must be positive"),
        (Conv2DAttrs(dilation=(0, 1)), "DilationHFactor and DilationWFactor must be positive"),
        (TransposeConvAttrs((2, 2), (0, 1)), "StrideH and StrideW must be positive"),
    ],
)
def test_steps_of_convolutions_are_positive(attrs: Conv2DAttrs | TransposeConvAttrs, rule: str) -> None:
    op = "conv_2d" if isinstance(attrs, Conv2DAttrs) else "transpose_conv"
    tensors = quantized("x", "y")
    size = (1, *attrs.output_size, 1) if isinstance(attrs, TransposeConvAttrs) else (1, 2, 2, 1)
    tensors["y"] = replace(tensors["y"], shape=size)
    tensors["w"] = Tensor.constant("w", np.ones((1, 1, 1, 1), np.int8), QuantParams.per_tensor(0.1))
    file = write_tflite(Graph("conv", (Node("y", op, attrs, ("x", "w"), ("y",)),), tensors, ("x",), ("y",)))
    with pytest.raises(InvalidModelError, match=rule):
        read_tflite(file, "conv")


@pytest.mark.parametrize("value", [-1, 4])
def test_fused_activations_are_known_ones(value: int) -> None:
    def edit(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction = value

    with pytest.raises(UnsupportedModelError, match="FusedActivationFunction must be none or relu"):
        read_tflite(edited(edit), "model")


def test_everything_unsupported_is_listed_at_once() -> None:
    def edit(model: Any) -> None:
        set_code(tflite.BuiltinOperator.TOPK_V2)(model)
        set_fields("x", shape=[8, 3])(model)

    with pytest.raises(UnsupportedModelError) as caught:
        read_tflite(edited(edit), "model")
    assert [problem.layer for problem in caught.value.problems] == ["x", "y0", "y1"]


def test_a_dynamic_batch_is_one() -> None:
    graph = read_tflite(edited(set_fields("x", shapeSignature=[-1, 3])), "dense")
    assert_same_graph(graph, GRAPH)


def test_shapes_computed_for_an_open_batch_are_constant() -> None:
    """What converters emit for Flatten when the batch is open: RESHAPE(x, PACK(SHAPE(x)[0:1], 3))."""
    builtin = tflite.BuiltinOperator

    def edit(model: Any) -> None:
        graph = model.subgraphs[0]

        def add_tensor(name: str, value: list[int] | None = None, shape: tuple[int, ...] = (1,)) -> int:
            new = tflite.TensorT()
            new.name, new.shape, new.type = name, list(shape), tflite.TensorType.INT32
            if value is not None:
                new.buffer = len(model.buffers)
                model.buffers.append(tflite.BufferT())
                model.buffers[-1].data = list(np.array(value, "<i4").tobytes())
            graph.tensors.append(new)
            return len(graph.tensors) - 1

        def add_operator(
            code: int, inputs: list[int], output: int, options: tuple[str, Any] | None = None
        ) -> Any:
            new = tflite.OperatorT()
            new.opcodeIndex = len(model.operatorCodes)
            model.operatorCodes.append(tflite.OperatorCodeT())
            model.operatorCodes[-1].builtinCode = model.operatorCodes[-1].deprecatedBuiltinCode = code
            new.inputs, new.outputs = inputs, [output]
            if options is not None:
                new.builtinOptionsType = getattr(tflite.BuiltinOptions, options[0])
                new.builtinOptions = options[1]
            return new

        zero, one = (add_tensor(f"c{i}", [i]) for i in (0, 1))
        shape, batch, target = (
            add_tensor("shape", None, (2,)),
            add_tensor("batch", None, ()),
            add_tensor("t", None, (2,)),
        )
        flat = add_tensor("flat", None, (1, 3))
        graph.tensors[flat].type = tflite.TensorType.INT8
        graph.tensors[flat].quantization = graph.tensors[0].quantization
        slicing = tflite.StridedSliceOptionsT()
        slicing.shrinkAxisMask = 1
        packing = tflite.PackOptionsT()
        packing.valuesCount = 2
        three_scalar = add_tensor("three", [3], ())
        before = [
            add_operator(builtin.SHAPE, [0], shape),
            add_operator(
                builtin.STRIDED_SLICE, [shape, zero, one, one], batch, ("StridedSliceOptions", slicing)
            ),
            add_operator(builtin.PACK, [batch, three_scalar], target, ("PackOptions", packing)),
            add_operator(builtin.RESHAPE, [0, target], flat),
        ]
        graph.operators[0].inputs = [flat, *graph.operators[0].inputs[1:]]
        graph.operators = before + graph.operators

    graph = read_tflite(edited(edit), "dense")
    assert [node.op for node in graph.nodes] == ["reshape", "fully_connected", "fully_connected"]
    assert graph.nodes[0].attrs.shape == (1, 3)


def test_a_bias_may_carry_the_axis_of_its_weights() -> None:
    """person_detect.tflite has quantized_dimension 3 on its biases of rank 1; TFLM runs it."""
    quantization = tflite.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint, quantization.quantizedDimension = (
        [0.1, 0.2, 0.3],
        [0, 0, 0],
        3,
    )
    graph = read_tflite(edited(set_fields("b0", quantization=quantization)), "dense")
    assert graph.tensors["b0"].quant == QuantParams.per_channel([0.1, 0.2, 0.3], 0)


def test_nan_weights_are_refused() -> None:
    weights = np.ones((3, 3), np.float32)
    weights[1, 1] = np.nan
    tensors = {
        "x": Tensor("x", (1, 3)),
        "w": Tensor.constant("w", weights),
        "y": Tensor("y", (1, 3)),
    }
    node = Node("y", "fully_connected", FullyConnectedAttrs(), ("x", "w", None), ("y",))
    file = write_tflite(Graph("nan", (node,), tensors, ("x",), ("y",)))
    with pytest.raises(InvalidModelError, match=r"w: weights must be finite"):
        read_tflite(file, "nan")


def test_names_are_made_different_and_printable() -> None:
    def edit(model: Any) -> None:
        for item in model.subgraphs[0].tensors:
            item.name = b"same\n*/"

    graph = read_tflite(edited(edit), "dense")
    assert len(graph.tensors) == len(GRAPH.tensors)
    assert all(name.isprintable() for name in graph.tensors)


def test_a_buffer_may_lie_behind_the_flatbuffer() -> None:
    """Files above 2 GB keep their buffers there; positions outside the file are refused."""
    data = GRAPH.tensors["w0"].data
    assert data is not None

    def external(position: int) -> bytes:
        def edit(model: Any) -> None:
            buffer = model.buffers[tensor(model, "w0").buffer]
            buffer.data, buffer.offset, buffer.size = None, position, data.nbytes

        return edited(edit)

    end = len(external(2))
    assert_same_graph(read_tflite(external(end) + data.tobytes(), "dense"), GRAPH)
    with pytest.raises(InvalidModelError, match="every buffer must lie in the file"):
        read_tflite(external(end + 1) + data.tobytes(), "dense")


def test_every_truncation_is_refused() -> None:
    for size in range(len(FILE) - BUFFER_ALIGN):
        with pytest.raises(McuQuantError):
            read_tflite(FILE[:size], "model")


@pytest.mark.parametrize("seed", range(8))
def test_damage_gives_an_error_of_ours_or_a_graph(seed: int) -> None:
    """Anything but a McuQuantError would be a crash; each file takes under a second."""
    rng = random.Random(seed)
    words = [
        struct.pack("<I", word) for word in (0, 1, 16, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(FILE) - 4)
    ]
    slowest = 0.0
    for _ in range(250):
        damaged = bytearray(FILE)
        for _ in range(rng.choice((1, 1, 2, 5))):
            position = rng.randrange(len(FILE) // 4) * 4
            if rng.random() < 0.5:
                damaged[position : position + 4] = rng.choice(words)
            else:
                damaged[position + rng.randrange(4)] = rng.randrange(256)
        start = time.process_time()
        with contextlib.suppress(McuQuantError):
            check(read_tflite(bytes(damaged), "model"))
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 1.0


def repeated_table_file(count: int) -> bytes:
    """A file whose tensors are all one table: 4 bytes of it cost a whole tensor."""
    model = model_object()
    builder = flatbuffers.Builder(1024)
    tensor_at = model.subgraphs[0].tensors[0].Pack(builder)
    builder.StartVector(4, count, 4)
    for _ in range(count):
        builder.PrependUOffsetTRelative(tensor_at)
    tensors = builder.EndVector()
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    subgraph = tflite.SubGraphEnd(builder)
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    buffer_at = model.buffers[0].Pack(builder)
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(buffer_at)
    buffers = builder.EndVector()
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddSubgraphs(builder, subgraphs)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("count", [tflite_file._MAX_ITEMS, 2_000_000])
@pytest.mark.slow
def test_a_small_file_cannot_ask_for_much(count: int) -> None:
    file = repeated_table_file(count)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(InvalidModelError):
        read_tflite(file, "model")
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 20  # half of it is tracemalloc's own
    assert peak < 50_000_000
