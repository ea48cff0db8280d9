"""A keras.Model that lives in the caller's process, of Keras 2 or 3 and any backend.

Nothing is imported: the object is asked for its config and weights by its public methods.
"""

from __future__ import annotations

import json
from typing import Any

from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.importers.keras_build import build_graph
from mcu_quant.importers.keras_config import MODEL_CLASSES, parse_model
from mcu_quant.importers.keras_weights import ModelWeights
from mcu_quant.ir import Graph


def is_keras_model(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("to_json", "get_config", "layers", "get_weights"))


def load_keras_model(model: Any) -> Graph:
    """The float graph of a Sequential or Functional model, named after it. Raises McuQuantError."""
    if not is_keras_model(model):
        raise InvalidInputError(
            "the model must be a keras.Model or the path of a file", value=type(model).__name__
        )
    kind = type(model).__name__
    if kind not in MODEL_CLASSES:
        raise InvalidModelError(
            "the model must be a Sequential or a Functional model: the code of a class is not read",
            layer=str(model.name),
            value=kind,
            hint="x = keras.Input(shape); keras.Model(x, model.call(x))",
        )
    if not getattr(model, "built", True):
        raise InvalidModelError(
            "the model must be built", layer=str(model.name), hint="begin it with keras.Input(shape=…)"
        )
    try:
        document = json.loads(model.to_json())
    except (TypeError, ValueError, NotImplementedError) as error:
        raise InvalidModelError(
            "Keras must be able to serialize the model", layer=str(model.name), value=error
        ) from error
    return build_graph(parse_model(document), ModelWeights(model), str(model.name))
