"""--format platformio by PlatformIO's own manifest parser and packer, and its example on this computer."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from platformio.package.exception import ManifestValidationError
from platformio.package.manifest.parser import ManifestParserFactory
from platformio.package.manifest.schema import ManifestSchema
from platformio.package.pack import PackagePacker
from platformio.project.config import ProjectConfig

from tests.formats.libraries import CASES, deployments, printed_by, run_on_host, shortened, write


@pytest.fixture(autouse=True)
def _licenses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PlatformIO reads the list of SPDX's identifiers from the network; here it has three of them."""
    listed = {"licenses": [{"licenseId": name} for name in ("0BSD", "Apache-2.0", "MIT")]}
    monkeypatch.setattr(ManifestSchema, "load_spdx_licenses", staticmethod(lambda: listed))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))


def validated(folder: Path) -> dict[str, Any]:
    parsed = ManifestParserFactory.new_from_dir(str(folder)).as_dict()
    return dict(ManifestSchema().load_manifest(parsed))


@pytest.mark.parametrize("case", CASES)
def test_the_manifest_is_valid(case: str, tmp_path: Path) -> None:
    models = CASES[case]()
    library = validated(write(tmp_path, "platformio", models, "kws"))
    assert library["name"] == "kws" and library["license"] == "0BSD"
    assert library["headers"] == [f"{model.name}.h" for model in models]
    for example in library["examples"]:
        assert all((tmp_path / example["base"] / name).is_file() for name in example["files"])


@pytest.mark.parametrize(("key", "value"), [("license", "free"), ("version", "one"), ("keywords", "a;b!")])
def test_the_schema_finds_what_is_wrong(key: str, value: str, tmp_path: Path) -> None:
    folder = write(tmp_path, "platformio", deployments()[:1])
    path = folder / "library.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ManifestValidationError):
        validated(folder)


def test_the_example_is_a_project(tmp_path: Path) -> None:
    folder = write(tmp_path, "platformio", deployments(), "kws")
    config = ProjectConfig(str(folder / "examples/kws/platformio.ini"))
    assert config.envs() == ["native"] and config.validate() is True
    (library,) = config.get("env:native", "lib_deps")
    assert library == "symlink://../.." and (folder / "examples/kws/../../library.json").is_file()


def test_platformio_packs_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "library", "platformio", deployments(), "kws")
    archive = PackagePacker(str(folder)).pack(str(tmp_path / "kws.tar.gz"))
    with tarfile.open(archive) as packed:
        names = set(packed.getnames())
    assert {"library.json", "src/tiny.c", "src/mq_common.h", "examples/kws/src/main.c"} <= names


@pytest.mark.parametrize("case", CASES)
def test_the_example_prints_what_the_reference_says(case: str, tmp_path: Path) -> None:
    """With the flags that library.json names."""
    folder = write(tmp_path, "platformio", CASES[case](), "kws")
    build = json.loads((folder / "library.json").read_text())["build"]
    assert build["srcDir"] == build["includeDir"] == "src" and "-Os" in build["unflags"]
    printed = run_on_host(folder, folder / "examples/kws/src/main.c", build["flags"])
    assert shortened(printed) == [line for model in CASES[case]() for line in printed_by(model)]
