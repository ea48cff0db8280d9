"""A model as a C library: <name>.h, <name>.c, its weights, and the kernels that it calls.

Everything is decided here; templates/library/ only lays it out. The same deployment gives the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import mcu_quant
from mcu_quant.bands.kernel import BandsKernel
from mcu_quant.c_names import check_c_name
from mcu_quant.codegen import literals
from mcu_quant.codegen.assembly import Assemblies
from mcu_quant.codegen.bands import BandsText, BandsWriter
from mcu_quant.codegen.calls import NO_SCRATCH, POINTERS, CallText, CallWriter, Place, pointers_in
from mcu_quant.codegen.names import UniqueNames, comment, identifier
from mcu_quant.codegen.states import state_resets
from mcu_quant.codegen.tables import Table, Tables
from mcu_quant.codegen.templates import environment
from mcu_quant.deployment import ARENA_ALIGN, STATE, Deployment
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Kernel, storage_of
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.index_limits import Limits, index_limits
from mcu_quant.ops.lookup import LookupAttrs
from mcu_quant.resources import directory
from mcu_quant.sections import RODATA

#: File name to template; `{}` is the model's name.
_FILES = {
    "{}.h": "model.h.j2",
    "{}.c": "model.c.j2",
    "{}_weights.h": "weights.h.j2",
    "{}_weights.c": "weights.c.j2",
}
#: Only if a kernel is given assembly.
_ASSEMBLY = ("{}_kernels.S", "kernels.S.j2")
_INLINE = {
    "time": (
        "Each call of a kernel is compiled for its own sizes.",
        "static inline __attribute__((always_inline))",
    ),
    "balanced": (
        "The compiler decides which calls of a kernel are compiled for their own sizes.",
        "static inline",
    ),
    "size": ("Kernels are compiled once, for all sizes.", "static __attribute__((noinline, unused))"),
}
#: Bounds of the types that quantize helpers give; int32 limits have no exact float.
_LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


@dataclass(frozen=True)
class Port:
    """An input or output of the model, in C. base: of its arena. table: the symbol of a constant output.

    indices: (least, largest) that an input should hold, if it is indices.
    """

    function: str
    macro: str
    argument: str
    c_type: str
    address: int | None
    table: str | None
    tensor: Tensor
    base: str = field(repr=False)
    indices: Limits | None = field(default=None, repr=False)

    @property
    def facts(self) -> str:
        facts = f"{comment(self.tensor.name)}: {tensor_facts(self.tensor)}"
        if self.indices is None:
            return facts
        return facts + ", indices from {} to {}; any other is safe".format(*self.indices)

    @property
    def shape(self) -> str:
        return "{" + ", ".join(map(str, self.tensor.shape or (1,))) + "}"

    @property
    def rank(self) -> int:
        return len(self.tensor.shape or (1,))

    @property
    def scale(self) -> str | None:
        """None without one scale for all (a float, or an output that is per-channel weights)."""
        quant = self.tensor.quant
        return literals.real(self.tensor.scale) if quant is not None and len(quant.scale) == 1 else None

    @property
    def limits(self) -> tuple[int, int] | None:
        return None if self.scale is None else _LIMITS.get(self.tensor.dtype)


@dataclass(frozen=True)
class Layer:
    """One node: a call or bands, neither where nothing has to run. facts: lines of its comment."""

    index: int
    function: str
    title: str
    facts: tuple[str, ...]
    call: CallText | None = None
    bands: BandsText | None = None

    @property
    def pointers(self) -> tuple[str, ...]:
        """To the arenas that its function uses."""
        texts = [argument for _, call in self.calls for argument in call.arguments]
        if self.bands is not None:
            texts = [text for stretch in self.bands.stretches for text in stretch.statements]
        return pointers_in(texts)

    @property
    def uses_state(self) -> bool:
        return POINTERS[STATE] in self.pointers

    @property
    def calls(self) -> tuple[tuple[str, CallText], ...]:
        """(C function, the kernel's call in it), none where nothing has to run."""
        if self.bands is not None:
            return tuple((function.name, function.call) for function in self.bands.functions)
        return () if self.call is None else ((self.function, self.call),)


def render_library(deployment: Deployment) -> dict[str, str]:
    """File name → text. Raises InvalidInputError if the deployment's name cannot begin C names."""
    check_c_name(deployment.name)
    headers = kernel_headers(deployment.kernels)
    context = _context(deployment, headers)
    templates = [*_FILES.items(), *([_ASSEMBLY] if context["assemblies"] else [])]
    files = {
        name.format(deployment.name): environment("library").get_template(template).render(context)
        for name, template in templates
    }
    return files | headers


def library_tables(deployment: Deployment) -> list[Table]:
    """The tables of <name>_weights.c."""
    return list(_context(deployment, kernel_headers(deployment.kernels))["tables"])


def build_number(deployment: Deployment) -> str:
    """What <NAME>_BUILD of the generated header is."""
    return str(_context(deployment, kernel_headers(deployment.kernels))["build"])


@dataclass(frozen=True)
class LayerAssembly:
    """What a layer's kernel is handed. given: (type of the C function, symbol), for hosts the twin, too."""

    function: str
    kernel: str
    given: tuple[tuple[str, str], ...]


def assembly_of_layers(deployment: Deployment) -> list[LayerAssembly]:
    """For each function that calls a kernel: of a layer, or of one in bands."""
    tables, assemblies = Tables(deployment.name), Assemblies(deployment.name)
    layers = _layers(deployment, tables, assemblies)
    functions = {function.symbol: function.source for function in assemblies}
    found = []
    for layer in layers:
        for function, call in layer.calls:
            symbols = [argument for argument in call.arguments if argument in functions]
            pairs = [(functions[s].function_type, n) for s in symbols for n in (s, functions[s].twin)]
            found.append(LayerAssembly(function, call.kernel, tuple(pairs)))
    return found


def _context(deployment: Deployment, headers: dict[str, str]) -> dict[str, Any]:
    tables, assemblies = Tables(deployment.name), Assemblies(deployment.name)
    layers = _layers(deployment, tables, assemblies)
    inputs = [
        _port(deployment, "input", k, tensor, tables)
        for k, tensor in enumerate(deployment.graph.input_tensors())
    ]
    outputs = [
        _port(deployment, "output", k, t, tables) for k, t in enumerate(deployment.graph.output_tensors())
    ]
    reason, inline = _INLINE[deployment.options.optimize]
    nodes = list(deployment.graph.bound_nodes())
    context: dict[str, Any] = {
        "name": deployment.name,
        "macro": deployment.name.upper(),
        "tool_version": mcu_quant.__version__,
        "fingerprint": deployment.fingerprint,
        "core": deployment.core.name,
        "streaming": deployment.graph.streaming,
        "options": comment(deployment.options.canonical(), longest=2000),
        "arena_bytes": deployment.plan.arena_bytes,
        "fast_arena_bytes": deployment.plan.fast_arena_bytes,
        "arena_align": ARENA_ALIGN,
        "state_bytes": deployment.plan.state_bytes,
        "resets": state_resets(deployment, tables),
        "scratch_bytes": deployment.plan.scratch_bytes,
        "largest_layer": deployment.plan.largest_layer,
        "largest_layer_bytes": deployment.plan.used_bytes(deployment.plan.largest_layer),
        "keep_input": deployment.options.keep_input,
        "macs": sum(OPERATORS[node.node.op].macs(node) for node in nodes),
        "inputs": inputs,
        "outputs": outputs,
        "layers": layers,
        "tables": list(tables),
        "section_macros": _section_macros(deployment.name.upper(), list(tables)),
        "assemblies": list(assemblies),
        "const_bytes": sum(table.bytes for table in tables),
        "kernel_includes": [name for name in headers if name != "mq_common.h"],
        "kernels_version": _kernels_version(headers["mq_common.h"]),
        "inline": inline,
        "inline_reason": reason,
    }
    return context | {"build": _build_number(context)}


def _build_number(context: dict[str, Any]) -> str:
    """Names one generation's content, so that its files notice when they are mixed with another's."""
    apart = ("tables", "fast_arena_bytes", "state_bytes", "resets", "streaming")
    content = {key: context[key] for key in context if key not in apart}
    content["tables"] = [
        (t.symbol, t.c_type, t.section, hashlib.sha256(t.data.tobytes()).hexdigest())
        for t in context["tables"]
    ]
    if context["fast_arena_bytes"]:
        content["split"] = (
            context["fast_arena_bytes"],
            [p.base for p in context["inputs"] + context["outputs"]],
        )
    if context["state_bytes"]:
        content["state"] = (context["state_bytes"], context["resets"])
    return "0x" + hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()[:8] + "u"


def _layers(deployment: Deployment, tables: Tables, assemblies: Assemblies) -> list[Layer]:
    storage = storage_of(deployment.graph, deployment.kernels)
    writer = CallWriter(tables, assemblies, deployment.options.placement)
    layers = []
    for index, (node, kernel) in enumerate(
        zip(deployment.graph.bound_nodes(), deployment.kernels, strict=True)
    ):
        stem = f"{index}_{identifier(node.name)}"
        layer = Layer(
            index, f"{deployment.name}_layer_{stem}", comment(node.name), _layer_facts(node, kernel)
        )
        if isinstance(kernel, BandsKernel):
            layer = replace(layer, bands=_bands(deployment, writer, index, kernel))
        elif not kernel.is_alias:
            call = writer.write(
                kernel.function,
                kernel.call(node),
                stem,
                node.name,
                partial(_activation, deployment, storage, writer, stem, node.name),
                _scratch(deployment, index),
            )
            layer = replace(layer, call=call)
        layers.append(layer)
    return layers


def _bands(deployment: Deployment, writer: CallWriter, index: int, kernel: BandsKernel) -> BandsText:
    node, plan = deployment.graph.nodes[index], deployment.plan
    (source,), (output,) = node.inputs, node.outputs
    assert source is not None
    bases = {
        "input": Place(plan.arena_of(source), plan.addresses[source]),
        "output": Place(plan.arena_of(output), plan.addresses[output]),
        "scratch": Place(plan.scratch_arena(index), plan.scratch[index][0]),
    }
    return BandsWriter(writer, kernel, f"{deployment.name}_layer_{index}", str(index), bases).write()


def _activation(
    deployment: Deployment, storage: dict[str, str], writer: CallWriter, stem: str, layer: str, name: str
) -> str:
    tensor = deployment.graph.tensors[name]
    root = deployment.graph.tensors[storage[name]]
    if root.data is not None:
        return writer.table(stem, layer, "operand", root.data)
    plan = deployment.plan
    return Place(plan.arena_of(name), plan.addresses[name]).text(tensor.dtype)


def _scratch(deployment: Deployment, index: int) -> str:
    address, size = deployment.plan.scratch[index]
    place = Place(deployment.plan.scratch_arena(index), address)
    return place.text() if size else f"{place.base}{NO_SCRATCH}"


def _section_macros(prefix: str, tables: Sequence[Table]) -> dict[str, str]:
    """Section → the macro that puts a table there; for RODATA, the one that has always been."""
    macros, names = {RODATA: f"{prefix}_WEIGHTS_SECTION"}, UniqueNames()
    for section in dict.fromkeys(table.section for table in tables):
        if section not in macros:
            macros[section] = names.take(f"{prefix}_SECTION_{identifier(section).upper()}")
    return macros


def _port(deployment: Deployment, kind: str, index: int, tensor: Tensor, tables: Tables) -> Port:
    root = deployment.graph.tensors[storage_of(deployment.graph, deployment.kernels)[tensor.name]]
    table = None
    if root.data is not None:
        table = tables.add(
            f"constant_{kind}_{index}", root.data, f"{kind} {index}", deployment.options.placement.default
        )
    return Port(
        function=f"{deployment.name}_{kind}_{index}",
        macro=f"{deployment.name.upper()}_{kind.upper()}_{index}",
        argument=f"{kind}_{index}",
        c_type=literals.C_TYPES[tensor.dtype],
        address=None if table else deployment.plan.addresses[tensor.name],
        table=table,
        tensor=tensor,
        base=POINTERS[deployment.plan.arena_of(tensor.name)],
        indices=index_limits(deployment.graph).get(tensor.name) if kind == "input" else None,
    )


def tensor_facts(tensor: Tensor) -> str:
    """Shape, type, scale and zero_point, for a comment."""
    text = f"{literals.shape(tensor.shape)} {tensor.dtype}"
    if tensor.quant is None:
        return text
    if tensor.quant.channel_axis is not None:
        return f"{text}, scale per channel (axis {tensor.quant.channel_axis})"
    return f"{text}, scale {literals.real(tensor.scale)[:-1]}, zero_point {tensor.zero_point}"


def _layer_facts(node: BoundNode, kernel: Kernel) -> tuple[str, ...]:
    macs = OPERATORS[node.node.op].macs(node)
    how = "the same bytes, nothing to run" if kernel.is_alias else f"by mq_{kernel.function}"
    if isinstance(kernel, BandsKernel):
        how = node.attrs.summary
    elif isinstance(node.attrs, LookupAttrs):
        how += f", {node.attrs.summary}"
    lines = [f"{node.node.op}, {how}" + (f", {macs} MACs" if macs else "")]
    present = [tensor for tensor in node.inputs if tensor is not None]
    lines += [f"{'constant' if t.is_constant else 'input'}: {tensor_facts(t)}" for t in present]
    lines += [f"output: {tensor_facts(tensor)}" for tensor in node.outputs]
    return tuple(lines)


def kernel_headers(kernels: Sequence[Kernel]) -> dict[str, str]:
    """The headers of those kernels and all that they include, mq_common.h first, then by name."""
    folders = {
        f"mq_{k.function}.h": directory("templates") / "kernels" / k.family / f"{k.function}.h"
        for kernel in kernels
        for k in kernel.parts
        if not k.is_alias
    }
    found: dict[str, str] = {}
    waiting = ["mq_common.h", *folders]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _header_file(name, folders).read_text(encoding="utf-8")
            waiting += re.findall(r'^#include "(mq_\w+\.h)"', found[name], re.MULTILINE)
    return dict(sorted(found.items(), key=lambda item: (item[0] != "mq_common.h", item[0])))


def _header_file(name: str, folders: dict[str, Path]) -> Path:
    """A kernel's own file, or one shared by a family or by all."""
    root = directory("templates") / "kernels"
    places = [folders[name]] if name in folders else []
    for folder in (*sorted({path.parent for path in folders.values()}), root):
        places += [folder / name, folder / name.removeprefix("mq_")]
    return next(path for path in places if path.is_file())


def _kernels_version(common: str) -> int:
    match = re.search(r"^#define MQ_KERNELS_VERSION (\d+)$", common, re.MULTILINE)
    assert match is not None
    return int(match[1])
