"""What there is to know of a model before any of it is generated: the facts of `inspect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mcu_quant import pipeline
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph, Streaming, Tensor
from mcu_quant.kernels.base import Activation, Constant, Core, KernelCall
from mcu_quant.ops.bands import BandsAttrs
from mcu_quant.ops.index_limits import index_limits
from mcu_quant.ops.lookup import LookupAttrs


def inspect_graph(graph: Graph) -> dict[str, Any]:
    """Layers, shapes, types, MACs, parameters, and what has no integer form."""
    layers = [_layer(index, node) for index, node in enumerate(graph.bound_nodes())]
    limits = index_limits(graph)
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        tensors |= node.attrs.graph.tensors if isinstance(node.attrs, BandsAttrs) else {}
    return {
        **({} if graph.streaming is None else {"streaming": streaming_facts(graph.streaming)}),
        "inputs": [
            _tensor(tensor) | ({"indices": list(limits[tensor.name])} if tensor.name in limits else {})
            for tensor in graph.input_tensors()
        ],
        "outputs": [_tensor(tensor) for tensor in graph.output_tensors()],
        "layers": layers,
        "macs": sum(layer["macs"] for layer in layers),
        "parameters": sum(tensor.elements for tensor in tensors.values() if tensor.is_constant),
    }


def streaming_facts(streaming: Streaming) -> dict[str, Any]:
    """axis, hop, window_frames; of each output the rows of the window's that it is, null if it has no time;
    whole_window: the layers that compute all rows of a window in each run."""
    rows = [None if r is None else {"axis": r[0], "first": r[1], "end": r[2]} for r in streaming.rows]
    return {
        "axis": streaming.axis,
        "hop": streaming.hop,
        "window_frames": streaming.frames,
        "output_rows": rows,
        "whole_window": list(streaming.whole),
    }


def inspect_deployment(deployment: Deployment) -> dict[str, Any]:
    """inspect_graph with kernels, RAM and flash as planned (`profile` measures them).

    The layers are those that are left after exact rewrites; what these saved is there, too.
    lower_bound: what no arena is below; disjoint_bytes: the same without any overlap. const_bytes: all
    tables. fitting: what a limit of RAM changed.
    """
    facts = inspect_graph(deployment.graph) | _removed(deployment)
    constants = [
        _constant_bytes(kernel.calls(node), deployment.graph.tensors)
        for kernel, node in zip(deployment.kernels, deployment.graph.bound_nodes(), strict=True)
    ]
    plan = deployment.plan
    for layer, kernel, const_bytes in zip(facts["layers"], deployment.kernels, constants, strict=True):
        index = layer["index"]
        layer |= {
            "removed_channels": _removed_channels(deployment, index),
            "kernel": kernel.name,
            "const_bytes": const_bytes,
            "live_bytes": plan.live_bytes[index],
            "scratch_bytes": plan.scratch[index][1],
        }
    facts["core"] = deployment.core.name
    facts["memory"] = {
        "arena_bytes": plan.arena_bytes,
        "fast_arena_bytes": plan.fast_arena_bytes,
        "state_bytes": plan.state_bytes,
        "lower_bound": plan.lower_bound,
        "disjoint_bytes": plan.disjoint_bytes,
    }
    facts["fitting"] = deployment.fitting()
    facts["flash"] = {"const_bytes": sum(constants)}
    return facts


def inspect_integer(model: pipeline.TfliteModel, core: Core, options: GenerateOptions) -> dict[str, Any]:
    """The facts of a .tflite file; "unsupported" lists why it cannot be generated, if so.

    Whether it fits options.ram is the caller's to ask: the facts are of the smallest arena if it does not.
    """
    try:
        facts = inspect_deployment(pipeline.deploy_smallest(model, core, options))
    except UnsupportedModelError as error:
        return inspect_graph(model.graph) | {"unsupported": problems_json(error.problems)}
    return facts | {"unsupported": []}


def _removed(deployment: Deployment) -> dict[str, Any]:
    """The model's own MACs and parameters, and the layers that nothing is left of."""
    source = inspect_graph(deployment.reference)
    plain = [inner for node in deployment.graph.bound_nodes() for inner in _expanded(node)]
    left = {node.name for node in plain}.union(*(_fused_layers(node) for node in plain))
    return {
        "original_macs": source["macs"],
        "original_parameters": source["parameters"],
        "removed_layers": [layer["name"] for layer in source["layers"] if layer["name"] not in left],
    }


def _removed_channels(deployment: Deployment, index: int) -> int:
    """How many channels of a layer's outputs are left out because they are constant or unused."""
    removed = 0
    for node in _expanded(deployment.graph.bind(deployment.graph.nodes[index])):
        for source in deployment.reference.nodes:  # which has no copies, made for a deployment
            if source.name == node.name:
                before = deployment.reference.tensors[source.outputs[0]]
                removed += sum(before.shape[-1:]) - sum(node.output.shape[-1:])
    return removed


def _expanded(node: BoundNode) -> list[BoundNode]:
    """The node; those that it stands for if they run in bands."""
    return list(node.attrs.graph.bound_nodes()) if isinstance(node.attrs, BandsAttrs) else [node]


def _fused_layers(node: BoundNode) -> list[str]:
    """The layers that a table stands for."""
    return [name for name, _ in node.attrs.layers] if isinstance(node.attrs, LookupAttrs) else []


def without_quantization(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a model that was calibrated with synthetic_samples: no scales, which are noise too."""
    unknown = {"scale": None, "zero_point": None}
    return facts | {key: [tensor | unknown for tensor in facts[key]] for key in ("inputs", "outputs")}


def synthetic_samples(graph: Graph) -> list[tuple[np.ndarray, ...]]:
    """Seeded noise to calibrate with where only sizes are asked for, which do not depend on ranges."""
    generator, limits = np.random.default_rng(0), index_limits(graph)

    def drawn(tensor: Tensor) -> np.ndarray:
        shape = (4, *tensor.shape[1:])
        if tensor.dtype != "float32":
            return generator.integers(*limits.get(tensor.name, (0, 1)), shape, tensor.dtype, endpoint=True)
        return generator.standard_normal(shape).astype(np.float32)

    return [tuple(drawn(tensor) for tensor in graph.input_tensors())]


def problems_json(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"layer": p.layer, "rule": p.rule, "value": p.value, "hint": p.hint} for p in problems]


def _constant_bytes(calls: Sequence[KernelCall], tensors: Mapping[str, Tensor]) -> int:
    """Of all tables and constant operands, each once."""
    arguments = [argument for call in calls for argument in call.arguments]
    tables = [a.data for a in arguments if isinstance(a, Constant)]
    operands = [
        tensors[a.tensor].data for a in arguments if isinstance(a, Activation) and a.tensor in tensors
    ]
    tables += [data for data in operands if data is not None]
    return sum({(data.dtype.name, data.tobytes()): data.nbytes for data in tables}.values())


def _layer(index: int, node: BoundNode) -> dict[str, Any]:
    from mcu_quant.ops import OPERATORS

    activations = [tensor for tensor in node.inputs if tensor is not None and not tensor.is_constant]
    constants = [t for plain in _expanded(node) for t in plain.inputs if t is not None and t.is_constant]
    fused = _fused_layers(node)
    return {
        "index": index,
        "name": node.name,
        "op": node.node.op,
        **({"fused": fused} if fused else {}),
        "type": node.outputs[0].dtype,
        "input_shape": list(activations[0].shape) if activations else [],
        "output_shape": list(node.outputs[0].shape),
        "macs": OPERATORS[node.node.op].macs(node),
        "parameters": sum(tensor.elements for tensor in constants),
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    quant = tensor.quant
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "type": tensor.dtype,
        "scale": None if quant is None else quant.scale[0],
        "zero_point": None if quant is None else quant.zero_point[0],
    }
