"""--format arduino against the rules of Arduino's library specification, and its sketch in C++.

Rules: "Library specification", 1.5 format rev. 2.2, of the Arduino CLI's documentation, and those of Arduino
Lint for the project type "library" (LS: structure, LP: library.properties).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.formats.libraries import (
    ARM_FLAGS,
    CASES,
    STUBS,
    WARNINGS,
    deployments,
    printed_by,
    run,
    run_on_host,
    shortened,
    sources,
    write,
)

REQUIRED = (
    "name",
    "version",
    "author",
    "maintainer",
    "sentence",
    "paragraph",
    "category",
    "url",
    "architectures",
)
OPTIONAL = ("depends", "dot_a_linkage", "includes", "precompiled", "ldflags")
CATEGORIES = (
    "Display",
    "Communication",
    "Signal Input/Output",
    "Sensors",
    "Device Control",
    "Timing",
    "Data Storage",
    "Data Processing",
    "Other",
)


def broken_rules(folder: Path) -> list[str]:
    """The rules that a library breaks; the IDs are Arduino Lint's."""
    lines = (folder / "library.properties").read_text(encoding="utf-8").splitlines()
    entries = [line.partition("=") for line in lines if line]
    fields = {key: value for key, _, value in entries}
    headers = {p.name for p in (folder / "src").iterdir() if p.suffix == ".h"}
    sketches = list((folder / "examples").rglob("*.ino"))
    rules = {
        "key=value lines, each key once": all(equals for _, equals, _ in entries)
        and len(fields) == len(entries),
        "no field is missing or empty": all(fields.get(key) for key in REQUIRED),
        "there are no other fields": set(fields) <= {*REQUIRED, *OPTIONAL},
        "LP007 the name's characters": bool(
            re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9_. ]{0,62}", fields.get("name", ""))
        ),
        "LP015 no spaces in the name": " " not in fields.get("name", ""),
        "LP012 not a name of Arduino's": not fields.get("name", "").lower().startswith("arduino"),
        "LP021 semantic version": bool(re.fullmatch(r"\d+\.\d+\.\d+", fields.get("version", ""))),
        "LP034 paragraph is more than the sentence": fields.get("sentence")
        not in fields.get("paragraph", "-"),
        "LP038 category": fields.get("category") in CATEGORIES,
        "LP041 url": bool(re.fullmatch(r"https?://\S+", fields.get("url", ""))),
        "LP052 includes are headers of src/": set(fields.get("includes", "-").split(",")) <= headers,
        "LS001 src/ has a header": bool(headers),
        "LS006 no folder of examples in another spelling": not [
            p for p in folder.iterdir() if p.name.lower().startswith("example") and p.name != "examples"
        ],
        "a sketch is in a folder of its name": bool(sketches)
        and all(p.stem == p.parent.name for p in sketches),
        "LS007 no executables": not [p for p in folder.rglob("*") if p.suffix in (".exe", ".o", ".elf")],
        "src/ is not beside utility/": not (folder / "utility").exists(),
    }
    return [rule for rule, holds in rules.items() if not holds]


@pytest.mark.parametrize("case", CASES)
def test_the_specification_is_kept(case: str, tmp_path: Path) -> None:
    assert broken_rules(write(tmp_path, "arduino", CASES[case]())) == []


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("category=Data Processing", "category=AI", "LP038"),
        ("name=tiny", "name=a b", "LP015"),
        ("version=", "version=r", "LP021"),
        ("includes=tiny.h", "includes=src", "LP052"),
        ("url=https://example.com/", "url=", "no field"),
        ("author=", "writer=", "no other fields"),
    ],
)
def test_the_rules_find_what_is_wrong(before: str, after: str, rule: str, tmp_path: Path) -> None:
    folder = write(tmp_path, "arduino", deployments()[:1])
    path = folder / "library.properties"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert any(rule in broken for broken in broken_rules(folder))


def as_cpp(folder: Path, package: str) -> Path:
    """The sketch as the IDE's builder hands it to the compiler: Arduino.h first."""
    sketch = (folder / f"examples/{package}/{package}.ino").read_text(encoding="utf-8")
    (folder / "sketch.cpp").write_text(f"#include <Arduino.h>\n{sketch}", encoding="utf-8")
    return folder / "sketch.cpp"


@pytest.mark.parametrize("standard", ["gnu++11", "gnu++17"])
@pytest.mark.parametrize("case", CASES)
def test_the_sketch_compiles_for_arm(case: str, standard: str, tmp_path: Path) -> None:
    """gnu++11 is what the oldest cores still have, gnu++17 the newest."""
    folder = write(tmp_path, "arduino", CASES[case](), "kws")
    includes = ["-Isrc", f"-I{STUBS}"]
    program = as_cpp(folder, "kws")
    flags = [*ARM_FLAGS, f"-std={standard}", "-fno-exceptions", "-fno-rtti", *WARNINGS, *includes]
    run(["arm-none-eabi-g++", *flags, "-c", program], folder)
    run(["arm-none-eabi-gcc", *ARM_FLAGS, "-std=gnu11", *WARNINGS, "-c", *sources(folder)], folder)


@pytest.mark.parametrize("case", CASES)
def test_the_sketch_prints_what_the_reference_says(case: str, tmp_path: Path) -> None:
    folder = write(tmp_path, "arduino", CASES[case](), "kws")
    program = as_cpp(folder, "kws")
    run(["g++", f"-I{STUBS}", "-c", STUBS / "arduino.cpp", "-o", "arduino.o"], folder)
    printed = run_on_host(folder, program, ["-O2"], [STUBS], compiler="g++")
    assert shortened(printed) == [line for model in CASES[case]() for line in printed_by(model)]
    assert "microseconds: 0" in printed
