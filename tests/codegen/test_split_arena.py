"""The arena in two memories: plans, generated C on the host, and images with each arena where it was sent."""

from __future__ import annotations

import os
import random
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from mcu_quant.boards import MemoryRegion, load_board
from mcu_quant.codegen.certificate import render_certificate
from mcu_quant.codegen.library import render_library
from mcu_quant.deployment import FAST, MAIN, Deployment, GenerateOptions, MemoryPlan
from mcu_quant.errors import DoesNotFitError, EngineFailedError, InvalidInputError
from mcu_quant.fitting import choose_and_plan
from mcu_quant.ir import Graph
from mcu_quant.kernels.base import CORES
from mcu_quant.memory import find_blocks, height, layout, overlaps, plan_memory
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.sections import Placement, SplitArena, check_placement, read_placement
from mcu_quant.splitting import _only, plan_arenas
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.image import build_images, check_fits
from mcu_quant.verify.profile import profile_on_qemu
from mcu_quant.verify.qemu import QemuEngine
from tests.bands.graphs import banded_deployment
from tests.bands.graphs import random_graph as network
from tests.codegen.deployments import (
    ARM,
    WARNINGS,
    branch_graph,
    compile_c,
    deploy,
    published,
    random_inputs,
    write_library,
)
from tests.test_memory import random_graph

SEEDS = range(int(os.environ.get("MQ_SPLIT_SEEDS", "4")))


@pytest.fixture
def fake_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nodes of random_graph are of no operator."""
    monkeypatch.setitem(OPERATORS, "fake", OPERATORS["relu"])


def split(fast_bytes: int, fast_section: str = "ram", section: str = "ram") -> Placement:
    return Placement(arena=SplitArena(fast_bytes, fast_section, section))


@pytest.mark.usefixtures("fake_operator")
@pytest.mark.parametrize("seed", SEEDS)
def test_random_plans(seed: int) -> None:
    generator = random.Random(seed)
    graph, kernels = random_graph(generator, generator.randint(0, 25))
    whole = plan_memory(graph, kernels)
    for fast_bytes in (1, generator.randint(1, 200), 10_000):
        plan = plan_arenas(graph, kernels, fast_bytes=fast_bytes)
        assert not overlaps(graph, kernels, plan)
        assert plan == plan_arenas(graph, kernels, fast_bytes=fast_bytes), "the plan is not reproducible"
        assert 0 < plan.fast_arena_bytes <= fast_bytes
        assert whole.lower_bound - fast_bytes <= plan.arena_bytes <= max(whole.arena_bytes, 1)
        for step in range(-1, len(graph.nodes) + 1):
            live = sum(block.bytes for block in plan.blocks if block.first <= step <= block.last)
            assert plan.used_bytes(step) <= live
    assert plan.arena_bytes == 1 and {block.arena for block in plan.blocks} == {FAST}


@pytest.mark.usefixtures("fake_operator")
@pytest.mark.parametrize("seed", [*SEEDS, 9])
def test_the_main_arena_of_a_small_graph_is_the_smallest(seed: int) -> None:
    """Against all ways to split it."""
    generator = random.Random(seed)
    graph, kernels = random_graph(generator, generator.randint(1, 5))
    blocks = find_blocks(graph, kernels, keep_input=False)
    everything = range(len(blocks))
    fast_bytes = generator.randint(1, 120)
    sizes = {}
    for chosen in (c for n in range(len(blocks) + 1) for c in combinations(everything, n)):
        rest = [index for index in everything if index not in chosen]
        parts = [_only(blocks, part) for part in (chosen, rest)]
        sizes[chosen] = [height(part, layout(part)) for part in parts]
    least = min(main for fast, main in sizes.values() if fast <= fast_bytes)
    assert plan_arenas(graph, kernels, fast_bytes=fast_bytes).arena_bytes == max(least, 1)


def check_host(graph: Graph, fast_bytes: int, *, sanitize: bool = False, **options: object) -> MemoryPlan:
    """The bytes of the reference, with canaries around both arenas."""
    deployment = deploy(graph, placement=split(fast_bytes), **options)  # type: ignore[arg-type]
    assert not overlaps(deployment.graph, deployment.kernels, deployment.plan)
    inputs = random_inputs(graph, 5)
    outputs = HostEngine(deployment, sanitize=sanitize).run(inputs)
    for actual, expected in zip(outputs, run_graph(graph, inputs), strict=True):
        assert actual.tobytes() == expected.tobytes()
    return deployment.plan


@pytest.mark.parametrize("fast_bytes", (1, 20, 70, 10_000))
def test_the_host_gives_the_same_bytes(fast_bytes: int) -> None:
    plan = check_host(branch_graph(), fast_bytes, sanitize=fast_bytes == 70)
    arenas = {block.arena for block in plan.blocks}
    assert arenas == {1: {MAIN}, 20: {MAIN, FAST}, 70: {MAIN, FAST}, 10_000: {FAST}}[fast_bytes]


def test_canaries_are_around_the_fast_arena_too() -> None:
    right = deploy(branch_graph(), placement=split(70))
    name = next(iter(sorted(right.plan.fast)))
    addresses = {**right.plan.addresses, name: right.plan.fast_arena_bytes - 1}
    wrong = replace(right, plan=replace(right.plan, addresses=addresses))
    with pytest.raises(EngineFailedError, match="outside its arena"):
        HostEngine(wrong).run(random_inputs(right.graph, 1))


@pytest.mark.parametrize("compiler", [("gcc", "-O1"), ("clang", "-O1"), (*ARM, "-O2")], ids=lambda c: c[0])
@pytest.mark.parametrize("fast_bytes", (1, 70, 10_000))
def test_it_compiles_without_a_warning(compiler: tuple[str, ...], fast_bytes: int, tmp_path: Path) -> None:
    sources = write_library(tmp_path, deploy(branch_graph(), placement=split(fast_bytes)))
    compile_c(tmp_path, [*compiler, *WARNINGS, "-c", *sources])


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks(seed: int) -> None:
    """Every second one with layers in bands, whose rows, input and output may be in different arenas."""
    generator = random.Random(seed)
    whole: Deployment | None = None
    while whole is None:
        graph = network(generator)
        whole = banded_deployment(graph, generator) if seed % 2 else deploy(graph)
    most = max(whole.plan.arena_bytes // 2, 1)
    plan = plan_arenas(whole.graph, whole.kernels, fast_bytes=most)
    assert not overlaps(whole.graph, whole.kernels, plan) and plan.fast_arena_bytes <= most
    inputs = random_inputs(whole.reference, 3, seed)
    (outputs,) = HostEngine(replace(whole, plan=plan)).run(inputs)
    assert outputs.tobytes() == run_graph(whole.reference, inputs)[0].tobytes()


def test_a_limit_of_ram_is_the_main_arenas() -> None:
    """Kernels with less scratch, and bands, only where both arenas together are too small."""
    graph, core = branch_graph(), CORES["generic"]
    for ram, fast_bytes in ((64, 64), (48, 64)):
        options = GenerateOptions(ram=ram, placement=split(fast_bytes))
        fit = choose_and_plan(graph, core, options, ram)
        assert fit.plan.arena_bytes <= ram and fit.plan.fast_arena_bytes <= fast_bytes
        assert not overlaps(fit.graph, fit.kernels, fit.plan)
    assert choose_and_plan(graph, core, GenerateOptions(ram=64), 64).plan.arena_bytes > 64


def test_another_split_is_another_generation() -> None:
    headers = [render_library(deploy(branch_graph(), placement=split(n)))["tiny.h"] for n in (20, 70)]
    builds = [re.search(r"TINY_BUILD (0x\w+)", header) for header in headers]
    assert builds[0] and builds[1] and builds[0][1] != builds[1][1]


def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "placement.toml"
    path.write_text('[arena]\nfast_bytes = 16\nfast_section = "bram"', encoding="utf-8")
    placement = read_placement(path)
    assert placement == split(16, "bram")
    check_placement(placement, [], None, "")
    check_placement(placement, [], ["ram", "bram"], "board")
    with pytest.raises(InvalidInputError, match=r"an arena's section .*that board has.*bram.*ram, sram"):
        check_placement(placement, [], ["ram", "sram"], "board")


#: Board → where the fast and the main arena go, and the main one's bytes. On AN547, "ram" is the TCM.
PLACES = {"mps3_an547": ("ram", "sram", 11_008), "mps2_an386": ("bram", "ram", 8000)}


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", PLACES)
def test_arenas_are_where_they_were_sent_and_give_the_same_bytes(board_name: str, tmp_path: Path) -> None:
    board, graph = load_board(board_name), published("kws_ref_model")
    *places, main_bytes = PLACES[board_name]
    deployment = deploy(graph, "kws", core=board.core, placement=split(8192, *places))
    plan = deployment.plan
    assert plan.fast_arena_bytes <= 8192 and plan.arena_bytes == main_bytes
    inputs = default_inputs(graph, 2)
    (outputs,) = QemuEngine(deployment, board, processes=1).run(inputs)
    assert outputs.tobytes() == run_graph(graph, inputs)[0].tobytes()

    (image,) = build_images(board, deployment, ("main",), tmp_path)
    regions = {section.name: section.region for section in board.sections}
    with image.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        symbols = {s.name: (s["st_value"], s["st_size"]) for s in table.iter_symbols()}
    sizes = {"fast_arena": plan.fast_arena_bytes, "arena": plan.arena_bytes}
    for (name, size), section in zip(sizes.items(), places, strict=True):
        address, found = symbols[name]
        assert found == -(-size // 16) * 16
        assert regions[section].address <= address and address + found <= regions[section].end


@pytest.mark.qemu
def test_profile_and_certificate() -> None:
    board = load_board("mps2_an386")
    deployment = deploy(branch_graph(), core=board.core, placement=split(70, "bram"))
    facts = profile_on_qemu(deployment, board, default_inputs(deployment.graph, 1))
    memory, plan = facts["memory"], deployment.plan
    assert (memory["arena_bytes"], memory["fast_arena_bytes"]) == (plan.arena_bytes, plan.fast_arena_bytes)
    assert memory["ram_bytes"] == plan.arena_bytes + plan.fast_arena_bytes + memory["stack_bytes"]
    assert {block["arena"] for block in facts["certificate"]["arena"]} == {MAIN, FAST}
    files = render_certificate(deployment, facts)
    assert f"FAST_ARENA_BYTES == {plan.fast_arena_bytes} ?" in files["tiny_certificate.h"]
    assert f"the fast arena, {plan.fast_arena_bytes} bytes" in files["arena.svg"]


def test_arenas_that_are_too_large_for_a_section() -> None:
    board = load_board("mps2_an386")
    regions = {s.name: replace(s, region=MemoryRegion(s.region.address, 16)) for s in board.sections}
    small = replace(board, sections=tuple(regions.values()))
    deployment = deploy(branch_graph(), core=board.core, placement=split(70, "bram"))
    check_fits(board, [deployment])
    with pytest.raises(DoesNotFitError, match=r"arenas placed in bram must fit mps2_an386.*16 bytes"):
        check_fits(small, [deployment])
