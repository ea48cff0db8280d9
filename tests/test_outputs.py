"""Outputs appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcu_quant.errors import InvalidInputError
from mcu_quant.outputs import MANIFEST, read_manifest, write_directory, write_file


def names(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def test_directory_appears_with_all_files(tmp_path: Path) -> None:
    write_directory(tmp_path / "a" / "out", {"x.txt": "x", "deep/y.bin": b"\0"}, {"fact": 1})
    assert names(tmp_path) == ["a/out/deep/y.bin", f"a/out/{MANIFEST}", "a/out/x.txt"]
    assert read_manifest(tmp_path / "a" / "out")["fact"] == 1


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        write_directory(tmp_path / "out", {"x": "x", "y": None}, {})  # type: ignore[dict-item]
    assert not list(tmp_path.iterdir())


def test_failure_leaves_what_was_there(tmp_path: Path) -> None:
    write_directory(tmp_path / "out", {"x": "old"}, {})
    with pytest.raises(AttributeError):
        write_directory(tmp_path / "out", {"x": "new", "y": None}, {}, force=True)  # type: ignore[dict-item]
    assert (tmp_path / "out" / "x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_force_replaces_all_of_ours_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_directory(out, {"old": "1", "both": "1"}, {})
    (out / "build").mkdir()
    (out / "build" / "object.o").write_text("built")
    with pytest.raises(InvalidInputError, match="--force"):
        write_directory(out, {"both": "2"}, {})
    write_directory(out, {"both": "2"}, {}, force=True)
    assert names(out) == ["both", MANIFEST]
    (out / "mine.c").write_text("int main(void);")
    with pytest.raises(InvalidInputError, match=r"mine\.c"):
        write_directory(out, {"both": "3"}, {}, force=True)
    assert (out / "both").read_text() == "2"


def test_empty_directory_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_directory(tmp_path / "out", {"x": "x"}, {})
    assert names(tmp_path / "out") == [MANIFEST, "x"]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_permissions_are_the_users(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_file(tmp_path / "file", b"data")
        write_directory(tmp_path / "out", {"x": "x"}, {})
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "out" / "x").stat().st_mode & 0o777 == 0o640


def test_file_over_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="must be a file"):
        write_file(tmp_path, b"", force=True)
