"""Addresses for blocks of memory of which some may not overlap: as little memory as can be found.

Every layout can be made, without growing it, by putting the blocks down in order of address, each at the
lowest address that those before it allow. So a layout is an order: first a few good orders are tried,
then, if none reaches the lower bound, swaps in the best of them, and all orders of small problems
(branch and bound). All of it is counted, not timed, so the result is always the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

#: Least distances: gaps[i][j] is the least address(j) - address(i) if i is the lower one, None if i and
#: j may overlap freely. Below 0: i may begin inside j.
Gaps = Sequence[Sequence[int | None]]

_EXACT_BLOCKS = 14
_EXACT_NODES = 5_000
_SWAPS = 400


def place(sizes: Sequence[int], gaps: Gaps, align: int, bound: int, quick: bool = False) -> list[int]:
    """The address of each block, multiples of align, for the smallest total that is found.

    bound: a total that no layout is below; the search ends when it is reached. quick: only the first orders.
    """
    problem = _Problem(sizes, gaps, align)
    best = min((problem.layout(order) for order in problem.first_orders()), key=problem.height, default=[])
    if quick:
        return best
    if best and problem.height(best) > bound:
        best = problem.swap(best, bound)
    if len(sizes) <= _EXACT_BLOCKS and best and problem.height(best) > bound:
        best = problem.search(best, bound)
    return best


class _Problem:
    def __init__(self, sizes: Sequence[int], gaps: Gaps, align: int) -> None:
        self._sizes = sizes
        self._align = align
        count = range(len(sizes))
        #: For each block i: (j, how far j keeps i above itself, how far i keeps j above itself).
        self._near = [
            [
                (j, self._up(above), self._up(below))
                for j in count
                if (above := gaps[j][i]) is not None and (below := gaps[i][j]) is not None
            ]
            for i in count
        ]

    def _up(self, value: int) -> int:
        return -(-value // self._align) * self._align

    def height(self, addresses: Sequence[int]) -> int:
        return max((a + size for a, size in zip(addresses, self._sizes, strict=True)), default=0)

    def lowest(self, block: int, addresses: Sequence[int], floor: int = 0) -> int:
        """The lowest address from floor on that the placed blocks (address >= 0) allow."""
        taken = sorted(
            (addresses[j] - below, addresses[j] + above)
            for j, above, below in self._near[block]
            if addresses[j] >= 0
        )
        address = floor
        moved = True
        while moved:
            moved = False
            for low, high in taken:
                if low < address < high:
                    address, moved = high, True
        return address

    def layout(self, order: Sequence[int]) -> list[int]:
        """Blocks in that order, each as low as it goes."""
        addresses = [-1] * len(self._sizes)
        for block in order:
            addresses[block] = self.lowest(block, addresses)
        return addresses

    def first_orders(self) -> list[list[int]]:
        """By size, by how much lives beside the block, and as the graph runs, forth and back."""
        blocks = range(len(self._sizes))
        beside = [self._sizes[i] + sum(self._sizes[j] for j, _, _ in self._near[i]) for i in blocks]
        keys: list[Callable[[int], tuple[int, ...]]] = [
            lambda i: (-self._sizes[i], i),
            lambda i: (-self._sizes[i], -i),
            lambda i: (-beside[i], -self._sizes[i], i),
            lambda i: (-beside[i], -self._sizes[i], -i),
            lambda i: (-len(self._near[i]), -self._sizes[i], i),
            lambda i: (i,),
            lambda i: (-i,),
        ]
        return [sorted(blocks, key=key) for key in keys]

    def swap(self, best: list[int], bound: int) -> list[int]:
        """Exchange two blocks of the order again and again, keeping what is no worse."""
        generator = random.Random(0)
        order = sorted(range(len(best)), key=lambda i: (best[i], i))
        height = self.height(best)
        for _ in range(_SWAPS):
            i, j = generator.randrange(len(order)), generator.randrange(len(order))
            order[i], order[j] = order[j], order[i]
            layout = self.layout(order)
            if (new := self.height(layout)) <= height:
                best, height = layout, new
            else:
                order[i], order[j] = order[j], order[i]
            if height <= bound:
                break
        return best

    def search(self, best: list[int], bound: int) -> list[int]:
        """Branch and bound over orders of ascending address; exact where no gap is below 0."""
        found, height = list(best), self.height(best)
        budget = [_EXACT_NODES]
        # A block may begin that much before the one that has to be above it (a gap below 0).
        slack = max(0, *(-above for near in self._near for _, above, _ in near), 0)
        addresses = [-1] * len(self._sizes)

        def descend(left: frozenset[int], floor: int) -> None:
            nonlocal height
            if not left:
                found[:], height = addresses, self.height(addresses)
                return
            budget[0] -= 1
            options = sorted((self.lowest(i, addresses, floor), -self._sizes[i], i) for i in left)
            if any(address + self._sizes[i] >= height for address, _, i in options):
                return  # a block that is put down later only gets higher
            end = min(address + self._up(self._sizes[i]) for address, _, i in options)
            for address, _, i in options:
                if address >= end:
                    return  # the block that ends there fits in below, whatever else follows
                if budget[0] <= 0 or height <= bound:
                    return
                addresses[i] = address
                descend(left - {i}, max(0, address - slack))
                addresses[i] = -1

        descend(frozenset(range(len(self._sizes))), 0)
        return found
