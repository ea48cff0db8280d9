"""The picture of the arena shows the plan: every block, at its address, for its steps."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from mcu_quant.boards import load_board
from mcu_quant.codegen.arena_map import render_arena_map, shared
from mcu_quant.deployment import ArenaBlock, Deployment
from mcu_quant.ir import Node
from mcu_quant.ops.binary import ArithmeticAttrs
from tests.boards import models
from tests.codegen.deployments import activation, branch_graph, dense_graph, deploy, graph_of
from tests.codegen.deployments import published as published_graph
from tests.conftest import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def rectangles(svg: str) -> list[ElementTree.Element]:
    """Those that are blocks of the plan."""
    return [
        element for element in ElementTree.fromstring(svg).iter(f"{SVG}rect") if "data-name" in element.attrib
    ]


def check_picture(deployment: Deployment, svg: str) -> None:
    plan, steps = deployment.plan, len(deployment.graph.nodes) + 2
    found = rectangles(svg)
    shown = {
        (r.get("data-name"), r.get("class"), r.get("data-address"), r.get("data-bytes"), r.get("data-steps"))
        for r in found
    }
    assert shown == {
        (b.name, b.kind, str(b.address), str(b.bytes), f"{b.first} {b.last}") for b in plan.blocks
    }
    assert len(found) == len(plan.blocks)
    area = next(e for e in ElementTree.fromstring(svg).iter(f"{SVG}rect") if e.get("fill") == "#f5f7fa")
    left, top, width, height = (float(area.get(key, "")) for key in ("x", "y", "width", "height"))
    for rect in found:
        x, y, w, h = (float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
        first, last = map(int, rect.get("data-steps", "").split())
        address, size = int(rect.get("data-address", "")), int(rect.get("data-bytes", ""))
        assert x == pytest.approx(left + (first + 1) * width / steps, abs=1.1)
        assert x + w == pytest.approx(left + (last + 2) * width / steps, abs=1.1)
        assert y == pytest.approx(top + height * (1 - (address + size) / plan.arena_bytes), abs=0.1)
        assert h == pytest.approx(max(1.2, height * size / plan.arena_bytes), abs=0.1)
        title = rect.find(f"{SVG}title")
        assert title is not None and f"{size:,} bytes" in str(title.text)
    texts = ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert any(f"{plan.arena_bytes:,} bytes of arena" in text for text in texts)
    for block in plan.blocks:
        assert any(f"{block.bytes:,} B" in text for text in texts), block


@pytest.mark.parametrize("keep_input", [False, True])
def test_every_block_is_where_the_plan_has_it(keep_input: bool) -> None:
    deployment = deploy(branch_graph(), core="cortex-m4", keep_input=keep_input)
    svg = render_arena_map(deployment)
    check_picture(deployment, svg)
    assert svg == render_arena_map(deployment)


def test_it_is_xml_whatever_the_names() -> None:
    name = "<script>\"&' --></svg>"
    deployment = deploy(dense_graph(name, "b"), core="cortex-m4")
    svg = render_arena_map(deployment)
    assert "<script" not in svg
    titles = [str(element.text) for element in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    assert any(name in title for title in titles)


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant"])
def test_published_models(name: str, shared: Path) -> None:
    deployment = deploy(published_graph(name), core="cortex-m4")
    check_picture(deployment, render_arena_map(deployment))


def test_a_model_of_many_layers_gets_a_wider_picture() -> None:
    nodes, tensors = [], [activation("t0", (1, 8)), activation("other", (1, 8))]
    for index in range(60):
        tensors.append(activation(f"t{index + 1}", (1, 8)))
        nodes.append(Node(f"n{index}", "add", ArithmeticAttrs(), (f"t{index}", "other"), (f"t{index + 1}",)))
    deployment = deploy(graph_of(nodes, tensors, ["t0", "other"], ["t60"]))
    svg = render_arena_map(deployment)
    check_picture(deployment, svg)
    assert float(ElementTree.fromstring(svg).get("width", "")) == 76 + 16 + 27 * 62


def test_what_two_blocks_share() -> None:
    below = ArenaBlock("a", "tensor", 0, 100, 0, 2)
    above = ArenaBlock("b", "tensor", 60, 100, 2, 3)
    apart = ArenaBlock("c", "scratch", 160, 8, 2, 2)
    later = ArenaBlock("d", "tensor", 0, 50, 3, 4)
    assert shared([below, above, apart, later]) == [ArenaBlock("a, b", "shared", 60, 40, 2, 2)]


def test_the_picture_of_the_readme_is_up_to_date(shared: Path) -> None:
    """`make docs` draws it again."""
    board = load_board("mps2_an386")
    deployment = models.deploy(models.published(shared, "vww_96_int8"), board)
    assert (ROOT / "docs" / "arena_vww.svg").read_text(encoding="utf-8") == render_arena_map(deployment)
