"""Names from hostile files never become C."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mcu_quant.c_names import c_name
from mcu_quant.codegen.library import render_library
from mcu_quant.codegen.names import UniqueNames, comment, identifier
from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Node, Tensor
from mcu_quant.resources import directory
from tests.codegen.deployments import WARNINGS, compile_c, dense_graph, deploy, write_library

HOSTILE = (
    "*/ int evil(void); /*",
    "a*/\n#error evil\n/*",
    "a*\\/b",
    "**//**//",
    "/*/",
    "ends in a backslash \\",
    "??/ trigraph ??/",
    "Schicht-größe 層 \u202e",
    "{{ 7 * 7 }}{% raw %}",
    '"; system("rm"); "',
    "int",
    "",
    "\0\x01\x7f",
    "x" * 5000,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_comment_text_stays_inside_its_comment(text: str) -> None:
    inside = comment(text)
    assert "*/" not in inside and "/*" not in inside and "\\" not in inside and "??" not in inside
    assert all(" " <= character <= "~" for character in inside) and len(inside) <= 200


@pytest.mark.parametrize("text", HOSTILE)
def test_identifiers_are_identifiers(text: str) -> None:
    assert re.fullmatch(r"[0-9A-Za-z]+(_[0-9A-Za-z]+)*", identifier(text))
    assert len(identifier(text)) <= 32


def test_unique_names_are_unique() -> None:
    names = UniqueNames()
    assert [names.take(name) for name in ("a", "a", "a_2", "a", "b")] == ["a", "a_2", "a_2_2", "a_3", "b"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_layer_names_compile_and_change_nothing_but_words(text: str, tmp_path: Path) -> None:
    graph = dense_graph(first=text, second=text + " again")
    sources = write_library(tmp_path, deploy(graph))
    for source in sources:
        compile_c(tmp_path, ["gcc", *WARNINGS, "-Wtrigraphs", "-fsyntax-only", source])
    code = re.sub(r"/\*.*?\*/", "", (tmp_path / "tiny.c").read_text(), flags=re.DOTALL)
    assert "int evil(" not in code and "#error evil" not in code and "system(" not in code


def test_hostile_tensor_names_stay_in_comments(tmp_path: Path) -> None:
    graph = dense_graph()
    renamed = {"x": HOSTILE[0], "y": HOSTILE[1]}
    tensors = {renamed.get(n, n): _renamed(t, renamed) for n, t in graph.tensors.items()}
    nodes = tuple(_rewired(node, renamed) for node in graph.nodes)
    hostile = graph.with_(nodes=nodes, tensors=tensors, inputs=(HOSTILE[0],), outputs=(HOSTILE[1],))
    for source in write_library(tmp_path, deploy(hostile)):
        compile_c(tmp_path, ["gcc", *WARNINGS, "-fsyntax-only", source])


@pytest.mark.parametrize("name", ("int", "9lives", "a-b", "", "mq_model", "class", "a b", "naïve", "a\n"))
def test_names_that_cannot_begin_c_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="C identifier"):
        render_library(deploy(dense_graph(), name=name))


@pytest.mark.parametrize("name", ("frames", "Uart", "main", "stdint", "Arduino"))
def test_names_whose_header_another_file_includes_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"Try: net_{name.lower()}"):
        render_library(deploy(dense_graph(), name=name))


@pytest.mark.parametrize("program", sorted((directory("templates") / "firmware").glob("*.c.j2")))
def test_headers_of_programs_are_no_models(program: Path) -> None:
    """A model's header comes before the board's on the compiler's path."""
    for header in re.findall(r'#include "(\w+)\.h"', program.read_text(encoding="utf-8")):
        assert c_name(header) == f"net_{header}"


def _renamed(tensor: Tensor, renamed: dict[str, str]) -> Tensor:
    return replace(tensor, name=renamed.get(tensor.name, tensor.name))


def _rewired(node: Node, renamed: dict[str, str]) -> Node:
    return replace(
        node,
        inputs=tuple(name if name is None else renamed.get(name, name) for name in node.inputs),
        outputs=tuple(renamed.get(name, name) for name in node.outputs),
    )
