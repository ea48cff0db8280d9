"""Models in the caller's hands: what load() and quantize() return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mcu_quant import pipeline, samples
from mcu_quant.c_names import c_name, check_c_name
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph
from mcu_quant.outputs import write_file

Array = np.ndarray
#: Inputs: an array [N, …] (one input), a list with one array per input, or a dict of them by input name.
Inputs = Array | Sequence[Array] | Mapping[str, Array]


@dataclass(frozen=True)
class FloatModel:
    """A float model, as imported."""

    graph: Graph
    name: str

    def __repr__(self) -> str:
        return f"FloatModel({self.name!r}, {len(self.graph.nodes)} nodes)"

    def predict(self, x: Inputs) -> Array | list[Array]:
        """The float outputs, [N, …] each."""
        from mcu_quant.ops.interpreter import run_graph
        from mcu_quant.passes import prepare

        graph = prepare(self.graph)
        return _unpacked(run_graph(graph, input_arrays(x, graph)))


@dataclass(frozen=True)
class QuantizedModel:
    """A model ready to be generated: the bytes of a .tflite file, and their meaning."""

    model: pipeline.TfliteModel

    def __repr__(self) -> str:
        return (
            f"QuantizedModel({self.name!r}, {len(self.tflite):,} bytes, {len(self.model.graph.nodes)} layers)"
        )

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def tflite(self) -> bytes:
        return self.model.data

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the .tflite file. force: replace what is there."""
        output = output_path(path)
        write_file(output, self.model.data, force=force)
        return output

    def streaming(self, axis: int, hop: int = 1) -> QuantizedModel:
        """A model that takes the next `hop` frames along the axis of time of the input (0 is the batch).

        It gives what this one gives of the window that ends with them, and keeps what it needs of earlier
        frames in variables of its .tflite file. predict then takes hops, one after the other.
        """
        options = GenerateOptions(stream=axis, hop=hop)
        return QuantizedModel(pipeline.streaming_file(self.model, options))

    def predict(self, x: Inputs) -> Array | list[Array]:
        """Real values (float32) of the outputs. Floats are quantized on the way in, raw integers are not."""
        tensors = self.model.graph.output_tensors()
        return _unpacked([samples.dequantize(y, t) for y, t in zip(self._run(x), tensors, strict=True)])

    def predict_raw(self, x: Inputs) -> Array | list[Array]:
        """The outputs' quantized bytes: what the chip will give."""
        return _unpacked(self._run(x))

    def _run(self, x: Inputs) -> list[Array]:
        engine = pipeline.engine_named("reference", self.model, GenerateOptions())
        return engine.run(input_arrays(x, self.model.graph))


def load(source: Any, *, name: str | None = None) -> FloatModel | QuantizedModel:
    """A model from a .keras, .h5 or .tflite file, a SavedModel directory, or a keras.Model.

    .keras and .h5 are read without TensorFlow. name: the C prefix; by default from the file's name.
    """
    if name is not None:
        chosen = check_c_name(name)
    else:
        chosen = c_name(Path(source).stem if isinstance(source, (str, Path)) else getattr(source, "name", ""))
    loaded = pipeline.load(source)
    if isinstance(loaded, pipeline.TfliteModel):
        return QuantizedModel(replace(loaded, name=chosen))
    return FloatModel(loaded, chosen)


def float_model(model: Any) -> FloatModel:
    """What load() takes, or what it returned, if it is a float model; else InvalidInputError."""
    loaded = model if isinstance(model, (FloatModel, QuantizedModel)) else load(model)
    if isinstance(loaded, QuantizedModel):
        where = str(model) if isinstance(model, (str, Path)) else loaded.name
        raise InvalidInputError(
            "the model must be a float Keras model",
            layer=where,
            value="a .tflite file",
            hint="the .keras model that it was made from; or `mcu-quant generate`, if it is an integer model",
        )
    return loaded


def input_arrays(x: Inputs, graph: Graph) -> list[Array]:
    tensors = graph.input_tensors()
    if isinstance(x, Mapping):
        arrays = [np.asarray(a) for a in samples.in_order(x, tensors, "inputs")]
    elif isinstance(x, (list, tuple)) and len(tensors) > 1:
        arrays = [np.asarray(a) for a in x]
    else:
        arrays = [np.asarray(x)]
    if len(arrays) != len(tensors):
        raise InvalidInputError(
            "there must be one array for each input", value=f"{len(arrays)} of {len(tensors)}"
        )
    return samples.prepare_inputs(arrays, tensors, [f"input {tensor.name}" for tensor in tensors])


def output_path(path: str | Path) -> Path:
    if not str(path):
        raise InvalidInputError("the output's path must not be empty")
    return Path(path)


def _unpacked(outputs: list[Array]) -> Array | list[Array]:
    arrays = [samples.without_batch(y) for y in outputs]
    return arrays[0] if len(arrays) == 1 else arrays
