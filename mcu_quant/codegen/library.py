"""A model as a C library: <name>.h, <name>.c, its weights, and the kernels that it calls.

Everything is decided here; templates/library/ only lays it out. The same deployment gives the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import mcu_quant
from mcu_quant.c_names import check_c_name
from mcu_quant.codegen import literals
from mcu_quant.codegen.assembly import Assemblies
from mcu_quant.codegen.names import UniqueNames, comment, identifier
from mcu_quant.codegen.tables import Table, Tables
from mcu_quant.deployment import ARENA_ALIGN, Deployment
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Activation, Assembly, Constant, Kernel, Scratch, storage_of
from mcu_quant.ops import OPERATORS
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
    """An input or output of the model, in C. table: the symbol of an output that is constant."""

    function: str
    macro: str
    argument: str
    c_type: str
    address: int | None
    table: str | None
    tensor: Tensor

    @property
    def facts(self) -> str:
        return f"{comment(self.tensor.name)}: {tensor_facts(self.tensor)}"

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
    """One node. call is None where nothing has to run. facts: lines of its comment."""

    index: int
    function: str
    title: str
    facts: tuple[str, ...]
    kernel: str
    params: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] | None = None


def render_library(deployment: Deployment) -> dict[str, str]:
    """File name → text. Raises InvalidInputError if the deployment's name cannot begin C names."""
    check_c_name(deployment.name)
    headers = kernel_headers(deployment.kernels)
    context = _context(deployment, headers)
    templates = [*_FILES.items(), *([_ASSEMBLY] if context["assemblies"] else [])]
    files = {
        name.format(deployment.name): _environment().get_template(template).render(context)
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
    """For each layer that runs a kernel."""
    tables, assemblies = Tables(deployment.name), Assemblies(deployment.name)
    layers = _layers(deployment, tables, assemblies)
    functions = {function.symbol: function.source for function in assemblies}
    found = []
    for layer in layers:
        if layer.arguments is not None:
            symbols = [argument for argument in layer.arguments if argument in functions]
            pairs = [(functions[s].function_type, n) for s in symbols for n in (s, functions[s].twin)]
            found.append(LayerAssembly(layer.function, layer.kernel, tuple(pairs)))
    return found


@cache
def _environment() -> Environment:
    """One for the process: it keeps the compiled templates."""
    return Environment(
        loader=FileSystemLoader(directory("templates") / "library"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


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
        "options": comment(deployment.options.canonical(), longest=2000),
        "arena_bytes": deployment.plan.arena_bytes,
        "arena_align": ARENA_ALIGN,
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
    content = {key: context[key] for key in context if key != "tables"}
    content["tables"] = [
        (t.symbol, t.c_type, t.section, hashlib.sha256(t.data.tobytes()).hexdigest())
        for t in context["tables"]
    ]
    return "0x" + hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()[:8] + "u"


def _layers(deployment: Deployment, tables: Tables, assemblies: Assemblies) -> list[Layer]:
    storage = storage_of(deployment.graph, deployment.kernels)
    layers = []
    for index, (node, kernel) in enumerate(
        zip(deployment.graph.bound_nodes(), deployment.kernels, strict=True)
    ):
        title = comment(node.name)
        stem = f"{index}_{identifier(node.name)}"
        facts, function, name = (
            _layer_facts(node, kernel),
            f"{deployment.name}_layer_{stem}",
            f"mq_{kernel.function}",
        )
        if kernel.is_alias:
            layers.append(Layer(index, function, title, facts, name))
            continue
        call = kernel.call(node)
        arguments = tuple(
            assemblies.add(a)
            if isinstance(a, Assembly)
            else _argument(deployment, storage, tables, index, node, a)
            for a in call.arguments
        )
        params = tuple((field, literals.initializer(value)) for field, value in call.params.items())
        layers.append(Layer(index, function, title, facts, name, params, arguments))
    return layers


def _argument(
    deployment: Deployment,
    storage: dict[str, str],
    tables: Tables,
    index: int,
    node: BoundNode,
    argument: Constant | Activation | Scratch,
) -> str:
    stem, title = f"{index}_{identifier(node.name)}", comment(node.name)
    section = deployment.options.placement.section_of(node.name)
    if isinstance(argument, Constant):
        label = argument.label
        return tables.add(f"{stem}_{label}", argument.data, f"{title}, {label}", section)
    if isinstance(argument, Activation):
        tensor = deployment.graph.tensors[argument.tensor]
        root = deployment.graph.tensors[storage[tensor.name]]
        if root.data is not None:
            return tables.add(f"{stem}_operand", root.data, f"{title}, operand", section)
        return _arena_pointer(tensor.dtype, deployment.plan.addresses[tensor.name])
    address, size = deployment.plan.scratch[index]
    return f"arena + {address}" if size else "NULL"


def _section_macros(prefix: str, tables: Sequence[Table]) -> dict[str, str]:
    """Section → the macro that puts a table there; for RODATA, the one that has always been."""
    macros, names = {RODATA: f"{prefix}_WEIGHTS_SECTION"}, UniqueNames()
    for section in dict.fromkeys(table.section for table in tables):
        if section not in macros:
            macros[section] = names.take(f"{prefix}_SECTION_{identifier(section).upper()}")
    return macros


def _arena_pointer(dtype: str, address: int) -> str:
    if dtype == "int8":
        return f"arena + {address}"
    return f"({literals.C_TYPES[dtype]} *)(void *)(arena + {address})"


def _port(deployment: Deployment, kind: str, index: int, tensor: Tensor, tables: Tables) -> Port:
    root = deployment.graph.tensors[storage_of(deployment.graph, deployment.kernels)[tensor.name]]
    table = None
    if root.data is not None:
        table = tables.add(
            f"{kind}_{index}", root.data, f"{kind} {index}", deployment.options.placement.default
        )
    return Port(
        function=f"{deployment.name}_{kind}_{index}",
        macro=f"{deployment.name.upper()}_{kind.upper()}_{index}",
        argument=f"{kind}_{index}",
        c_type=literals.C_TYPES[tensor.dtype],
        address=None if table else deployment.plan.addresses[tensor.name],
        table=table,
        tensor=tensor,
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
    lines = [f"{node.node.op}, {how}" + (f", {macs} MACs" if macs else "")]
    present = [tensor for tensor in node.inputs if tensor is not None]
    lines += [f"{'constant' if t.is_constant else 'input'}: {tensor_facts(t)}" for t in present]
    lines += [f"output: {tensor_facts(tensor)}" for tensor in node.outputs]
    return tuple(lines)


def kernel_headers(kernels: Sequence[Kernel]) -> dict[str, str]:
    """The headers of those kernels and all that they include, mq_common.h first, then by name."""
    folders = {
        f"mq_{k.function}.h": directory("templates") / "kernels" / k.family / f"{k.function}.h"
        for k in kernels
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
