"""A Keras model's config (Keras 2 and 3) as plain records: layers, their calls, inputs and outputs.

A Sequential model becomes the chain of calls that it is, so that everything after this sees one form.
Nothing is built and no shape is checked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mcu_quant.errors import InvalidModelError

MAX_NESTING = 16
MODEL_CLASSES = ("Functional", "Model", "Sequential")
#: Layers that hold one other layer and add no weights that count once a model is trained.
WRAPPER_CLASSES = ("TimeDistributed", "SpectralNormalization")
_KERAS_PACKAGES = ("keras", "tf_keras", "keras_core", "tensorflow", "tensorflow_core", "builtins")
#: What Keras 2 writes where a call's argument is a constant (keras/engine/node.py).
_CONSTANT = "_CONSTANT_VALUE"

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class TensorRef:
    """Output `tensor` of call `node` of a layer of the same model. shape: if the config says it."""

    layer: str
    node: int = 0
    tensor: int = 0
    shape: Shape | None = None


@dataclass(frozen=True)
class Call:
    """One use of a layer: arguments that are TensorRefs, constants, or lists of them."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def refs(self) -> Iterator[TensorRef]:
        """Every tensor that the call reads."""
        for value in (*self.args, *self.kwargs.values()):
            yield from _refs(value)


@dataclass(frozen=True)
class LayerConfig:
    """name: unique in its model. model: set if the layer is itself a model; wrapped: if it holds a layer.

    operation: a Keras 3 function recorded as a node, not a layer. custom: a class not Keras's own.
    built_shape: the input shape for which it was built, if the config says it.
    """

    name: str
    class_name: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...]
    model: ModelConfig | None = None
    wrapped: LayerConfig | None = None
    operation: bool = False
    custom: str = ""
    built_shape: Shape | None = None


@dataclass(frozen=True)
class ModelConfig:
    """keras: the generation that has written it, 2 or 3 (of a model in a model, not asked for)."""

    name: str
    layers: tuple[LayerConfig, ...]
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]
    keras: int = 3

    def layer(self, name: str) -> LayerConfig:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InvalidModelError("every layer that the model names must exist", layer=self.name, value=name)


def parse_model(document: Any, version: object = None) -> ModelConfig:
    """The model of a config.json or a model_config attribute. Raises InvalidModelError.

    version: of the Keras that has written it, as far as that is known; the document may say it, too.
    """
    try:
        stated = str(document.get("keras_version") or version or "3")
        return replace(_model(document, 0), keras=2 if stated.startswith(("1.", "2.")) else 3)
    except InvalidModelError:
        raise
    except RecursionError as error:
        raise InvalidModelError("the model config is nested too deeply") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise InvalidModelError(
            "the model config must be one that Keras writes",
            value=f"{type(error).__name__}: {error}",
            hint="save the model again with Keras 2.4 to 3",
        ) from error


def custom_class(document: Mapping[str, Any]) -> str:
    """The registered or module name of a class that is not Keras's own; "" if it is Keras's."""
    registered = document.get("registered_name") or ""
    if ">" in registered and not registered.startswith("Keras>"):
        return str(registered)
    module = document.get("module") or "keras"
    if module.split(".")[0] not in _KERAS_PACKAGES:
        return f"{module}.{document['class_name']}"
    return ""


def _model(document: Mapping[str, Any], depth: int) -> ModelConfig:
    if depth > MAX_NESTING:
        raise InvalidModelError(f"models may be nested up to {MAX_NESTING} deep")
    class_name, config = document["class_name"], document["config"]
    if class_name not in MODEL_CLASSES or custom_class(document):
        raise InvalidModelError(
            "the model must be a Sequential or a Functional model: the code of a class is never run",
            layer=str(_name(document)),
            value=custom_class(document) or class_name,
            hint="build it with keras.Model(inputs, outputs), e.g. "
            "keras.Model(x, model.call(x)) with x = keras.Input(shape)",
        )
    if isinstance(config, list):  # Sequential of Keras before 2.2.3
        config = {"name": "sequential", "layers": config}
    if "layers" not in config:
        raise InvalidModelError("the model config must list its layers", layer=str(_name(document)))
    if "input_layers" in config:
        return _functional(config, depth)
    return _sequential(document, config, depth)


def _functional(config: Mapping[str, Any], depth: int) -> ModelConfig:
    names = frozenset(_name(layer) for layer in config["layers"])
    layers = tuple(_layer(layer, names, depth) for layer in config["layers"])
    if len(names) != len(layers):
        raise InvalidModelError("layer names must not repeat", layer=str(config.get("name")))
    model = ModelConfig(
        str(config.get("name", "model")),
        layers,
        tuple(_endpoints(config["input_layers"])),
        tuple(_endpoints(config["output_layers"])),
    )
    return _with_plain_outputs(model, config) if _is_keras3(config) else _renumbered(model)


def _is_keras3(config: Mapping[str, Any]) -> bool:
    return any(isinstance(node, Mapping) for layer in config["layers"] for node in _nodes(layer))


def _nodes(document: Mapping[str, Any]) -> Sequence[Any]:
    return document.get("inbound_nodes") or ()


def _with_plain_outputs(model: ModelConfig, config: Mapping[str, Any]) -> ModelConfig:
    """Keras 3 counts a nested functional model's own construction as its node 0, in output_layers alone."""
    constructed = {
        _name(document)
        for document in config["layers"]
        if document["class_name"] in MODEL_CLASSES and "input_layers" in document["config"]
    }
    outputs = tuple(replace(ref, node=ref.node - (ref.layer in constructed)) for ref in model.outputs)
    return replace(model, outputs=outputs)


def _sequential(document: Mapping[str, Any], config: Mapping[str, Any], depth: int) -> ModelConfig:
    documents = list(config["layers"])
    if not documents:
        raise InvalidModelError("the model must have layers", layer=str(config.get("name", "sequential")))
    if documents[0]["class_name"] != "InputLayer":
        documents.insert(0, _implied_input(document, config))
    layers: list[LayerConfig] = []
    for entry in documents:
        calls = (Call((TensorRef(layers[-1].name),)),) if layers else ()
        layer = _layer(entry, frozenset(), depth)
        layers.append(LayerConfig(**{**vars(layer), "calls": calls}))
    if len({layer.name for layer in layers}) != len(layers):
        raise InvalidModelError("layer names must not repeat", layer=str(config.get("name")))
    ends = (TensorRef(layers[0].name),), (TensorRef(layers[-1].name),)
    return ModelConfig(str(config.get("name", "sequential")), tuple(layers), *ends)


def _implied_input(document: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The InputLayer that a Sequential model without one has, as Keras would name it."""
    first = config["layers"][0]
    shape = _known_input_shape(first)
    for candidate in (config.get("build_input_shape"), _built_shape(document)):
        shape = shape or candidate
    name = f"{_name(first)}_input"
    return {"class_name": "InputLayer", "config": {"name": name, "batch_shape": shape}, "name": name}


def _known_input_shape(document: Mapping[str, Any]) -> Any:
    """The input shape that a first layer carries; for a model, the one that its own first layer carries."""
    config = document["config"]
    if isinstance(config, Mapping) and isinstance(config.get("layers"), list) and config["layers"]:
        return _known_input_shape(config["layers"][0]) or config.get("build_input_shape")
    return config.get("batch_shape") or config.get("batch_input_shape") or _built_shape(document)


def _built_shape(document: Mapping[str, Any]) -> Shape | None:
    build = document.get("build_config")
    shape = build.get("input_shape") if isinstance(build, Mapping) else None
    return _shape(shape)


def _shape(value: Any) -> Shape | None:
    if not isinstance(value, list | tuple) or not all(v is None or isinstance(v, int) for v in value):
        return None
    return tuple(value)


def _layer(document: Mapping[str, Any], names: frozenset[str], depth: int) -> LayerConfig:
    config, class_name = document["config"], str(document["class_name"])
    nested = None
    if class_name in MODEL_CLASSES and not custom_class(document):
        nested = _model(document, depth + 1)
    wrapped = None
    if class_name in WRAPPER_CLASSES and not custom_class(document):
        if depth > MAX_NESTING:
            raise InvalidModelError(f"layers may be wrapped up to {MAX_NESTING} deep")
        wrapped = _layer(config["layer"], frozenset(), depth + 1)
    return LayerConfig(
        name=_name(document),
        class_name=class_name,
        config=config if isinstance(config, Mapping) else {},
        calls=tuple(_call(node, names) for node in _nodes(document)),
        model=nested,
        wrapped=wrapped,
        operation=_is_operation(document),
        custom=custom_class(document),
        built_shape=_built_shape(document),
    )


def _is_operation(document: Mapping[str, Any]) -> bool:
    """A Keras 3 function. Legacy files leave its module out; it has none of what every layer's config has."""
    module = document.get("module")
    if module:
        return ".ops." in f"{module}."
    nodes = document.get("inbound_nodes")
    is_keras3 = isinstance(nodes, list) and bool(nodes) and isinstance(nodes[0], Mapping)
    if not is_keras3:
        return False
    return document["class_name"] == "Cast" or {"trainable", "dtype", "layers"}.isdisjoint(document["config"])


def _name(document: Mapping[str, Any]) -> str:
    config = document.get("config")
    name = document.get("name") or (config.get("name") if isinstance(config, Mapping) else None)
    return str(name or document["class_name"])


def _call(node: Any, names: frozenset[str]) -> Call:
    if isinstance(node, Mapping) and "args" in node:
        kwargs = node.get("kwargs") or {}
        return Call(tuple(map(_keras3_value, node["args"])), {k: _keras3_value(v) for k, v in kwargs.items()})
    return _keras2_call(node, names)


def _keras3_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        kind, config = value.get("class_name"), value.get("config", {})
        if kind == "__keras_tensor__":
            layer, node, tensor = config["keras_history"]
            return TensorRef(layer, int(node), int(tensor), _shape(config.get("shape")))
        if kind == "__slice__":
            return slice(config.get("start"), config.get("stop"), config.get("step"))
        if kind == "__ellipsis__":
            return ...
        if kind in ("__numpy__", "__tensor__"):
            return config["value"]
        return {key: _keras3_value(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_keras3_value(entry) for entry in value]
    return value


def _keras2_call(node: Any, names: frozenset[str]) -> Call:
    """A node of Keras 2: [layer, node, tensor, kwargs], or a list of such; kwargs repeat in each."""
    if isinstance(node, Mapping):
        raise InvalidModelError(
            "a layer's inputs must be a tensor or a list of tensors",
            value=f"a dictionary: {sorted(node)}",
            hint="pass a list",
        )
    entries = [node] if node and isinstance(node[0], str) else list(node)
    values = [_keras2_entry(entry) for entry in entries]
    kwargs = entries[0][3] if entries and len(entries[0]) > 3 and isinstance(entries[0][3], Mapping) else {}
    return Call(
        (values[0] if len(values) == 1 else values,),
        {key: _keras2_value(value, names) for key, value in kwargs.items()},
    )


def _keras2_entry(entry: Sequence[Any]) -> Any:
    if entry[0] == _CONSTANT:
        return entry[2]
    return TensorRef(str(entry[0]), int(entry[1]), int(entry[2]))


def _keras2_value(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str) and value[0] in names:
            return _keras2_entry(value)
        return [_keras2_value(entry, names) for entry in value]
    if isinstance(value, Mapping):
        if set(value) == {"start", "stop", "step"}:
            return slice(value["start"], value["stop"], value["step"])
        if value.get("class_name") == "__ellipsis__":
            return ...
        return {key: _keras2_value(entry, names) for key, entry in value.items()}
    return value


def _endpoints(value: Any) -> Iterator[TensorRef]:
    """input_layers or output_layers: one [layer, node, tensor], or a list or dict of such."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _endpoints(value[key])
    elif value and isinstance(value[0], str):
        yield _keras2_entry(value)
    else:
        for entry in value:
            yield from _endpoints(entry)


def _refs(value: Any) -> Iterator[TensorRef]:
    if isinstance(value, TensorRef):
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _refs(entry)
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _refs(entry)


def _renumbered(model: ModelConfig) -> ModelConfig:
    """Node numbers as places in `calls`.

    Keras 2 counts a nested model's own construction as its node 0, so that references to it may
    start at 1; nothing else in the file says so.
    """
    highest: dict[str, int] = {}
    everything = [
        *model.outputs,
        *(ref for layer in model.layers for call in layer.calls for ref in call.refs()),
    ]
    for ref in everything:
        highest[ref.layer] = max(highest.get(ref.layer, 0), ref.node)
    shifts = {
        layer.name: highest.get(layer.name, 0) - (len(layer.calls) - 1)
        for layer in model.layers
        if layer.model is not None and highest.get(layer.name, 0) >= len(layer.calls) > 0
    }
    if not shifts:
        return model

    def moved(value: Any) -> Any:
        if isinstance(value, TensorRef):
            return TensorRef(value.layer, value.node - shifts.get(value.layer, 0), value.tensor, value.shape)
        if isinstance(value, list):
            return [moved(entry) for entry in value]
        return value

    layers = []
    for layer in model.layers:
        calls = tuple(
            Call(tuple(map(moved, call.args)), {k: moved(v) for k, v in call.kwargs.items()})
            for call in layer.calls
        )
        layers.append(LayerConfig(**{**vars(layer), "calls": calls}))
    return ModelConfig(model.name, tuple(layers), model.inputs, tuple(map(moved, model.outputs)))
