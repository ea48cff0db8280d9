"""The child process that opens SavedModels: `python -m mcu_quant.importers.saved_model_reader DIRECTORY`.

The only part of the package that imports TensorFlow. It loads the model's default signature in the
manner of TensorFlow 1 (which asks nothing of the Python objects that were saved, so that models of
any Keras load), turns variables into constants, inlines functions, and sends the plain nodes
(child.py has the form): {"inputs": [[key, tensor]], "outputs": [[key, tensor]],
"nodes": [{"op", "name", "inputs", "attributes"}]}, with the values of Const nodes as arrays.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from mcu_quant.importers.child import REFUSED, Refused, send

_DEFAULT_SIGNATURE = "serving_default"
#: Attributes that the importer reads.
_ATTRIBUTES = (
    "strides", "padding", "explicit_paddings", "data_format", "dilations", "ksize", "keep_dims", "epsilon",
    "alpha", "squeeze_dims", "axis", "begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask",
    "shrink_axis_mask", "transpose_a", "transpose_b", "is_training", "batch_dims", "shape", "DstT",
    "adj_x", "adj_y", "align_corners", "block_size", "equation", "exclusive", "half_pixel_centers", "mode",
    "num", "num_split", "reverse",
)  # fmt: skip


def read(directory: str, out: BinaryIO) -> None:
    """Write the frozen graph to out. Raises Refused."""
    import tensorflow as tf

    graph_def, inputs, outputs = _frozen(tf, directory)
    arrays: dict[str, np.ndarray] = {}
    nodes = []
    for node in graph_def.node:
        attributes = {name: _attribute(node.attr[name]) for name in _ATTRIBUTES if name in node.attr}
        nodes.append({"op": node.op, "name": node.name, "inputs": list(node.input), "attributes": attributes})
        if node.op == "Const":
            value = tf.make_ndarray(node.attr["value"].tensor)
            if value.dtype.kind in "fiub":
                arrays[node.name] = value if value.dtype.kind != "f" else value.astype(np.float32)
    send({"nodes": nodes, "inputs": inputs, "outputs": outputs}, arrays, out)


def _frozen(tf: Any, directory: str) -> tuple[Any, list[list[str]], list[list[str]]]:
    """(GraphDef, inputs, outputs): variables are constants, functions are inlined."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_from_session_graph,
        convert_variables_to_constants_v2,
    )

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], directory)
        signature = _signature(meta.signature_def)
        inputs, outputs = _endpoints(signature.inputs), _endpoints(signature.outputs)
        names = [tensor.split(":")[0] for _, tensor in outputs]
        graph_def = session.graph.as_graph_def()
        _allow_inlining(graph_def)
        if _loops(tf.compat.v1.graph_util.extract_sub_graph(graph_def, names)):
            raise Refused("While: in a SavedModel, recurrent layers are loops")
        constants = convert_variables_to_constants_from_session_graph(session, graph_def, names)

    def restored() -> None:
        tf.import_graph_def(constants, name="")

    wrapped = tf.compat.v1.wrap_function(restored, [])
    function = wrapped.prune(
        [wrapped.graph.get_tensor_by_name(tensor) for _, tensor in inputs],
        [wrapped.graph.get_tensor_by_name(tensor) for _, tensor in outputs],
    )
    inlined = convert_variables_to_constants_v2(function, lower_control_flow=False)
    renamed = [[key, tensor.name] for (key, _), tensor in zip(inputs, inlined.inputs, strict=True)]
    results = [[key, tensor.name] for (key, _), tensor in zip(outputs, inlined.outputs, strict=True)]
    return inlined.graph.as_graph_def(), renamed, results


def _signature(signatures: Mapping[str, Any]) -> Any:
    usable = sorted(name for name in signatures if not name.startswith("__"))
    if _DEFAULT_SIGNATURE in signatures:
        return signatures[_DEFAULT_SIGNATURE]
    if len(usable) == 1:
        return signatures[usable[0]]
    raise Refused(f"it must have one signature, or one named {_DEFAULT_SIGNATURE}; it has {usable or 'none'}")


def _endpoints(infos: Mapping[str, Any]) -> list[list[str]]:
    """[key, tensor name], output_2 before output_10."""
    for key, info in infos.items():
        if not info.name:
            raise Refused(f"its {key} must be a dense tensor")
    return [[key, infos[key].name] for key in sorted(infos, key=_natural)]


def _natural(key: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", key)]


def _allow_inlining(graph_def: Any) -> None:
    """Keras marks some functions (grouped convolutions) for XLA, which keeps them from being inlined."""
    functions = graph_def.library.function
    for holder in (
        *graph_def.node,
        *functions,
        *(node for function in functions for node in function.node_def),
    ):
        for name in ("_XlaMustCompile", "_noinline"):
            if name in holder.attr:
                del holder.attr[name]


def _loops(graph_def: Any) -> bool:
    """Whether a node of the graph, or of a function that it calls in any depth, is a loop."""
    functions = {function.signature.name: function for function in graph_def.library.function}
    waiting, seen = list(graph_def.node), set()
    while waiting:
        node = waiting.pop()
        if node.op in ("While", "StatelessWhile"):
            return True
        called = node.attr["f"].func.name if "f" in node.attr else node.op
        if called in functions and called not in seen:
            seen.add(called)
            waiting.extend(functions[called].node_def)
    return False


def _attribute(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "list":
        return [int(item) for item in value.list.i]
    if kind == "shape":
        return None if value.shape.unknown_rank else [int(dim.size) for dim in value.shape.dim]
    if kind == "s":
        return value.s.decode("utf-8", "replace")
    if kind == "b":
        return bool(value.b)
    return getattr(value, kind) if kind in ("i", "f", "type") else None


def main() -> int:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what TensorFlow prints goes to stderr
    try:
        read(sys.argv[1], out)
    except Refused as reason:
        print(reason, file=sys.stderr)
        return REFUSED
    except Exception as error:  # TensorFlow has an open set of errors, all about the file here
        print(
            "TensorFlow cannot load it:",
            type(error).__name__,
            " ".join(str(error).split())[:500],
            file=sys.stderr,
        )
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
