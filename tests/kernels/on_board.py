"""Run many one-operator models on a board's machine in few images: the kernels' assembly as it ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mcu_quant.boards import Board, load_board
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.ir import Graph, Node, Tensor, check
from mcu_quant.kernels.base import CORES, Kernel
from mcu_quant.memory import plan_memory
from mcu_quant.verify.qemu import QemuEngine

#: Graph of one node, the kernel for it, and for each of its inputs samples [N, *shape].
BoardCase = tuple[Graph, Kernel, Sequence[np.ndarray]]

_MOST_CASES = 48
#: Of the board's RAM for tensors and of its flash for constants.
_RAM_SHARE, _FLASH_SHARE = 0.6, 0.5


def run_on_board(
    board: Board | str, cases: Sequence[BoardCase], *, optimize: str = "time"
) -> list[list[np.ndarray]]:
    """The outputs of each case, [N, *shape]. All cases have the same number of samples."""
    board = load_board(board) if isinstance(board, str) else board
    outputs: list[list[np.ndarray]] = []
    for group in _groups(board, cases):
        graph = merged([graph for graph, _, _ in group])
        kernels = tuple(kernel for _, kernel, _ in group)
        options = GenerateOptions(optimize=optimize)
        plan = plan_memory(graph, kernels)
        deployment = Deployment("cases", graph, CORES[board.core], kernels, plan, options)
        flat = iter(QemuEngine(deployment, board).run([x for _, _, inputs in group for x in inputs]))
        outputs += [[next(flat) for _ in graph.outputs] for graph, _, _ in group]
    return outputs


def _groups(board: Board, cases: Sequence[BoardCase]) -> Iterator[Sequence[BoardCase]]:
    """Cases that fit the board together."""
    group: list[BoardCase] = []
    ram = flash = 0
    for case in cases:
        graph, kernel, _ = case
        (node,) = graph.bound_nodes()
        tensors = [t for t in graph.tensors.values() if not t.is_constant]
        case_ram = sum(t.bytes + 3 for t in tensors) + kernel.scratch_bytes(node)
        case_flash = sum(5 * t.bytes for t in graph.tensors.values() if t.is_constant) + 4096
        full = (
            ram + case_ram > _RAM_SHARE * board.ram_bytes
            or flash + case_flash > _FLASH_SHARE * board.flash.bytes
        )
        if group and (full or len(group) == _MOST_CASES):
            yield group
            group, ram, flash = [], 0, 0
        group.append(case)
        ram, flash = ram + case_ram, flash + case_flash
    if group:
        yield group


def merged(graphs: Sequence[Graph]) -> Graph:
    """One graph of all, side by side; names begin with the graph's number."""
    nodes: list[Node] = []
    tensors: dict[str, Tensor] = {}
    inputs: list[str] = []
    outputs: list[str] = []
    for index, graph in enumerate(graphs):

        def name(old: str, prefix: str = f"g{index}_") -> str:
            return prefix + old

        for node in graph.nodes:
            renamed = tuple(None if n is None else name(n) for n in node.inputs)
            nodes.append(
                replace(node, name=name(node.name), inputs=renamed, outputs=tuple(map(name, node.outputs)))
            )
        tensors |= {name(n): replace(tensor, name=name(n)) for n, tensor in graph.tensors.items()}
        inputs += map(name, graph.inputs)
        outputs += map(name, graph.outputs)
    return check(Graph("cases", tuple(nodes), tensors, tuple(inputs), tuple(outputs)))
