"""From a model's config and weights to a float Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcu_quant.errors import InvalidModelError, McuQuantError, Problem, UnsupportedModelError
from mcu_quant.importers import (
    keras_einsum,  # noqa: F401 - adds its layer to HANDLERS
    keras_recurrent,
)
from mcu_quant.importers.index_inputs import with_index_inputs
from mcu_quant.importers.keras_attention import CALLED_LAYERS, operands
from mcu_quant.importers.keras_config import (
    Call,
    LayerConfig,
    ModelConfig,
    TensorRef,
    custom_class,
)
from mcu_quant.importers.keras_functions import (
    FUNCTION_LAYERS,
    Arguments,
    TensorName,
    lower_function,
    require_known_function,
)
from mcu_quant.importers.keras_layers import HANDLERS, ImportBuilder
from mcu_quant.importers.keras_order import execution_order
from mcu_quant.importers.keras_time import ANY_RANK, RESHAPES, reshaped_steps, stacked_steps, steps_of
from mcu_quant.importers.keras_trained import build_trained_graph, is_trained_model
from mcu_quant.importers.keras_unsupported import custom_layer, lambda_layer, unsupported_layer
from mcu_quant.importers.keras_weights import (
    LayerPath,
    WeightSource,
    checked_weights,
    fitting_weights,
)
from mcu_quant.importers.shapes import MAX_ELEMENTS, input_problem
from mcu_quant.importers.wrapped_indices import without_wraps
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.keras import KerasLayer, LayerRefused
from mcu_quant.ops.keras_axes import axes_of_samples

_RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}
#: What reading a config that Keras has not written may raise.
CONFIG_ERRORS = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)
#: Calls of layers, nested models unrolled: models that hold models that hold models multiply.
MAX_CALLS = 20_000
_Values = dict[tuple[str, int, int], str | None]


def build_graph(model: ModelConfig, weights: WeightSource, name: str) -> Graph:
    """The float graph, called `name`. Raises UnsupportedModelError with all that it has no form for."""
    if is_trained_model(model):
        return build_trained_graph(model, weights, name)
    return _Importer(weights, ImportBuilder(name, OPERATORS, keras=model.keras)).run(model)


class _Importer:
    def __init__(self, weights: WeightSource, builder: ImportBuilder) -> None:
        self._weights = weights
        self._builder = builder
        self._problems: list[Problem] = []
        self._calls = 0

    def run(self, model: ModelConfig) -> Graph:
        layers = {layer.name: layer for layer in model.layers}
        inputs = [self._graph_input(layers.get(ref.layer), ref.layer) for ref in model.inputs]
        outputs = self._model(model, inputs, ())
        if self._problems:
            raise UnsupportedModelError(self._problems)
        names = [output for output in outputs if output is not None]
        assert len(names) == len(outputs), "an output is lost and no layer was refused"
        return without_dead_nodes(self._builder, names)

    def _graph_input(self, layer: LayerConfig | None, name: str) -> str | None:
        if layer is None or layer.class_name != "InputLayer":
            raise InvalidModelError("the model's inputs must be InputLayers", layer=name)
        config = layer.config
        shape = config.get("batch_shape") or config.get("batch_input_shape")
        if shape is None and config.get("shape") is not None:
            shape = [None, *config["shape"]]
        if not isinstance(shape, list | tuple) or len(shape) < 2:
            raise InvalidModelError(
                "the shape of the model's input must be known",
                layer=name,
                value=shape,
                hint="begin the model with keras.Input(shape=…), or build it, then save it again",
            )
        problem = input_problem(shape)
        if problem is not None:
            self._problems.append(problem.problem(name))
            return None
        return self._builder.input(name, (1, *(int(size) for size in shape[1:])))

    def _model(self, model: ModelConfig, inputs: Sequence[str | None], path: LayerPath) -> list[str | None]:
        """Add the model's nodes. inputs: its input tensors. path: the models around it."""
        if len(inputs) != len(model.inputs):
            raise InvalidModelError(
                f"the model has {len(model.inputs)} inputs",
                layer="/".join(path),
                value=f"{len(inputs)} given",
            )
        values: _Values = {
            (ref.layer, ref.node, ref.tensor): tensor
            for ref, tensor in zip(model.inputs, inputs, strict=True)
        }
        for layer, index in execution_order(model):
            if layer.class_name == "InputLayer":
                continue
            outputs = self._call(layer, index, values, path)
            for place, tensor in enumerate(outputs):
                values[(layer.name, index, place)] = tensor
        missing = [ref for ref in model.outputs if (ref.layer, ref.node, ref.tensor) not in values]
        if missing and not self._problems:
            raise InvalidModelError(
                "the model's outputs must exist", layer="/".join(path), value=missing[0].layer
            )
        return [values.get((ref.layer, ref.node, ref.tensor)) for ref in model.outputs]

    def _call(self, layer: LayerConfig, index: int, values: _Values, path: LayerPath) -> Sequence[str | None]:
        here = (*path, layer.name)
        call = layer.calls[index]
        self._count_call(here)
        if layer.model is not None:
            tensors = [self._value(ref, values, None) for ref in _model_inputs(call, layer.model)]
            return self._model(layer.model, tensors, here)
        try:
            _refuse_by_class(layer)
            if layer.operation or layer.class_name in FUNCTION_LAYERS:
                return self._function(layer, index, values, here)
            if layer.class_name in CALLED_LAYERS:
                return self._called(layer, index, values, here)
            inputs = [self._value(ref, values, layer) for ref in _read_tensors(call)]
            if not inputs:
                raise LayerRefused("a layer must be called on a tensor", hint="layer(x)")
            known = [tensor for tensor in inputs if tensor is not None]
            if len(known) < len(inputs):
                return [None]
            if layer.wrapped is not None:
                return self._wrapper(layer, known[0], here)
            keras_recurrent.require_plain_call(layer, call)
            return self._layer(layer, known, here)
        except LayerRefused as refusal:
            self._refused("/".join(here), refusal)
            return [None]
        except CONFIG_ERRORS as error:
            if isinstance(error, McuQuantError):
                raise
            raise InvalidModelError(
                "the layer's config must be one that Keras writes",
                layer="/".join(here),
                value=f"{layer.class_name}, {type(error).__name__}: {error}",
            ) from error

    def _count_call(self, path: LayerPath) -> None:
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise InvalidModelError(f"a model may call layers up to {MAX_CALLS} times", layer="/".join(path))

    def _wrapper(self, layer: LayerConfig, x: str, path: LayerPath) -> Sequence[str | None]:
        """The layer inside; for TimeDistributed at each step of time."""
        inner = layer.wrapped
        assert inner is not None
        shape = self._builder.shape(x)
        if layer.class_name != "TimeDistributed" or inner.class_name in ANY_RANK:
            return self._inside(inner, x, path)
        if inner.class_name in RESHAPES and not inner.custom:
            return [reshaped_steps(self._builder, "/".join(path), x, inner.config)]
        if len(shape) < 3:
            raise LayerRefused("the input must have an axis of time, and more", value=list(shape[1:]))
        outputs = [self._inside(inner, step, path) for step in steps_of(self._builder, "/".join(path), x)]
        if any(step is None for output in outputs for step in output):
            return [None]
        return [
            stacked_steps(self._builder, "/".join(path), [str(step) for step in steps])
            for steps in zip(*outputs, strict=True)
        ]

    def _inside(self, layer: LayerConfig, x: str, path: LayerPath) -> Sequence[str | None]:
        """A layer that another holds."""
        here = (*path, layer.name)
        self._count_call(here)
        if layer.model is not None:
            return self._model(layer.model, [x], here)
        _refuse_by_class(layer)
        return self._wrapper(layer, x, here) if layer.wrapped else self._layer(layer, [x], here)

    def _refused(self, label: str, refusal: LayerRefused) -> None:
        problem = refusal.problem(label)
        if problem not in self._problems:  # a shared layer is refused once
            self._problems.append(problem)

    def _value(self, ref: TensorRef, values: _Values, reader: LayerConfig | None) -> str | None:
        """The tensor; where its layer was refused, a stand-in of its shape if the config says it.

        A stand-in is never run: it is there so that the layers after it are looked at too.
        """
        key = (ref.layer, ref.node, ref.tensor)
        if key not in values and values.get((ref.layer, ref.node, 0), "") is None:
            values[key] = None  # of a refused layer, more than the first output
        if key not in values:
            raise InvalidModelError(
                "a layer must read outputs that exist", layer=ref.layer, value=f"output {ref.tensor}"
            )
        tensor = values[key]
        if tensor is None:
            shape = ref.shape or (reader.built_shape if reader is not None else None)
            if shape is not None and len(shape) >= 2 and input_problem(shape) is None:
                tensor = self._builder.input(f"{ref.layer}/stand-in", (1, *(size or 1 for size in shape[1:])))
                values[key] = tensor
        return tensor

    def _layer(self, layer: LayerConfig, inputs: list[str], path: LayerPath) -> list[str]:
        label = "/".join(path)
        shape = self._builder.shape(inputs[0])
        layer = _normalized(layer, len(shape))
        weights = checked_weights(layer, label, self._weights.of(path), shape)
        config = dict(layer.config)
        after = config.get("activation")
        if _is_layer(after) and layer.class_name != "Activation":
            config["activation"] = None
        elif _is_layer(after):
            return [self._activation_layer(after, label, inputs[0])]
        handler = HANDLERS[layer.class_name]
        result = handler(KerasLayer(label, layer.class_name, config, weights), inputs, self._builder)
        outputs = [result] if isinstance(result, str) else result
        if _is_layer(after):
            outputs = [self._activation_layer(after, label, output) for output in outputs]
        for output in outputs:
            self._require_size(output)
        return outputs

    def _require_size(self, output: str) -> None:
        if self._builder.tensors[output].elements > MAX_ELEMENTS:
            raise LayerRefused("the output is too large", value=list(self._builder.shape(output)))

    def _activation_layer(self, document: Any, label: str, x: str) -> str:
        """An `activation` that is a layer, e.g. activation=LeakyReLU(0.1)."""
        config, class_name = document["config"], document["class_name"]
        return self._builder.layer(class_name, f"{label}/{config.get('name', class_name)}", [x], config)

    def _called(
        self, layer: LayerConfig, index: int, values: _Values, path: LayerPath
    ) -> Sequence[str | None]:
        """A layer whose call has several tensors and options."""
        arguments = self._arguments(layer, index, values, path)
        if arguments is None:
            return [None]
        label, called = "/".join(path), CALLED_LAYERS[layer.class_name]
        arguments = called.named(arguments)
        shapes = [self._builder.shape(x) for x in operands(arguments)]
        weights = fitting_weights(called.weights(layer.config, shapes), label, self._weights.of(path))
        outputs = called.lower(
            KerasLayer(label, layer.class_name, layer.config, weights), arguments, self._builder
        )
        for output in outputs:
            self._require_size(output)
        return outputs

    def _function(
        self, layer: LayerConfig, index: int, values: _Values, path: LayerPath
    ) -> Sequence[str | None]:
        arguments = self._arguments(layer, index, values, path)
        if arguments is None:
            return [None]
        outputs = lower_function(layer, arguments, self._builder)
        for output in outputs:
            self._require_size(output)
        return outputs

    def _arguments(
        self, layer: LayerConfig, index: int, values: _Values, path: LayerPath
    ) -> Arguments | None:
        """A call's arguments, with an operation's config; None where a tensor among them is lost."""
        call = layer.calls[index]
        for ref in call.refs():
            if self._value(ref, values, None) is None:
                return None

        def resolved(value: Any) -> Any:
            if isinstance(value, TensorRef):
                return TensorName(values[(value.layer, value.node, value.tensor)] or "")
            return [resolved(entry) for entry in value] if isinstance(value, list) else value

        recorded = layer.config if layer.operation else {}
        kwargs = {key: resolved(value) for key, value in {**recorded, **call.kwargs}.items()}
        return Arguments("/".join(path), [resolved(value) for value in call.args], kwargs)


def _read_tensors(call: Call) -> list[TensorRef]:
    """The tensors that a layer is called on: its first argument, or all arguments that are tensors."""
    args = call.args or tuple(call.kwargs.values())
    values = args[0] if args and isinstance(args[0], list) else args
    return [value for value in values if isinstance(value, TensorRef)]


def _model_inputs(call: Call, model: ModelConfig) -> list[TensorRef]:
    """Likewise of a model, which may be called on a dictionary: by its inputs' names, else in their order."""
    given = call.args[0] if call.args else None
    if not isinstance(given, Mapping):
        return _read_tensors(call)
    names = [ref.layer for ref in model.inputs]
    keys = names if set(names) == set(given) else sorted(given)
    return [given[key] for key in keys if isinstance(given[key], TensorRef)]


def _is_layer(activation: Any) -> bool:
    """Whether an `activation` config is a serialized layer, not a name or a function."""
    return (
        isinstance(activation, Mapping)
        and isinstance(activation.get("config"), Mapping)
        and activation.get("class_name") in HANDLERS
        and not custom_class(activation)
    )


def _refuse_by_class(layer: LayerConfig) -> None:
    """What can be said of a layer without its inputs. Raises LayerRefused."""
    class_name = _RENAMED.get(layer.class_name, layer.class_name)
    if class_name == "Lambda":
        raise lambda_layer()
    if layer.custom:
        raise custom_layer(layer.custom)
    if layer.operation or class_name in FUNCTION_LAYERS:
        require_known_function(layer)
        return
    if layer.wrapped is not None:
        return
    if class_name not in HANDLERS:
        raise unsupported_layer(class_name)
    if layer.config.get("data_format") == "channels_first":
        raise LayerRefused(
            "the layout must be channels_last",
            value="data_format channels_first",
            hint="build the model with data_format='channels_last' and copy the weights",
        )
    if "int" in _dtype_name(layer.config.get("dtype")) or "float8" in _dtype_name(layer.config.get("dtype")):
        raise LayerRefused(
            "the weights must be float",
            value=f"dtype policy {_dtype_name(layer.config.get('dtype'))}",
            hint="save the model before model.quantize(…)",
        )
    activation = layer.config.get("activation")
    if isinstance(activation, Mapping) and custom_class(activation):
        raise LayerRefused(
            "the code of a custom activation is never run",
            value=custom_class(activation),
            hint="relu, relu6, leaky_relu, sigmoid, tanh or softmax",
        )


def _dtype_name(dtype: Any) -> str:
    if isinstance(dtype, Mapping):
        config = dtype.get("config")
        return str(config.get("name") if isinstance(config, Mapping) else dtype.get("class_name"))
    return str(dtype)


def _normalized(layer: LayerConfig, rank: int) -> LayerConfig:
    """The config with what Keras has changed over the years in its newest form."""
    class_name, config = _RENAMED.get(layer.class_name, layer.class_name), dict(layer.config)
    axis = config.get("axis")
    if class_name == "BatchNormalization":
        axes = axes_of_samples(-1 if axis is None else axis, rank)
        if len(axes) != 1:
            raise LayerRefused(
                "batch normalization must be of one axis",
                value=f"axis {axis} of {rank}",
                hint="BatchNormalization(axis=-1)",
            )
        config["axis"] = axes[0]
    return LayerConfig(**{**vars(layer), "class_name": class_name, "config": config})


def without_dead_nodes(builder: ImportBuilder, outputs: list[str]) -> Graph:
    """The builder's graph, with the nodes that outputs and states need and no others; indices are int32."""
    needed, nodes = {*outputs, *(state.after for state in builder.states)}, []
    for node in reversed(builder.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(name for name in node.inputs if name is not None)
            nodes.append(node)
    builder.nodes = nodes[::-1]
    return with_index_inputs(without_wraps(builder.graph(outputs)))
