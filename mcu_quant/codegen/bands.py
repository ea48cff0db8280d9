"""Layers that run in bands of rows, as C text: a function for each different call, and the bands."""

from __future__ import annotations

from dataclasses import dataclass

from mcu_quant.bands.kernel import BandsKernel
from mcu_quant.bands.program import Move, Pointer, Statement
from mcu_quant.codegen import literals
from mcu_quant.codegen.calls import NO_SCRATCH, CallText, CallWriter, Place
from mcu_quant.codegen.names import comment, identifier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Kernel


@dataclass(frozen=True)
class BandFunction:
    """One stage's kernel for one size and padding of its rows. parameters: C declarations."""

    name: str
    title: str
    facts: tuple[str, ...]
    parameters: tuple[str, ...]
    call: CallText


@dataclass(frozen=True)
class BandStretch:
    """Bands that do the same; in a loop over `i` if there are several. statements: C, without semicolons."""

    title: str
    count: int
    statements: tuple[str, ...]


@dataclass(frozen=True)
class BandsText:
    functions: tuple[BandFunction, ...]
    stretches: tuple[BandStretch, ...]


@dataclass(frozen=True)
class BandsWriter:
    """prefix: of the functions. stem: of tables' symbols. bases: places of a Pointer's bases."""

    writer: CallWriter
    kernel: BandsKernel
    prefix: str
    stem: str
    bases: dict[str, Place]

    def write(self) -> BandsText:
        functions = {
            (stage, variant): self._function(stage, variant)
            for stage, variants in enumerate(self.kernel.banded.variants)
            for variant in range(len(variants))
        }
        stretches = []
        for stretch in self.kernel.program:
            last = stretch.first + stretch.count - 1
            title = f"Bands {stretch.first} to {last}" if stretch.count > 1 else f"Band {last}"
            statements = tuple(self._statement(s, functions) for s in stretch.statements)
            stretches.append(BandStretch(title, stretch.count, statements))
        return BandsText(tuple(functions.values()), tuple(stretches))

    def _function(self, stage: int, variant: int) -> BandFunction:
        kernel, node = self.kernel.kernels[stage], self.kernel.banded.variants[stage][variant]
        call = kernel.call(node)
        names = _parameter_names(node)
        text = self.writer.write(
            kernel.function,
            call,
            f"{self.stem}_{stage}",
            node.name,
            lambda name: names[name] if name in names else self._operand(stage, name),
            self._scratch(stage).text()
            if kernel.scratch_bytes(node)
            else f"{names[node.output.name]}{NO_SCRATCH}",
        )
        types = {
            tensor.name: literals.C_TYPES[tensor.dtype] for tensor in (*node.inputs, node.output) if tensor
        }
        parameters = [f"int8_t *{self._scratch(stage).base}"] if _takes_scratch(kernel, node) else []
        parameters += [
            f"{'' if name == node.output.name else 'const '}{types[name]} *{parameter}"
            for name, parameter in names.items()
        ]
        return BandFunction(
            f"{self.prefix}_{stage}{_letters(variant)}_{identifier(node.name, 24)}",
            comment(node.name),
            _facts(node, self.kernel.banded.counts[stage][variant]),
            tuple(parameters),
            text,
        )

    def _operand(self, stage: int, name: str) -> str:
        """The table of a constant that the kernel takes as a tensor."""
        segment = self.kernel.banded.segment
        data = segment.graph.tensors[name].data
        assert data is not None
        return self.writer.table(f"{self.stem}_{stage}", segment.nodes[stage].name, "operand", data)

    def _statement(self, statement: Statement, functions: dict[tuple[int, int], BandFunction]) -> str:
        if isinstance(statement, Move):
            target, source = (self._pointer("int8", p) for p in (statement.target, statement.source))
            return f"memmove({target}, {source}, {statement.bytes})"
        kernel = self.kernel.kernels[statement.stage]
        node = self.kernel.banded.variants[statement.stage][statement.variant]
        dtypes = {tensor.name: tensor.dtype for tensor in (*node.inputs, node.output) if tensor}
        arguments = [self._scratch(statement.stage).base] if _takes_scratch(kernel, node) else []
        pointers = dict(statement.operands)
        arguments += [self._pointer(dtypes[name], pointers[name]) for name in _parameter_names(node)]
        return f"{functions[statement.stage, statement.variant].name}({', '.join(arguments)})"

    def _pointer(self, dtype: str, pointer: Pointer) -> str:
        step = f" + i * {pointer.step}" if pointer.step else ""
        return (self.bases[pointer.base] + pointer.bytes).text(dtype, step)

    def _scratch(self, stage: int) -> Place:
        return self.bases["scratch"] + self.kernel.layout.scratch[stage]


def _parameter_names(node: BoundNode) -> dict[str, str]:
    """The C parameter of each tensor that is not constant."""
    inputs = list(dict.fromkeys(t.name for t in node.inputs if t is not None and not t.is_constant))
    names = ["input"] if len(inputs) == 1 else [f"input_{i}" for i in range(len(inputs))]
    return {**dict(zip(inputs, names, strict=True)), node.output.name: "output"}


def _takes_scratch(kernel: Kernel, node: BoundNode) -> bool:
    return kernel.scratch_bytes(node) > 0


def _letters(number: int) -> str:
    """a to z, then aa, ab, …"""
    rest, letter = divmod(number, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("a") + letter)


def _facts(node: BoundNode, bands: int) -> tuple[str, ...]:
    shapes = [literals.shape(t.shape) for t in node.inputs if t is not None and not t.is_constant]
    how = f"in {bands} bands" if bands > 1 else "in one band"
    return (f"{node.node.op}, {' and '.join(shapes)} to {literals.shape(node.output.shape)}, {how}",)
