"""Run many one-operator models on a board's machine in few images: the kernels' assembly as it ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mcu_quant.boards import Board, load_board
from mcu_quant.deployment import TENSOR_ALIGN, ArenaBlock, Deployment, GenerateOptions, MemoryPlan
from mcu_quant.ir import BoundNode, Graph, Node, Tensor, check
from mcu_quant.kernels.base import CORES, Kernel
from mcu_quant.verify.qemu import QemuEngine

#: Graph of one node, the kernel for it, and for each of its inputs samples [N, *shape].
BoardCase = tuple[Graph, Kernel, Sequence[np.ndarray]]

#: In one image. More of them save little, and slow down what is quadratic in compilers.
_MOST_CASES = 64
#: Of the board's RAM for tensors and of its flash for constants.
_RAM_SHARE, _FLASH_SHARE = 0.6, 0.5


def run_on_board(
    board: Board | str, cases: Sequence[BoardCase], *, optimize: str = "time", processes: int | None = None
) -> list[list[np.ndarray]]:
    """The outputs of each case, [N, *shape]. All cases have the same number of samples.

    Every second case has its output as far over an input as the kernel allows (see side_by_side).
    """
    board = load_board(board) if isinstance(board, str) else board
    outputs: list[list[np.ndarray]] = []
    for group in groups(board, cases):
        deployment = deploy(board, group, optimize)
        flat = [x for _, _, inputs in group for x in inputs]
        actual = iter(QemuEngine(deployment, board, processes=processes).run(flat))
        outputs += [[next(actual) for _ in graph.outputs] for graph, _, _ in group]
    return outputs


def deploy(board: Board, cases: Sequence[BoardCase], optimize: str) -> Deployment:
    """One model of all cases."""
    graph = merged([graph for graph, _, _ in cases])
    kernels = tuple(kernel for _, kernel, _ in cases)
    plan = side_by_side(graph, kernels)
    return Deployment("cases", graph, CORES[board.core], kernels, plan, GenerateOptions(optimize=optimize))


def groups(board: Board, cases: Sequence[BoardCase]) -> Iterator[Sequence[BoardCase]]:
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


def side_by_side(graph: Graph, kernels: Sequence[Kernel]) -> MemoryPlan:
    """Every node's tensors and scratch beside those of the others: nothing to search for.

    Of every second node the output lies over an input, each input in turn, at exactly the distance
    that Kernel.overlap or in_place states, rounded up to the alignment of tensors.
    """
    addresses: dict[str, int] = {}
    scratch: list[tuple[int, int]] = []
    end = 0
    for index, (node, kernel) in enumerate(zip(graph.bound_nodes(), kernels, strict=True)):
        placed = covering(node, kernel, index // 2) if index % 2 else {}
        for name, address in placed.items():
            addresses[name] = end + address
        end += _size(graph, placed)
        for tensor in (*node.inputs, *node.outputs):
            if tensor is not None and not tensor.is_constant and tensor.name not in addresses:
                addresses[tensor.name] = end
                end += _aligned(tensor.bytes)
        size = kernel.scratch_bytes(node)
        scratch.append((end, size) if size else (0, 0))
        end += _aligned(size)
    everything = ArenaBlock("cases", "tensor", 0, end, 0, len(scratch))
    return MemoryPlan(end, addresses, tuple(scratch), (end,) * len(scratch), end, blocks=(everything,))


def covering(node: BoundNode, kernel: Kernel, turn: int) -> dict[str, int]:
    """Addresses of the output and of an input that it may cover, from 0; none if it may not."""
    distances = {
        tensor.name: 0 if index == 0 and kernel.in_place(node) else distance
        for index, (tensor, distance) in enumerate(zip(node.inputs, kernel.overlap(node), strict=True))
        if tensor is not None and not tensor.is_constant
    }
    allowed = [(name, distance) for name, distance in distances.items() if distance is not None]
    if not allowed:
        return {}
    name, distance = allowed[turn % len(allowed)]
    distance = _aligned(distance)
    return {node.output.name: max(-distance, 0), name: max(distance, 0)}


def _size(graph: Graph, placed: dict[str, int]) -> int:
    ends = [address + _aligned(graph.tensors[name].bytes) for name, address in placed.items()]
    return max(ends, default=0)


def _aligned(size: int) -> int:
    return -(-size // TENSOR_ALIGN) * TENSOR_ALIGN


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
