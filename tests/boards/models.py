"""What the tests of boards run: tiny graphs made here, and the published models with their golden samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcu_quant import pipeline
from mcu_quant.boards import Board
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.pipeline import TfliteModel

PUBLISHED = (
    "ad01_int8",
    "pretrainedResnet_quant",
    "kws_ref_model",
    "vww_96_int8",
    "str_ww_ref_model",
    "hello_world_int8",
    "micro_speech_quantized",
    "person_detect",
    "fashion_dscnn_tf221_int16x8",
    "kws_ref_model_tf221_int16x8",
)


def tiny_model(
    name: str = "tiny", inputs: int = 12, units: int = 5, hidden: int = 7, seed: int = 1
) -> TfliteModel:
    """Two fully connected layers of random weights."""
    generator = np.random.default_rng(seed)
    tensors = {"x": Tensor("x", (1, inputs), "int8", QuantParams.per_tensor(0.05, -3))}
    nodes = []
    sizes = (inputs, hidden, units)
    for index in range(2):
        weights = generator.integers(-127, 128, (sizes[index + 1], sizes[index])).astype(np.int8)
        bias = generator.integers(-500, 500, sizes[index + 1]).astype(np.int32)
        before, after = ("x", "h") if index == 0 else ("h", "y")
        scale = tensors[before].scale
        constants = (
            Tensor.constant(f"w{index}", weights, QuantParams.per_tensor(0.01)),
            Tensor.constant(f"b{index}", bias, QuantParams.per_tensor(0.01 * scale)),
        )
        tensors |= {tensor.name: tensor for tensor in constants}
        tensors[after] = Tensor(after, (1, sizes[index + 1]), "int8", QuantParams.per_tensor(0.1, index))
        operands = (before, *(tensor.name for tensor in constants))
        nodes.append(Node(f"dense{index}", "fully_connected", FullyConnectedAttrs(), operands, (after,)))
    graph = check(Graph(name, tuple(nodes), tensors, ("x",), ("y",)))
    return TfliteModel(name, name.encode(), graph)


def deploy(model: TfliteModel, board: Board, **options: object) -> Deployment:
    return pipeline.deploy(model, CORES[board.core], GenerateOptions(**options), board=board)  # type: ignore[arg-type]


def published(shared: Path, name: str) -> TfliteModel:
    model = pipeline.load(shared / "models" / f"{name}.tflite")
    assert isinstance(model, TfliteModel)
    return model


def golden_samples(shared: Path, name: str, graph: Graph) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs and TFLM's outputs, [N, *shape]."""
    with np.load(shared / "golden" / f"{name}.npz") as file:
        data = dict(file)
    inputs = [data[f"in{i}"].reshape(-1, *t.shape) for i, t in enumerate(graph.input_tensors())]
    outputs = [data[f"tflm_out{i}"].reshape(-1, *t.shape) for i, t in enumerate(graph.output_tensors())]
    return inputs, outputs
