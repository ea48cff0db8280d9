"""Plan the arena: an address for every activation and every kernel's scratch, before anything runs.

Tensors that are the same bytes (a reshape's input and output) are one block. Two blocks that live at
the same time are disjoint, except that a node's output may lie over an input that dies at the node as
far as the kernel says (Kernel.overlap; 0 means in place). `addresses.py` finds the addresses.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from mcu_quant.addresses import place
from mcu_quant.deployment import FAST, MAIN, TENSOR_ALIGN, ArenaBlock, MemoryPlan
from mcu_quant.ir import BoundNode, Graph
from mcu_quant.kernels.base import Kernel, storage_of


@dataclass(frozen=True)
class Block:
    """Bytes that are needed from step `first` to step `last`, both included.

    Step -1 is before the run (the caller writes inputs), step i is node i, step len(nodes) is after it
    (the caller reads outputs). tensors: the names that it stores; none if it is scratch.
    may_cover: block index to the least address(that block) - address(this one) at which this block may
    overlap it (below 0: it may begin inside). may_replace: the block that this one may overlap if both
    begin at the same address.
    """

    bytes: int
    first: int
    last: int
    tensors: tuple[str, ...] = ()
    may_cover: dict[int, int] = field(default_factory=dict)
    may_replace: int | None = None

    def meets(self, other: Block) -> bool:
        """Whether some step needs both."""
        return self.first <= other.last and other.first <= self.last


def plan_memory(graph: Graph, kernels: Sequence[Kernel], *, keep_input: bool = False) -> MemoryPlan:
    """The smallest arena that is found: the optimum for chains and small graphs.

    kernels: one per node. keep_input: no run may overwrite an input of the graph.
    """
    blocks = find_blocks(graph, kernels, keep_input)
    return with_states(describe(graph, blocks, layout(blocks)), graph, kernels)


def with_states(plan: MemoryPlan, graph: Graph, kernels: Sequence[Kernel]) -> MemoryPlan:
    """The plan with the state block: one state after the other, in the order of the graph."""
    storage, address = storage_of(graph, kernels), 0
    where: dict[str, int] = {}
    for state in graph.states:
        where |= {name: address for name, root in storage.items() if root == state.before}
        address += -(-graph.tensors[state.before].bytes // TENSOR_ALIGN) * TENSOR_ALIGN
    return replace(plan, addresses={**plan.addresses, **where}, state_bytes=address, states=frozenset(where))


def layout(blocks: Sequence[Block], *, quick: bool = False) -> list[int]:
    """An address for each block, for the smallest arena that is found. quick: after a short search."""
    layouts = [_addresses(blocks, owners, quick) for owners in _ways_to_replace(blocks)]
    return min(layouts, key=lambda addresses: height(blocks, addresses))


def describe(
    graph: Graph, blocks: Sequence[Block], addresses: Sequence[int], fast: Container[int] = ()
) -> MemoryPlan:
    """The plan with those addresses. fast: the indices of blocks that are in the fast arena."""
    steps = range(-1, len(graph.nodes) + 1)
    tensors = [sum(b.bytes for b in blocks if b.tensors and b.first <= step <= b.last) for step in steps]
    scratch = [(0, 0)] * len(graph.nodes)
    for address, block in zip(addresses, blocks, strict=True):
        if not block.tensors:
            scratch[block.first] = (address, block.bytes)
    live = tuple(tensors[i + 1] + scratch[i][1] for i in range(len(graph.nodes)))
    where = {name: a for a, block in zip(addresses, blocks, strict=True) for name in block.tensors}
    arenas = [FAST if index in fast else MAIN for index in range(len(blocks))]
    placed = tuple(
        _arena_block(graph, block, address, arena)
        for address, block, arena in zip(addresses, blocks, arenas, strict=True)
    )
    named = [block for block in blocks if block.tensors]
    lower_bound = max(least_bytes(named, step) for step in steps)
    return MemoryPlan(
        max((block.end for block in placed if block.arena == MAIN), default=0),
        where,
        tuple(scratch),
        live,
        lower_bound,
        max(tensors),
        placed,
        max((block.end for block in placed if block.arena == FAST), default=0),
        frozenset(n for b, arena in zip(blocks, arenas, strict=True) if arena == FAST for n in b.tensors),
        frozenset(
            b.first for b, arena in zip(blocks, arenas, strict=True) if arena == FAST and not b.tensors
        ),
    )


def _arena_block(graph: Graph, block: Block, address: int, arena: str) -> ArenaBlock:
    name, kind = graph.nodes[block.first].name if not block.tensors else block.tensors[0], "scratch"
    if block.tensors:
        names = set(block.tensors)
        kind = "input" if names & set(graph.inputs) else "output" if names & set(graph.outputs) else "tensor"
    return ArenaBlock(name, kind, address, block.bytes, block.first, block.last, arena)


def _ways_to_replace(blocks: Sequence[Block]) -> list[list[int]]:
    """For each block, whose place it takes: the first's that it may; only if sizes are equal; its own."""
    ways: list[list[int]] = []
    for least in (0.0, 1.0, 2.0):
        owners = list(range(len(blocks)))
        for index, block in enumerate(blocks):
            other = block.may_replace
            if (
                other is not None
                and blocks[other].bytes * least <= block.bytes <= blocks[owners[other]].bytes
            ):
                owners[index] = owners[other]
        ways += [owners] if owners not in ways else []
    return ways


def _addresses(blocks: Sequence[Block], owners: Sequence[int], quick: bool) -> list[int]:
    """An address for each block, those with one owner (the first and largest of them) at one address."""
    kept = sorted(set(owners))
    groups = [[i for i, owner in enumerate(owners) if owner == k] for k in kept]
    gaps = [[_gap(below, above, blocks) for above in groups] for below in groups]
    steps = range(min((b.first for b in blocks), default=0), max((b.last for b in blocks), default=-1) + 1)
    bound = max((least_bytes(blocks, step, owners) for step in steps), default=0)
    addresses = place([blocks[owner].bytes for owner in kept], gaps, TENSOR_ALIGN, bound, quick)
    return [addresses[kept.index(owner)] for owner in owners]


def height(blocks: Sequence[Block], addresses: Sequence[int]) -> int:
    return max((a + block.bytes for a, block in zip(addresses, blocks, strict=True)), default=0)


def find_blocks(graph: Graph, kernels: Sequence[Kernel], keep_input: bool) -> list[Block]:
    """Every block of the arena. Constants, what is a constant's bytes, and states have none."""
    storage = storage_of(graph, kernels)
    born, dies = _lifetimes(graph, storage, keep_input)
    names: dict[str, list[str]] = {root: [] for root in born}
    for name, root in storage.items():
        if root in names:
            names[root].append(name)
    blocks = [Block(graph.tensors[r].bytes, born[r], dies[r], tuple(names[r])) for r in born]
    _allow_overlap(graph, kernels, storage, list(born), blocks)
    for index, (node, kernel) in enumerate(zip(graph.bound_nodes(), kernels, strict=True)):
        if (scratch := kernel.scratch_bytes(node)) > 0:
            blocks.append(Block(scratch, index, index))
            _allow_scratch_overlap(node, kernel, storage, list(born), blocks)
    return blocks


def _allow_scratch_overlap(
    node: BoundNode, kernel: Kernel, storage: dict[str, str], roots: list[str], blocks: list[Block]
) -> None:
    """The last block is the node's scratch: it may lie over an input that dies there."""
    distance, scratch = kernel.scratch_overlap(node), blocks[-1]
    root = None if distance is None else storage[node.input(0).name]
    if distance is None or root not in roots or blocks[roots.index(root)].last != scratch.first:
        return
    scratch.may_cover[roots.index(root)] = distance


def least_bytes(blocks: Sequence[Block], step: int, owners: Sequence[int] | None = None) -> int:
    """What no layout can do without at that step: all that lives, less what may lie over each other.

    owners: blocks that have the same one are at the same address, and only those replace each other. None
    where any block may replace another that it is allowed to.
    """
    live = {index: block for index, block in enumerate(blocks) if block.first <= step <= block.last}
    needed: dict[int, int] = {}
    for index, block in live.items():
        owner = index if owners is None else owners[index]
        needed[owner] = max(needed.get(owner, 0), block.bytes)
    saved = 0
    for block in live.values():
        shared = [min(live[i].bytes, block.bytes - d) for i, d in block.may_cover.items() if i in live]
        if owners is None and block.may_replace in live:
            shared.append(live[block.may_replace].bytes)
        saved += min(block.bytes, sum(max(0, overlap) for overlap in shared))
    return sum(needed.values()) - saved


def footprint(node: BoundNode, kernel: Kernel, kept: Container[str] = ()) -> int:
    """What a node needs with that kernel if it is all there is, in bytes. kept: inputs that others read."""
    read = {t.name for t in node.inputs if t is not None and not t.is_constant}
    tensors = {t.name: t for t in (*node.inputs, *node.outputs) if t is not None}
    outputs = (*node.node.outputs, *sorted(name for name in read if name in kept))
    alone = Graph(node.name, (node.node,), tensors, tuple(sorted(read)), outputs)
    return least_bytes(find_blocks(alone, [kernel], keep_input=False), 0)


def footprints(graph: Graph, able: Sequence[Sequence[Kernel]], keep_input: bool) -> list[list[int]]:
    """For each node, its footprint with each of its kernels."""
    kept = set(graph.outputs) | (set(graph.inputs) if keep_input else set())
    found: list[list[int]] = []
    for node, kernels in reversed(list(zip(graph.bound_nodes(), able, strict=True))):
        found.append([footprint(node, kernel, kept) for kernel in kernels])
        kept |= {name for name in node.node.inputs if name is not None}
    return found[::-1]


def _lifetimes(
    graph: Graph, storage: dict[str, str], keep_input: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """(first step, last step) of each block, by the name of the tensor that it begins as."""
    after = len(graph.nodes)
    born = {storage[name]: -1 for name in graph.inputs}
    dies = dict.fromkeys(born, after if keep_input else -1)
    for index, node in enumerate(graph.nodes):
        for name in node.outputs:
            if storage[name] == name:
                born[name] = index
        for root in (storage[name] for name in (*node.inputs, *node.outputs) if name is not None):
            if root in born:
                dies[root] = max(dies.get(root, index), index)
    for name in graph.outputs:
        if (root := storage[name]) in born:
            dies[root] = after
    return born, dies


def _allow_overlap(
    graph: Graph, kernels: Sequence[Kernel], storage: dict[str, str], roots: list[str], blocks: list[Block]
) -> None:
    """Fill in may_cover, where a node has one output and an input dies at it."""
    block_of = {root: index for index, root in enumerate(roots)}
    for index, (node, kernel) in enumerate(zip(graph.bound_nodes(), kernels, strict=True)):
        if kernel.is_alias or len(node.outputs) != 1:
            continue
        if storage[node.output.name] not in block_of:
            continue  # a state
        block = blocks[block_of[storage[node.output.name]]]
        refused = set()
        if kernel.in_place(node) and not node.input(0).is_constant:
            first = block_of.get(storage[node.input(0).name])
            reads = [t for t in node.inputs if t is not None and block_of.get(storage[t.name]) == first]
            if first is not None and blocks[first].last == index and len(reads) == 1:
                may_replace = first if blocks[first].first < index else None
                blocks[block_of[storage[node.output.name]]] = block = replace(block, may_replace=may_replace)
        for tensor, distance in zip(node.inputs, kernel.overlap(node), strict=True):
            other = None if tensor is None else block_of.get(storage[tensor.name])
            if other is None:
                continue
            if distance is None or blocks[other].last != index:
                refused.add(other)
            else:
                least = distance if kernel.begins_inside else max(0, distance)
                block.may_cover[other] = max(least, block.may_cover.get(other, least))
        for other in refused:
            block.may_cover.pop(other, None)


def _gap(below: Sequence[int], above: Sequence[int], blocks: Sequence[Block]) -> int | None:
    """The least address(above) - address(below) if `above` is not the lower one; both are groups of blocks
    at one address.

    None if no two of them are needed at the same step.
    """
    if below is above:
        return None
    distances = []
    for lower, upper in product(below, above):
        block = blocks[lower]
        if block.meets(blocks[upper]):
            distances.append(min(block.bytes, block.may_cover.get(upper, block.bytes)))
    return max(distances, default=None)


def overlaps(
    graph: Graph, kernels: Sequence[Kernel], plan: MemoryPlan, *, keep_input: bool = False
) -> list[str]:
    """What is wrong with a plan, as sentences: an independent check that tests run on random graphs."""
    blocks = find_blocks(graph, kernels, keep_input)
    where = [plan.addresses[b.tensors[0]] if b.tensors else plan.scratch[b.first][0] for b in blocks]
    fast = [plan.fast.issuperset(b.tensors) if b.tensors else b.first in plan.fast_scratch for b in blocks]
    wrong = [
        f"{block.tensors} at {address} leaves the arena or is not aligned"
        for block, address, is_fast in zip(blocks, where, fast, strict=True)
        if address < 0
        or address % TENSOR_ALIGN
        or address + block.bytes > (plan.fast_arena_bytes if is_fast else plan.arena_bytes)
    ]
    wrong += [
        f"{name} is not where {block.tensors[0]} is"
        for block, address, is_fast in zip(blocks, where, fast, strict=True)
        for name in block.tensors
        if plan.addresses[name] != address or (name in plan.fast) != is_fast
    ]
    for i, a in enumerate(blocks):
        for j, b in enumerate(blocks[:i]):
            apart = where[i] + a.bytes <= where[j] or where[j] + b.bytes <= where[i]
            covers = (j in a.may_cover and where[j] - where[i] >= a.may_cover[j]) or (
                i in b.may_cover and where[i] - where[j] >= b.may_cover[i]
            )
            replaces = where[i] == where[j] and (a.may_replace == j or b.may_replace == i)
            if fast[i] == fast[j] and a.meets(b) and not apart and not covers and not replaces:
                wrong.append(f"{a.tensors or 'scratch'} and {b.tensors or 'scratch'} overlap")
    return wrong
