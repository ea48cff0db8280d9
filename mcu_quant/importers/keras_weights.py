"""Weights by layer, from each place where Keras keeps them, checked before an operator sees them.

A layer is addressed by its path: the names of the models that hold it, outermost first, then its own.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mcu_quant.errors import InvalidModelError
from mcu_quant.importers.hdf5 import Hdf5Contents
from mcu_quant.importers.keras_cells import CLASSES, groups_of_cells, recurrent_weights
from mcu_quant.importers.keras_config import LayerConfig, ModelConfig
from mcu_quant.importers.keras_equation import einsum_weights
from mcu_quant.ops.keras_axes import some_axes

LayerPath = tuple[str, ...]
WeightShape = tuple[str, tuple[int, ...]]

#: Containers of a model's layers in model.weights.h5: Keras from 2.14 on, Keras 2.12 and 2.13.
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
#: Classes that Keras exports under another name than their own, after which files name groups.
_CLASSES = {"GroupQueryAttention": "GroupedQueryAttention"}
#: Layers inside attention layers, in the order in which Keras lists their weights.
ATTENTION_PARTS = ("query_dense", "key_dense", "gate_dense", "value_dense", "output_dense")


class WeightSource(Protocol):
    def of(self, path: LayerPath) -> list[np.ndarray]:
        """The layer's weights in the order of keras.Layer.weights; [] if it has none there."""


class ArchiveWeights:
    """model.weights.h5 of a .keras file.

    Groups are named after classes and counted, not after layers: the second Dense of a model is
    layers/dense_1, whatever its name is. Keras 2.12 and 2.13 count every layer with weights twice
    (dense, dense_2, …), and on Windows they write one group with backslashes in its name.
    """

    def __init__(self, model: ModelConfig, contents: Hdf5Contents) -> None:
        self._variables: dict[str, dict[int, np.ndarray]] = {}
        self._children: dict[str, set[str]] = {}
        for path, array in contents.arrays.items():
            parts = path.replace("\\", "/").split("/")
            if len(parts) >= 2 and parts[-2] == "vars" and parts[-1].isdigit():
                self._variables.setdefault("/".join(parts[:-2]), {})[int(parts[-1])] = array
                for depth in range(len(parts) - 2):
                    self._children.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
        self._groups: dict[LayerPath, str] = {}
        #: Recurrent layers have their weights in groups of their cells.
        self._cells: dict[LayerPath, list[str]] = {}
        self._locate(model, (), "")

    def of(self, path: LayerPath) -> list[np.ndarray]:
        group = self._groups.get(path)
        if group is None:
            return []
        inner = {name.lstrip("_"): name for name in self._children.get(group, ())}
        groups = [group, *(f"{group}/{inner[part]}" for part in ATTENTION_PARTS if part in inner)]
        groups = self._cells.get(path, groups)
        return [array for part in groups for _, array in sorted(self._variables.get(part, {}).items())]

    def _locate(self, model: ModelConfig, path: LayerPath, group: str) -> None:
        for container in _CONTAINERS:
            parent = f"{group}/{container}" if group else container
            if parent in self._children:
                break
        else:
            return
        by_class: dict[str, list[LayerConfig]] = {}
        for layer in model.layers:
            if not layer.operation:
                by_class.setdefault(_snake_case(layer.class_name), []).append(layer)
        for stem, layers in by_class.items():
            names = self._group_names(parent, stem, len(layers))
            for layer, name in zip(layers, names, strict=False):
                self._locate_layer(layer, path, f"{parent}/{name}")

    def _locate_layer(self, layer: LayerConfig, path: LayerPath, group: str) -> None:
        here = (*path, layer.name)
        self._groups[here] = group
        if layer.class_name in CLASSES and not layer.custom:
            self._cells[here] = list(self._groups_of_cells(layer, group))
        if layer.model is not None:
            self._locate(layer.model, here, group)
        if layer.wrapped is not None:
            self._locate_layer(layer.wrapped, here, f"{group}/layer")

    def _groups_of_cells(self, layer: LayerConfig, group: str) -> Iterator[str]:
        for part, classes in groups_of_cells(layer.class_name, layer.config):
            here = f"{group}/{part}"
            if not classes:
                yield here
            counts: Counter[str] = Counter()
            for stem in map(_snake_case, classes):
                names = self._group_names(here, stem, counts[stem] + 1)
                yield f"{here}/{names[counts[stem]]}"
                counts[stem] += 1

    def _group_names(self, parent: str, stem: str, count: int) -> list[str]:
        """The groups of a class's layers, in order."""
        if parent.endswith(_CONTAINERS[1]):
            pattern = re.compile(re.escape(stem) + r"(?:_(\d+))?")
            matches = [pattern.fullmatch(name) for name in self._children[parent]]
            numbered = sorted((int(m[1] or 0), m[0]) for m in matches if m)
            return [name for _, name in numbered]
        return [stem if index == 0 else f"{stem}_{index}" for index in range(count)]


class LegacyWeights:
    """model_weights of a legacy .h5 file: a group per outermost layer, its arrays listed in order.

    A nested model has one flat list; its layers are found by the names in the weights' paths.
    """

    def __init__(self, contents: Hdf5Contents) -> None:
        self._contents = contents
        self._root = "model_weights" if "model_weights" in contents.attributes else ""

    def of(self, path: LayerPath) -> list[np.ndarray]:
        group = f"{self._root}/{path[0]}" if self._root else path[0]
        names = self._contents.names(group, "weight_names") or []
        scopes = {name: tuple(name.split("/")[:-1]) for name in names}
        chosen = names
        if len(path) > 1:
            within = [name for name in names if _has(scopes[name], path)]
            last = [name for name in names if scopes[name][-1:] == path[-1:]]
            chosen = within or last or [name for name in names if scopes[name][-2:-1] == path[-1:]]
        return [self._array(f"{group}/{name}", path) for name in chosen]

    def _array(self, name: str, path: LayerPath) -> np.ndarray:
        array = self._contents.arrays.get(name)
        if array is None:
            raise InvalidModelError(
                "every weight that the file lists must be in it",
                layer="/".join(path),
                value=name,
                hint="save the model again; the file may be truncated",
            )
        return array


def _has(scope: tuple[str, ...], path: LayerPath) -> bool:
    """Whether the path is all of the scope's end, or stands there before a cell's or a direction's names."""
    places = range(len(scope) - len(path) + 1)
    return any(scope[place : place + len(path)] == path for place in places)


class ModelWeights:
    """The caller's own keras.Model (of Keras 2 or 3), by its public attributes only."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def of(self, path: LayerPath) -> list[np.ndarray]:
        layer = self._model
        for name in path:
            children = layer.layers if hasattr(layer, "layers") else [getattr(layer, "layer", None)]
            found = [child for child in children if getattr(child, "name", None) == name]
            if not found:
                return []
            layer = found[0]
        return [np.asarray(array) for array in layer.get_weights()]


def _snake_case(class_name: str) -> str:
    """Keras's name for a class: DepthwiseConv2D is depthwise_conv2d, ReLU is re_lu."""
    class_name = _CLASSES.get(class_name, class_name)
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", class_name).lower()


def checked_weights(
    layer: LayerConfig, label: str, weights: Sequence[np.ndarray], input_shape: Sequence[int]
) -> tuple[np.ndarray, ...]:
    """The weights as float32, of the shapes that the layer's config and input call for, and finite."""
    expected = expected_weights(layer.class_name, layer.config, input_shape)
    return () if expected is None else fitting_weights(expected, label, weights)


def fitting_weights(
    expected: Sequence[WeightShape], label: str, weights: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """The weights of layer `label` as float32, of those shapes, and finite. Raises InvalidModelError."""
    if len(weights) != len(expected):
        listed = ", ".join(name for name, _ in expected) or "none"
        raise InvalidModelError(
            f"the layer must have {len(expected)} weights ({listed})",
            layer=label,
            value=f"{len(weights)} in the file",
            hint="save the whole model after building it: model.save('model.keras')",
        )
    checked = []
    for (name, shape), array in zip(expected, weights, strict=True):
        if array.shape != shape:
            raise InvalidModelError(
                f"weight {name} must have shape {list(shape)}",
                layer=label,
                value=list(array.shape),
                hint="save the whole model again",
            )
        checked.append(finite_weights(array, name, label))
    return tuple(checked)


def finite_weights(array: np.ndarray, name: str, label: str) -> np.ndarray:
    """The array as float32. Raises InvalidModelError, naming layer `label`, unless all of it is finite."""
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        raise InvalidModelError(
            f"weight {name} must be finite",
            layer=label,
            value=f"{int((~finite).sum())} of {values.size} are NaN, infinite or beyond float32",
            hint="train the model again: it has diverged",
        )
    return values


def expected_weights(
    class_name: str, config: Mapping[str, Any], input_shape: Sequence[int]
) -> list[WeightShape] | None:
    """Names and shapes in the order of keras.Layer.weights; None for a layer that has none."""
    channels = input_shape[-1]
    if class_name == "Dense":
        units = config["units"]
        return [("kernel", (channels, units)), *_bias(config, units)]
    if class_name in ("Conv1D", "Conv2D"):
        filters, groups = config["filters"], config.get("groups") or 1
        kernel = (*_kernel_size(class_name, config), channels // groups, filters)
        return [("kernel", kernel), *_bias(config, filters)]
    if class_name in ("Conv1DTranspose", "Conv2DTranspose"):
        filters = config["filters"]
        return [("kernel", (*_kernel_size(class_name, config), filters, channels)), *_bias(config, filters)]
    if class_name in ("DepthwiseConv1D", "DepthwiseConv2D"):
        multiplier = config.get("depth_multiplier", 1)
        kernel = (*_kernel_size(class_name, config), channels, multiplier)
        return [("depthwise_kernel", kernel), *_bias(config, channels * multiplier)]
    if class_name in ("SeparableConv1D", "SeparableConv2D"):
        multiplier, filters = config.get("depth_multiplier", 1), config["filters"]
        size = _kernel_size(class_name, config)
        pointwise = (*(1 for _ in size), channels * multiplier, filters)
        kernels = [("depthwise_kernel", (*size, channels, multiplier)), ("pointwise_kernel", pointwise)]
        return [*kernels, *_bias(config, filters)]
    if class_name in CLASSES:
        return recurrent_weights(class_name, config, channels)
    if class_name == "EinsumDense":
        return [*einsum_weights(config, input_shape)]
    if class_name == "Embedding":
        return [("embeddings", (config["input_dim"], config["output_dim"]))]
    if class_name == "PReLU":
        shared = config.get("shared_axes") or ()
        return [("alpha", tuple(1 if i in shared else s for i, s in enumerate(input_shape) if i))]
    if class_name == "BatchNormalization":
        size = input_shape[config.get("axis", -1)]
        learnt = [name for name, key in (("gamma", "scale"), ("beta", "center")) if config.get(key, True)]
        return [(name, (size,)) for name in (*learnt, "moving_mean", "moving_variance")]
    return _normalization_weights(class_name, config, input_shape)


def _normalization_weights(
    class_name: str, config: Mapping[str, Any], input_shape: Sequence[int]
) -> list[WeightShape] | None:
    """expected_weights of layers that normalize by their inputs, or by what they were adapted to."""
    axis = config.get("axis", -1)
    if class_name == "Normalization":
        kept = () if axis is None or axis == [] else some_axes(axis, len(input_shape))
        shape = tuple(input_shape[axis] for axis in kept)
        given = config.get("mean") is not None
        return None if given else [("mean", shape), ("variance", shape), ("count", ())]
    if class_name not in ("LayerNormalization", "RMSNormalization", "GroupNormalization"):
        return None
    shape = tuple(input_shape[axis] for axis in some_axes(axis, len(input_shape)))
    if class_name == "RMSNormalization":
        return [("scale", shape)]
    return [(name, shape) for name, key in (("gamma", "scale"), ("beta", "center")) if config.get(key, True)]


def _bias(config: Mapping[str, Any], size: int) -> list[WeightShape]:
    return [("bias", (size,))] if config.get("use_bias", True) else []


def _kernel_size(class_name: str, config: Mapping[str, Any]) -> tuple[int, ...]:
    rank = 1 if "1D" in class_name else 2
    size = config["kernel_size"]
    values = (size,) * rank if isinstance(size, int) else tuple(size)
    if len(values) != rank or math.prod(values) <= 0:
        raise ValueError(f"kernel_size {size}")
    return values
