"""Random Keras models as specifications that our importer and Keras itself can both build."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from mcu_quant.importers.keras_attention import CALLED_LAYERS
from mcu_quant.importers.keras_layers import HANDLERS, ImportBuilder
from mcu_quant.importers.keras_weights import expected_weights
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.keras import LayerRefused
from tests.hunter.build import CHANNELS, MAX_ELEMENTS, SEEDS, Draw
from tests.hunter.keras_functions import DRAWN, GROWING, MOST_AXES, PREFIX, add_function, is_function

MAX_LAYERS = 9
Config = dict[str, Any]
DrawConfig = Callable[[Draw, tuple[int, ...]], Config]


@dataclass(frozen=True)
class LayerSpec:
    """inputs: indices into the model's inputs followed by the layers' outputs. seed: of the weights."""

    class_name: str
    config: Config
    inputs: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class ModelSpec:
    """input_shapes: without the batch. What no layer reads is an output. seed: of the samples."""

    input_shapes: tuple[tuple[int, ...], ...]
    layers: tuple[LayerSpec, ...]
    seed: int
    per_tensor: bool = False
    input_type: str = "int8"
    output_type: str = "int8"
    technique: str = "int8"

    def outputs(self) -> list[int]:
        read = {index for layer in self.layers for index in layer.inputs}
        first = len(self.input_shapes)
        return [index for index in range(first, first + len(self.layers)) if index not in read]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        fields = json.loads(text)
        fields["input_shapes"] = tuple(tuple(shape) for shape in fields["input_shapes"])
        fields["layers"] = tuple(
            LayerSpec(**{**layer, "inputs": tuple(layer["inputs"])}) for layer in fields["layers"]
        )
        return cls(**fields)


@dataclass
class FloatModel:
    """A specification's float graph while it grows. values: tensor names, as LayerSpec.inputs counts."""

    builder: ImportBuilder
    values: list[str]

    @classmethod
    def start(cls, input_shapes: tuple[tuple[int, ...], ...]) -> FloatModel:
        builder = ImportBuilder("hunted", OPERATORS)
        return cls(builder, [builder.input(f"input_{i}", (1, *s)) for i, s in enumerate(input_shapes)])

    def shape(self, index: int) -> tuple[int, ...]:
        return self.builder.shape(self.values[index])[1:]

    def add(self, layer: LayerSpec) -> None:
        """Raises LayerRefused where the layer has no output."""
        name = f"layer_{len(self.values)}"
        weights = layer_weights(layer, [self.shape(index) for index in layer.inputs])
        inputs = [self.values[index] for index in layer.inputs]
        if is_function(layer.class_name):
            output = add_function(self.builder, name, layer.class_name, inputs, layer.config)
        else:
            output = self.builder.layer(layer.class_name, name, inputs, layer.config, weights)
        self.values.append(output)


def float_graph(spec: ModelSpec) -> Graph:
    model = FloatModel.start(spec.input_shapes)
    for layer in spec.layers:
        model.add(layer)
    return model.builder.graph([model.values[index] for index in spec.outputs()])


def layer_weights(layer: LayerSpec, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """In the order of keras.Layer.weights. shapes: the inputs', without the batch."""
    shape, kind = shapes[0], layer.class_name
    rng, config, channels = np.random.default_rng(layer.seed), layer.config, shape[-1]
    if kind in ATTENTIONS:
        listed = CALLED_LAYERS[kind].weights(config, [(1, *shapes[i]) for i in (0, -1, -1)])
        drawn = [rng.normal(0, 1, s) / np.sqrt(s[0] if len(s) > 1 else 4) for _, s in listed]
        return [np.asarray(array, np.float32) for array in drawn]
    if kind == "BatchNormalization":
        gamma, beta, mean = (rng.normal(0, 1, channels) for _ in range(3))
        variance = rng.uniform(0.1, 4, channels)
        kept = [gamma] * config["scale"] + [beta] * config["center"] + [mean, variance]
        return [array.astype(np.float32) for array in kept]
    if kind in NORMALIZATIONS:
        listed = expected_weights(kind, config, (1, *shape)) or []
        return [rng.uniform(0.5, 2, size).astype(np.float32) for _, size in listed]
    window = list(config.get("kernel_size", ()))
    multiplier, groups = config.get("depth_multiplier", 1), config.get("groups", 1)
    if kind == "Dense":
        shapes, outputs = [[channels, config["units"]]], config["units"]
    elif kind.endswith("Transpose"):
        shapes, outputs = [[*window, config["filters"], channels]], config["filters"]
    elif kind.startswith("Conv"):
        shapes, outputs = [[*window, channels // groups, config["filters"]]], config["filters"]
    elif kind.startswith("Depthwise"):
        shapes, outputs = [[*window, channels, multiplier]], channels * multiplier
    elif kind.startswith("Separable"):
        outputs = config["filters"]
        shapes = [[*window, channels, multiplier], [*[1] * len(window), channels * multiplier, outputs]]
    else:
        return []
    weights = [rng.normal(0, 1, s) / np.sqrt(max(np.prod(s[:-1]), 1)) for s in shapes]
    weights += [rng.normal(0, 0.5, outputs)] if config["use_bias"] else []
    return [array.astype(np.float32) for array in weights]


@st.composite
def model_specs(draw: Draw) -> ModelSpec:
    spatial = st.tuples(st.integers(1, 12), st.integers(1, 12), CHANNELS)
    shapes = st.one_of(
        spatial, spatial, st.tuples(st.integers(1, 24), CHANNELS), st.tuples(st.integers(1, 30))
    )
    input_shapes = tuple(draw(shapes) for _ in range(draw(st.sampled_from([1, 1, 1, 2]))))
    model, layers = FloatModel.start(input_shapes), []
    for _ in range(draw(st.integers(1, MAX_LAYERS))):
        layer = _draw_layer(draw, model)
        try:
            model.add(layer)
        except LayerRefused:
            continue
        layers.append(layer)
        assume(np.prod(model.shape(-1)) <= MAX_ELEMENTS)
    assume(layers)
    technique = draw(st.sampled_from(["int8", "int8", "int8", "int16x8"]))
    own = "int8" if technique == "int8" else "int16"
    edge = st.sampled_from([own, own, "uint8" if technique == "int8" else "int8", "float32"])
    edges = draw(edge), draw(edge)
    spec = ModelSpec(input_shapes, tuple(layers), draw(SEEDS), draw(st.booleans()), *edges, technique)
    assume(all(any(i in layer.inputs for layer in layers) for i in range(len(input_shapes))))
    return spec


def _draw_layer(draw: Draw, model: FloatModel) -> LayerSpec:
    newest_first = list(range(len(model.values)))[::-1]
    index = draw(st.sampled_from(newest_first))
    shape = model.shape(index)
    if draw(st.integers(0, 3)) == 0:
        return _draw_function(draw, model, index)
    kinds = [kind for kind in _DRAWS if kind in HANDLERS and _dimensions(kind) in (None, len(shape) - 1)]
    if len(shape) == 2:
        kinds += [*ATTENTIONS] * 2
    kind = draw(st.sampled_from(kinds))
    config = {**_DRAWS, **_ATTENTION_DRAWS}[kind](draw, shape)
    inputs = (index,)
    if kind in ATTENTIONS:
        steps = [i for i in newest_first if _attends(kind, shape, model.shape(i))]
        inputs = (index, draw(st.sampled_from(steps)))
    if kind in _MERGES:
        alike = [i for i in newest_first if _merges(kind, model.shape(i), shape)]
        inputs = (index, draw(st.sampled_from(alike)))
    return LayerSpec(kind, config, inputs, draw(SEEDS))


def _draw_function(draw: Draw, model: FloatModel, index: int) -> LayerSpec:
    shape = model.shape(index)
    name = draw(st.sampled_from([f for f in DRAWN if len(shape) + (f in GROWING) <= MOST_AXES]))
    alike = [i for i in range(len(model.values)) if model.shape(i) == shape]
    others = (draw(st.sampled_from(alike)) for _ in range(DRAWN[name].operands - 1))
    return LayerSpec(f"{PREFIX}{name}", DRAWN[name].draw(draw, shape), (index, *others), draw(SEEDS))


def _attends(kind: str, query: tuple[int, ...], value: tuple[int, ...]) -> bool:
    return len(value) == 2 and (kind == "MultiHeadAttention" or value[-1] == query[-1])


def _merges(kind: str, a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return a[:-1] == b[:-1] if kind == "Concatenate" else a == b


def _activation(draw: Draw) -> str | None:
    known = {name for operator in OPERATORS.values() for name in operator.keras_activations}
    wanted = ("relu", "relu6", "sigmoid", "tanh", "softmax", "leaky_relu", "gelu")
    return draw(st.sampled_from([None, *(name for name in wanted if name in known)]))


def _dimensions(kind: str) -> int | None:
    """How many spatial dimensions a layer's input must have; None if any number will do."""
    return next((dimensions for dimensions in (1, 2) if f"{dimensions}D" in kind), None)


def _window(draw: Draw, kind: str, shape: tuple[int, ...]) -> Config:
    """What the convolutions share."""
    dimensions = len(shape) - 1
    strides = draw(st.sampled_from([1, 1, 2, 3]))
    dilation = draw(st.integers(1, 3)) if strides == 1 else 1  # Keras has either
    causal = ["causal"] if kind == "Conv1D" else []
    return {
        "kernel_size": draw(st.sampled_from([None, [1] * dimensions, [3] * dimensions]))
        or [draw(st.integers(1, 4)) for _ in range(dimensions)],
        "strides": [strides] * dimensions,
        "dilation_rate": [dilation] * dimensions,
        "padding": draw(st.sampled_from(["valid", "same", *causal])),
        "use_bias": draw(st.booleans()),
        "activation": _activation(draw),
    }


def _conv(kind: str) -> DrawConfig:
    def config(draw: Draw, shape: tuple[int, ...]) -> Config:
        window = _window(draw, kind, shape)
        divisors = [g for g in range(1, shape[-1] + 1) if shape[-1] % g == 0]
        groups = draw(st.sampled_from(divisors)) if draw(st.booleans()) else 1
        filters = draw(CHANNELS) if groups == 1 else groups * draw(st.integers(1, max(1, 6 // groups)))
        return {**window, "groups": groups, "filters": filters}

    return config


def _depthwise(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {**_window(draw, "DepthwiseConv", shape), "depth_multiplier": draw(st.integers(1, 2))}


def _transposed(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {**_window(draw, "ConvTranspose", shape), "output_padding": None, "filters": draw(CHANNELS)}


def _separable(draw: Draw, shape: tuple[int, ...]) -> Config:
    parts = {"depth_multiplier": draw(st.integers(1, 2)), "filters": draw(CHANNELS)}
    return {**_window(draw, "SeparableConv", shape), **parts}


def _dense(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {
        "units": draw(CHANNELS),
        "use_bias": draw(st.booleans()),
        "activation": _activation(draw),
    }


def _batch_normalization(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"axis": -1, "epsilon": 1e-3, "scale": draw(st.booleans()), "center": draw(st.booleans())}


def _normalization(draw: Draw, shape: tuple[int, ...]) -> Config:
    """epsilon: not so small that rows of rounding errors alone become large."""
    axes = draw(st.sets(st.integers(1, len(shape)), min_size=1))
    whole = {"epsilon": 0.05, "scale": draw(st.booleans()), "center": draw(st.booleans())}
    return {**whole, "axis": draw(st.sampled_from([-1, sorted(axes)]))}


def _rms_normalization(draw: Draw, shape: tuple[int, ...]) -> Config:
    """Over the last axes: Keras fails with others."""
    first = draw(st.integers(1, len(shape)))
    return {"axis": list(range(first, len(shape) + 1)), "epsilon": _normalization(draw, shape)["epsilon"]}


def _group_normalization(draw: Draw, shape: tuple[int, ...]) -> Config:
    groups = draw(st.sampled_from([g for g in range(1, shape[-1] + 1) if shape[-1] % g == 0]))
    return {**_normalization(draw, shape), "axis": -1, "groups": groups}


def _softmax(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"axis": draw(st.one_of(st.just(-1), st.integers(1, len(shape))))}


def _pooling(draw: Draw, shape: tuple[int, ...]) -> Config:
    dimensions = len(shape) - 1
    return {
        "pool_size": [draw(st.integers(1, 4)) for _ in range(dimensions)],
        "strides": draw(st.sampled_from([None, *([n] * dimensions for n in (1, 2, 3))])),
        "padding": draw(st.sampled_from(["valid", "same"])),
    }


def _global_pooling(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"keepdims": draw(st.booleans())}


def _up_sampling(draw: Draw, shape: tuple[int, ...]) -> Config:
    sizes = [draw(st.integers(1, 3)) for _ in shape[:-1]]
    if len(sizes) == 1:
        return {"size": sizes[0]}
    return {"size": sizes, "interpolation": draw(st.sampled_from(["nearest", "bilinear"]))}


def _zero_padding(draw: Draw, shape: tuple[int, ...]) -> Config:
    sides = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in shape[:-1]]
    return {"padding": sides if len(sides) > 1 else sides[0]}


def _relu(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {
        "max_value": draw(st.sampled_from([None, 6.0, 1.5])),
        "negative_slope": draw(st.sampled_from([0.0, 0.1])),
        "threshold": draw(st.sampled_from([0.0, 0.0, 0.25])),
    }


def _reshape(draw: Draw, shape: tuple[int, ...]) -> Config:
    size = int(np.prod(shape))
    divisors = [d for d in range(1, size + 1) if size % d == 0]
    first = draw(st.sampled_from(divisors))
    rest = draw(st.sampled_from([d for d in divisors if (size // first) % d == 0]))
    return {
        "target_shape": draw(st.sampled_from([[first, size // first], [first, rest, size // first // rest]]))
    }


def _fixed(**config: Any) -> DrawConfig:
    return lambda draw, shape: dict(config)


def _named_activation(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"activation": _activation(draw) or "linear"}


def _rescaling(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {
        "scale": draw(st.sampled_from([0.5, -2.0, 1 / 255])),
        "offset": draw(st.sampled_from([0.0, 0.3, -1.0])),
    }


def _heads(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {
        "num_heads": draw(st.integers(1, 3)),
        "key_dim": draw(st.integers(1, 5)),
        "value_dim": draw(st.sampled_from([None, 2, 3])),
        "use_bias": draw(st.booleans()),
        "use_gate": draw(st.sampled_from([False, False, True])),
        **_masks(draw),
    }


def _groups(draw: Draw, shape: tuple[int, ...]) -> Config:
    groups = draw(st.integers(1, 2))
    return {
        "head_dim": draw(st.integers(1, 5)),
        "num_query_heads": groups * draw(st.integers(1, 2)),
        "num_key_value_heads": groups,
        "use_bias": draw(st.booleans()),
        **_masks(draw),
    }


def _masks(draw: Draw) -> Config:
    window = draw(st.sampled_from([None, None, 1, 3]))
    return {"sliding_window": window, "use_causal_mask": draw(st.booleans())}


def _scores(draw: Draw, shape: tuple[int, ...]) -> Config:
    options = {"use_scale": draw(st.booleans()), "use_causal_mask": draw(st.booleans())}
    return {**options, "score_mode": draw(st.sampled_from(["dot", "dot", "concat"]))}


def _additive_scores(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"use_scale": draw(st.booleans()), "use_causal_mask": draw(st.booleans())}


#: Called on a query and a value; CALL_OPTIONS of their configs are of the call.
ATTENTIONS = ("MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention")
CALL_OPTIONS = ("use_causal_mask",)
#: What of the layers that normalize is compared with Keras.
NORMALIZATIONS = ("LayerNormalization", "RMSNormalization", "GroupNormalization")
_MERGES = ("Add", "Subtract", "Multiply", "Concatenate", "Maximum", "Minimum", "Average")

_DRAWS: Mapping[str, DrawConfig] = {
    "Dense": _dense,
    "Conv1D": _conv("Conv1D"),
    "Conv2D": _conv("Conv2D"),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose"), _transposed),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    "BatchNormalization": _batch_normalization,
    **{f"{what}Pooling{d}D": _pooling for what in ("Max", "Average") for d in (1, 2)},
    **{f"Global{what}Pooling{d}D": _global_pooling for what in ("Max", "Average") for d in (1, 2)},
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _zero_padding),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), _up_sampling),
    "ReLU": _relu,
    "LeakyReLU": _fixed(negative_slope=0.2),
    "Softmax": _softmax,
    "LayerNormalization": _normalization,
    "RMSNormalization": _rms_normalization,
    "GroupNormalization": _group_normalization,
    "Activation": _named_activation,
    **dict.fromkeys(_MERGES, _fixed()),
    "Flatten": _fixed(),
    "Reshape": _reshape,
    "Rescaling": _rescaling,
    "Dropout": _fixed(rate=0.5),
}
_ATTENTION_DRAWS: Mapping[str, DrawConfig] = dict(
    zip(ATTENTIONS, (_heads, _groups, _scores, _additive_scores), strict=True)
)
