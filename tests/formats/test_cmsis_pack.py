"""--format cmsis-pack by the rules of PACK.xsd 1.7.32 and of the Open-CMSIS-Pack specification's file names.

The schema is in no package registry; what it says of the elements that we write is here as rules.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.formats.libraries import (
    CASES,
    WARNINGS,
    deployments,
    printed_by,
    run,
    run_on_host,
    shortened,
    write,
)

#: Child elements of <package> (all in any order), each → whether it must be there.
PACKAGE = {
    "vendor": True,
    "name": True,
    "description": True,
    "url": True,
    "releases": True,
    "requirements": False,
    "conditions": False,
    "components": False,
}
#: A part of DcoreEnum: the cores that we generate for.
CORES = ("Cortex-M0", "Cortex-M0+", "Cortex-M3", "Cortex-M4", "Cortex-M7", "Cortex-M33", "Cortex-M55")
RESTRICTED = r"[-_A-Za-z0-9]+"
PACK_VERSION = r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
COMPONENT_VERSION = r"(0|[1-9]\d*)\.[0-9]+(\.[0-9]+)?(-[0-9A-Za-z.-]+)?"
ID_PART = r"(?=.{2,32}$)[A-Za-z0-9][A-Za-z0-9_+()'/\-\s.]+"
SUB_NAME = r"(?=.{0,32}$)([A-Za-z0-9][A-Za-z0-9_+():/\- .]*)?"
#: FileCategoryType and FileLanguageAttributeType → suffix.
CATEGORIES = {
    ("doc", ""): ".md",
    ("header", ""): ".h",
    ("source", ""): ".c",
    ("source", "asm"): ".S",
    ("include", ""): "",
}


def broken_rules(folder: Path) -> list[str]:
    (path,) = folder.glob("*.pdsc")
    package = ElementTree.parse(path).getroot()
    text = {child.tag: child.text or "" for child in package}
    release = package.find("releases/release")
    components = package.findall("components/component")
    conditions = {c.get("id", ""): c for c in package.findall("conditions/condition")}
    files = [file for component in components for file in component.findall("files/file")]
    named = {file.get("name", "") for file in files}
    assert release is not None
    rules = {
        "elements of <package>": [c.tag for c in package if c.tag not in PACKAGE] == []
        and all(len(package.findall(tag)) == 1 for tag, must in PACKAGE.items() if must),
        "schemaVersion": bool(re.fullmatch(r"\d+\.\d+(\.\d+)?", package.get("schemaVersion", ""))),
        "vendor and name are of letters, digits, _ and -": all(
            re.fullmatch(RESTRICTED, text[tag]) for tag in ("vendor", "name")
        ),
        "the file is <vendor>.<name>.pdsc": path.name == f"{text['vendor']}.{text['name']}.pdsc",
        "the release has a version": bool(re.fullmatch(PACK_VERSION, release.get("version", ""))),
        "a component has class, group and version": all(
            re.fullmatch(ID_PART, component.get(key, ""))
            for key in ("Cclass", "Cgroup")
            for component in components
        )
        and all(re.fullmatch(SUB_NAME, component.get("Csub", "")) for component in components)
        and all(re.fullmatch(COMPONENT_VERSION, c.get("Cversion", "")) for c in components),
        "conditions exist": all(c.get("condition") in {None, *conditions} for c in components),
        "cores are known": all(
            r.get("Dcore") in CORES for c in conditions.values() for r in c.findall("require")
        ),
        "descriptions are there": all(e.find("description") is not None for e in components),
        "files exist and are of their category": all(
            (folder / f.get("name", "-")).exists()
            and Path(f.get("name", "")).suffix
            == CATEGORIES.get((f.get("category", ""), f.get("language", "")), "?")
            for f in files
        ),
        "every file of src/ is named": {f"src/{p.name}" for p in (folder / "src").iterdir()} <= named,
        "a template has a text to select it by": all(
            f.get("select") for f in files if f.get("attr") == "template"
        ),
    }
    return [rule for rule, holds in rules.items() if not holds]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus", "generic"])
def test_the_schema_is_kept(case: str, core: str, tmp_path: Path) -> None:
    models = CASES[case]() if core == "cortex-m4" else deployments(core)
    folder = write(tmp_path, "cmsis-pack", models, "a_name_that_is_longer_than_others")
    assert broken_rules(folder) == []
    (path,) = folder.glob("*.pdsc")
    required = ElementTree.parse(path).findall("conditions/condition/require")
    expected = {"cortex-m4": ["Cortex-M4"], "cortex-m0plus": ["Cortex-M0+"], "generic": []}[core]
    assert [element.get("Dcore") for element in required] == expected


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("<name>kws", "<name>k ws", "letters"),
        ("<url></url>", "", "elements"),
        ('condition="core"', 'condition="cores"', "conditions exist"),
        ('Cversion="0', 'Cversion="r0', "class, group and version"),
        (' language="asm"', "", "category"),
        ('Csub="kws', 'Csub="of a name that is longer than kws', "class, group and version"),
        ('<file category="source" name="src/tiny.c"/>', "", "every file"),
        ("Cortex-M4", "cortex-m4", "cores"),
    ],
)
def test_the_rules_find_what_is_wrong(before: str, after: str, rule: str, tmp_path: Path) -> None:
    folder = write(tmp_path, "cmsis-pack", deployments(), "kws")
    path = folder / "mcu_quant.kws.pdsc"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert any(rule in broken for broken in broken_rules(folder))


@pytest.mark.parametrize("case", CASES)
def test_the_template_prints_what_the_reference_says(case: str, tmp_path: Path) -> None:
    """As a project of a CMSIS tool compiles the component: with its include path and every source."""
    folder = write(tmp_path, "cmsis-pack", CASES[case](), "kws")
    printed = run_on_host(folder, folder / "template/main.c", ["-O2"])
    assert shortened(printed) == [line for model in CASES[case]() for line in printed_by(model)]
    flags = ["-mcpu=cortex-m4", "-mthumb", "-std=c99", *WARNINGS, "-Isrc"]
    run(["arm-none-eabi-gcc", *flags, "-c", "template/main.c"], folder)
