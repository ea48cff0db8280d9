"""--format zephyr: module.yml by the rules of Zephyr's build system, Kconfig by Kconfiglib, CMake by CMake.

The rules are those of zephyr_module.py in Zephyr's scripts (METADATA_SCHEMA and process_*), read at commit
013c135. The functions of Zephyr that CMakeLists.txt calls are stand-ins (stubs/zephyr.cmake).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import kconfiglib
import pytest
import yaml

from tests.conftest import require_tools
from tests.formats.libraries import CASES, STUBS, deployments, printed_by, run, run_on_host, shortened, write

#: Keys of module.yml and of its section `build` → type.
MODULE = {"name": str, "build": dict, "tests": list, "samples": list, "boards": list, "blobs": list}
BUILD = {
    "cmake": str,
    "kconfig": str,
    "cmake-ext": bool,
    "kconfig-ext": bool,
    "depends": list,
    "settings": dict,
}
#: An application of Zephyr as far as a module sees it.
APPLICATION = """
cmake_minimum_required(VERSION 3.20)
project(application LANGUAGES C ASM)
include({stubs}/zephyr.cmake)
add_library(zephyr_interface INTERFACE)
set({symbol} {value})
add_subdirectory(module/zephyr module)
"""


def broken_rules(folder: Path) -> list[str]:
    module: dict[str, Any] = yaml.safe_load((folder / "zephyr/module.yml").read_text())
    build = module.get("build", {})
    rules = {
        "only known keys of their types": all(
            type(value) is MODULE.get(key) for key, value in module.items()
        ),
        "only known keys of their types in build": all(
            type(value) is BUILD.get(key) for key, value in build.items()
        ),
        "cmake names a directory with CMakeLists.txt": (folder / build["cmake"] / "CMakeLists.txt").is_file(),
        "kconfig names a file": (folder / build["kconfig"]).is_file(),
        "the name is that of a symbol": bool(re.fullmatch(r"[a-zA-Z]\w*", module["name"])),
    }
    return [rule for rule, holds in rules.items() if not holds]


@pytest.mark.parametrize("case", CASES)
def test_module_yml_keeps_the_schema(case: str, tmp_path: Path) -> None:
    assert broken_rules(write(tmp_path, "zephyr", CASES[case]())) == []


def test_the_rules_find_what_is_wrong(tmp_path: Path) -> None:
    folder = write(tmp_path, "zephyr", deployments(), "kws")
    path = folder / "zephyr/module.yml"
    path.write_text(path.read_text().replace("kconfig: ", "kconfigs: yes\n  kconfig: zephyr/"))
    assert len(broken_rules(folder)) == 2


def configured(folder: Path, package: str, text: str) -> Any:
    """The symbol of the module as Zephyr's menu has it, with those lines of a prj.conf."""
    (folder / "Kconfig.root").write_text('mainmenu "test"\nconfig CBPRINTF_FP_SUPPORT\n\tbool "floats"\n'
                                         'osource "zephyr/Kconfig"\n')  # fmt: skip
    (folder / "prj.conf").write_text(text)
    kconfig = kconfiglib.Kconfig(str(folder / "Kconfig.root"), warn_to_stderr=False)
    kconfig.warn_assign_undef = True
    kconfig.load_config(str(folder / "prj.conf"))
    assert kconfig.warnings == []
    return kconfig.syms[f"MCU_QUANT_{package.upper()}"]


@pytest.mark.parametrize("case", CASES)
def test_kconfig_has_a_symbol_that_the_sample_sets(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path, "zephyr", CASES[case](), "kws")
    monkeypatch.setenv("srctree", str(folder))
    assert configured(folder, "kws", "").str_value == "n"
    symbol = configured(folder, "kws", (folder / "samples/kws/prj.conf").read_text())
    assert symbol.str_value == "y"
    assert symbol.nodes[0].prompt is not None and "arena" in symbol.nodes[0].help


@pytest.mark.parametrize("value", ["y", "n"])
def test_the_module_is_built_if_its_symbol_is_set(value: str, tmp_path: Path) -> None:
    """For this computer: Zephyr's native_sim has the host's compiler."""
    write(tmp_path / "module", "zephyr", deployments(), "kws")
    text = APPLICATION.format(stubs=STUBS, symbol="CONFIG_MCU_QUANT_KWS", value=value)
    (tmp_path / "CMakeLists.txt").write_text(text)
    run(["cmake", "-B", "build"], tmp_path)
    log = run(["cmake", "--build", "build", "--verbose"], tmp_path)
    library = tmp_path / "build/module/libmcu_quant_kws.a"
    assert library.is_file() == (value == "y")
    if value == "y":
        members = run(["ar", "t", library], tmp_path).split()
        assert {"tiny.c.o", "tiny_weights.c.o", "real.c.o", "smoothing.c.o"} <= set(members)
        assert "-fno-delete-null-pointer-checks" in log and "module/src" in log


@pytest.mark.parametrize("case", CASES)
def test_the_sample_prints_what_the_reference_says(case: str, tmp_path: Path) -> None:
    folder = write(tmp_path, "zephyr", CASES[case](), "kws")
    printed = run_on_host(folder, folder / "samples/kws/src/main.c", ["-O2"], [STUBS])
    assert shortened(printed) == [line for model in CASES[case]() for line in printed_by(model)]


def test_the_sample_finds_its_module_from_where_it_is(tmp_path: Path) -> None:
    require_tools("cmake")
    folder = write(tmp_path / "module", "zephyr", deployments(), "kws")
    sample = folder / "samples/kws"
    fake = tmp_path / "Zephyr"
    fake.mkdir()
    (fake / "ZephyrConfig.cmake").write_text(
        'message(STATUS "modules: ${EXTRA_ZEPHYR_MODULES}")\nadd_library(app STATIC)\n'
    )
    log = run(["cmake", "-S", sample, "-B", tmp_path / "build", f"-DZephyr_DIR={fake}"], tmp_path)
    (module,) = re.findall(r"modules: (.*)", log)
    assert (Path(module) / "zephyr/module.yml").is_file()
    shutil.rmtree(tmp_path / "build")
