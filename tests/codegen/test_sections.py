"""--placement: which section the tables of each layer go to, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.codegen.library import library_tables, render_library
from mcu_quant.codegen.tables import Tables
from mcu_quant.errors import InvalidInputError
from mcu_quant.sections import UNPLACED, Placement, check_placement, placement_of, read_placement
from tests.codegen.deployments import (
    ARM,
    WARNINGS,
    branch_graph,
    compile_c,
    dense_graph,
    deploy,
    write_library,
)

LAYERS = ["conv_1", "conv_2", "depthwise_1", "model/conv*/[1]"]


def test_the_first_line_that_matches_holds() -> None:
    table = {"conv_2": "itcm", "default": "qspi", "conv_*": "dtcm", "*/[[]1]": ".rodata"}
    placement = placement_of(table)
    sections = ["dtcm", "itcm", "qspi", ".rodata"]
    assert [placement.section_of(layer) for layer in LAYERS] == sections
    assert placement.sections == ("qspi", "itcm", "dtcm")
    assert placement_of({"model/conv*/[1]": "x"}).section_of("model/conv*/[1]") == "x"
    assert UNPLACED.section_of("conv_1") == ".rodata" and UNPLACED.sections == ()
    check_placement(placement, LAYERS, None, "")
    check_placement(placement, LAYERS, ["dtcm", "itcm", "qspi"], "board")


REFUSED: dict[str, tuple[str, str]] = {
    "not TOML": ("[weights", "readable TOML"),
    "another table": ('[weights]\n[stack]\nx = "y"', r"the tables \[weights\].*stack"),
    "no table": ('weights = "ram"', r"the tables \[weights\]"),
    "nothing": ("", r"the tables \[weights\].*none"),
    "an arena that is no table": ("arena = 3", r"the tables \[weights\]"),
    "an arena without a size": ("[arena]", r"\[arena\]: fast_bytes must be a positive number"),
    "an arena of nothing": ("[arena]\nfast_bytes = 0", "positive number of bytes.*0"),
    "an arena of half a byte": ("[arena]\nfast_bytes = 0.5", "positive number of bytes.*0.5"),
    "an arena of truth": ("[arena]\nfast_bytes = true", "positive number of bytes.*True"),
    "an arena in a strange section": (
        "[arena]\nfast_bytes = 9\nfast_section = 'a b'",
        "fast_section: a section's name",
    ),
    "an arena with more": ("[arena]\nfast_bytes = 9\nsize = 9", "has fast_bytes, fast_section and.*size"),
    "a number": ("[weights]\ndefault = 3", "default: a section's name"),
    "a name that would end the attribute": ("[weights]\ndefault = 'a\")'", "a section's name"),
    "code": ('[weights]\n"conv_1" = ".text.hot"', "conv_1: .*sections of code or variables"),
    "variables": ('[weights]\ndefault = ".bss"', "sections of code or variables"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_refused(case: str, tmp_path: Path) -> None:
    text, message = REFUSED[case]
    path = tmp_path / "placement.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=message):
        read_placement(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_placement(tmp_path / "none.toml")


def test_what_does_not_fit_the_model_or_the_board() -> None:
    with pytest.raises(InvalidInputError, match=r"must match a layer.*dense_\*.*conv_1, conv_2"):
        check_placement(placement_of({"conv_1": "itcm", "dense_*": "itcm"}), LAYERS, None, "")
    with pytest.raises(InvalidInputError, match=r"that board has.*xtcm.*\.rodata, itcm, dtcm"):
        check_placement(placement_of({"conv_1": "xtcm"}), LAYERS, ["itcm", "dtcm"], "board")
    with pytest.raises(InvalidInputError, match="xtcm"):
        check_placement(placement_of({"default": "xtcm"}), LAYERS, ["itcm"], "board")


def sections_in(text: str) -> Mapping[str, str]:
    """Table → the section that the text of <name>_weights.c gives it."""
    macros = dict(re.findall(r'^#define (\w+) __attribute__\(\(section\("(\S+)"\)\)\)$', text, re.MULTILINE))
    tables = re.findall(r"^(\w+)\nconst \w+ (\w+)\[", text, re.MULTILINE)
    return {table: macros.get(macro, ".rodata") for macro, table in tables}


@pytest.mark.parametrize("core", ["generic", "cortex-m4"])
def test_each_table_is_in_the_section_of_its_layer(core: str) -> None:
    placement = placement_of({"conv": "itcm", "d*": "ext.flash", "default": ".rodata"})
    deployment = deploy(branch_graph(), core=core, placement=placement)
    found = sections_in(render_library(deployment)["tiny_weights.c"])
    assert found == {table.symbol: table.section for table in library_tables(deployment)}
    names = [node.name for node in deployment.graph.nodes]
    for symbol, section in found.items():
        layer = names[int(symbol.split("_")[1])]
        assert section == placement.section_of(layer), symbol
    assert set(found.values()) == {"itcm", "ext.flash", ".rodata"}


def test_without_a_placement_all_is_as_before() -> None:
    text = render_library(deploy(branch_graph()))["tiny_weights.c"]
    assert set(sections_in(text).values()) == {".rodata"}
    assert "section(" not in text.replace('__attribute__((section(".qspi")))', "")


def test_tables_of_one_content_are_kept_once_in_each_section() -> None:
    tables, data = Tables("tiny"), np.arange(8, dtype=np.int8)
    first = tables.add("a", data, "layer a", "hot")
    assert tables.add("b", data.copy(), "layer b", "hot") == first
    other = tables.add("c", data, "layer c", ".rodata")
    assert other != first
    assert [(t.symbol, t.section, t.users) for t in tables] == [
        (first, "hot", ["layer a", "layer b"]),
        (other, ".rodata", ["layer c"]),
    ]


@pytest.mark.parametrize("compiler", [("gcc", "-O1"), (*ARM, "-O2")])
def test_it_compiles_without_a_warning(compiler: tuple[str, ...], tmp_path: Path) -> None:
    """Whatever the names: this pattern has the end of a comment in it."""
    placement = Placement("q.spi", (("*/hidden", "itcm"), ("sc?res", "q_spi")))
    deployment = deploy(dense_graph("/*/hidden", "scores"), placement=placement)
    sources = write_library(tmp_path, deployment)
    compile_c(tmp_path, [*compiler, *WARNINGS, "-c", *sources])
    text = (tmp_path / "tiny_weights.c").read_text(encoding="utf-8")
    assert set(sections_in(text).values()) == {"itcm", "q_spi"}


def test_another_placement_is_another_generation() -> None:
    """Files of different placements refuse to be compiled together."""
    headers = {
        re.search(r"TINY_BUILD (0x\w+)", render_library(deploy(dense_graph(), placement=p))["tiny.h"])[1]  # type: ignore[index]
        for p in (UNPLACED, placement_of({"hidden": "a"}), placement_of({"hidden": "b"}))
    }
    assert len(headers) == 3
