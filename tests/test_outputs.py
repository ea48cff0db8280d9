"""Outputs appear whole or not at all."""

from __future__ import annotations

import hashlib
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


@pytest.mark.parametrize("name", ["main.c", "model/net.c", "data.bin"])
def test_force_refuses_to_lose_an_edit(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = {"main.c": "int main(void);", "model/net.c": "µ", "data.bin": b"\0\xff"}
    write_directory(out, files, {})
    write_directory(out, files, {}, force=True)
    with (out / name).open("ab") as stream:
        stream.write(b"/* mine */")
    with pytest.raises(InvalidInputError) as caught:
        write_directory(out, files, {}, force=True)
    (problem,) = caught.value.problems
    assert problem.value == name and "move your changes" in problem.hint
    assert (out / name).read_bytes().endswith(b"/* mine */")
    (out / name).unlink()
    write_directory(out, files, {}, force=True)
    assert names(out) == sorted([*files, MANIFEST])


@pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
def test_force_does_not_lose_links(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_directory(out, {"main.c": "int main(void);"}, {})
    (out / "main.c").rename(tmp_path / "main.c")
    (out / "main.c").symlink_to(tmp_path / "main.c")
    with pytest.raises(InvalidInputError, match=r"changed since.*main\.c"):
        write_directory(out, {"main.c": ""}, {}, force=True)
    (out / "main.c").unlink()
    (out / "mine").symlink_to(tmp_path)
    with pytest.raises(InvalidInputError, match=r"seen: mine\)"):
        write_directory(out, {"main.c": ""}, {}, force=True)


def test_the_manifest_is_the_same_each_time(tmp_path: Path) -> None:
    write_directory(tmp_path / "a", {"x": "1", "y/z": b"2"}, {"fact": 1})
    write_directory(tmp_path / "b", {"y/z": b"2", "x": "1"}, {"fact": 1})
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()
    assert read_manifest(tmp_path / "a")["files"] == {
        "x": hashlib.sha256(b"1").hexdigest(),
        "y/z": hashlib.sha256(b"2").hexdigest(),
    }


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


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="no devices here")
def test_a_device_is_never_replaced() -> None:
    for write in (lambda p: write_file(p, b"", force=True), lambda p: write_directory(p, {}, {}, force=True)):
        with pytest.raises(InvalidInputError, match="a device, pipe or socket"):
            write(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
