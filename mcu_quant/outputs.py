"""Files and directories that appear whole or not at all, and never over something else unasked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mcu_quant.errors import InvalidInputError

#: Says what a generated directory holds, so that --force replaces only what we wrote, as we wrote it.
MANIFEST = "mcu-quant.json"
#: Written by compilers, and worth nothing.
_BUILD_DIRECTORY = "build"


def check_output(path: Path, *, force: bool, sources: Iterable[Path | None] = ()) -> None:
    """Raise now what writing there would raise after minutes of work.

    sources: files that are read (None: there is none); force does not replace these either.
    """
    if path.exists() and any(s is not None and s.exists() and path.samefile(s) for s in sources):
        raise InvalidInputError(
            "the output must not be a file that is read",
            layer=str(path),
            hint="a path of its own: even --force would not get the input back",
        )
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InvalidInputError(
            "the output must be a regular file or a directory, which can appear whole",
            layer=str(path),
            value="a device, pipe or socket",
            hint="a path where nothing is yet",
        )
    if path.exists() and not force:
        raise InvalidInputError(
            "the output must not exist yet",
            layer=str(path),
            hint="--force (in Python force=True) to replace it",
        )
    parent = next(p for p in path.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise _unwritable(path, f"{parent} is not a writable directory")


def write_file(path: Path, data: bytes, *, force: bool = False) -> None:
    """Write one file under a temporary name beside it, then rename."""
    check_output(path, force=force)
    if path.is_dir():
        raise InvalidInputError("the output must be a file", layer=str(path), value="a directory")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_directory(
    path: Path, files: Mapping[str, str | bytes], facts: Mapping[str, object] | None, *, force: bool = False
) -> None:
    """Write files (relative path to contents) and a manifest with those facts as a new directory.

    facts: None for no manifest.
    """
    check_directory(path, force=force)
    files = files if facts is None else with_manifest(files, facts)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent.absolute()))
        try:
            _fill(temporary / "new", files)
            if path.exists():
                path.rename(temporary / "old")
            (temporary / "new").rename(path)
        except BaseException:
            if (temporary / "old").exists() and not path.exists():
                (temporary / "old").rename(path)
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def with_manifest(files: Mapping[str, str | bytes], facts: Mapping[str, object]) -> dict[str, str | bytes]:
    """The files and a manifest: the facts, and path to SHA-256 of every other file."""
    digests = {name: hashlib.sha256(_encoded(files[name])).hexdigest() for name in sorted(files)}
    manifest = {"schema": 1, **facts, "files": digests}
    return {**files, MANIFEST: json.dumps(manifest, indent=2) + "\n"}


def check_directory(path: Path, *, force: bool) -> None:
    """check_output, and that forcing loses only what we wrote. An empty directory is as good as none."""
    if path.is_dir() and not any(path.iterdir()):
        force = True
    check_output(path, force=force)
    if not path.exists():
        return
    if not path.is_dir():
        raise InvalidInputError("the output must be a directory", layer=str(path), value="a file")
    written = _written_files(path)
    found = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_symlink() or not p.is_dir()]
    ours = {*written, MANIFEST}
    foreign = [name for name in found if name not in ours and _BUILD_DIRECTORY not in name.split("/")]
    if foreign:
        raise InvalidInputError(
            "--force replaces only files that mcu-quant wrote",
            layer=str(path),
            value=_listing(foreign),
            hint="move those files elsewhere, or choose another directory",
        )
    changed = [name for name in found if name in written and _digest(path / name) != written[name]]
    if changed:
        raise InvalidInputError(
            "--force replaces files only as mcu-quant wrote them, and some were changed since",
            layer=str(path),
            value=_listing(changed),
            hint="move your changes to another directory, or delete the directory",
        )


def read_manifest(path: Path) -> dict[str, object]:
    """What is known of a generated directory; {} if it is none."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _written_files(path: Path) -> dict[str, object]:
    """Relative path → SHA-256, as the manifest has them."""
    files = read_manifest(path).get("files")
    return files if isinstance(files, dict) else {}


def _digest(file: Path) -> str:
    """SHA-256; empty for a link and for what cannot be read, which are not as we wrote them."""
    try:
        return "" if file.is_symlink() else hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _listing(names: list[str], most: int = 5) -> str:
    return ", ".join(sorted(names)[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _encoded(contents: str | bytes) -> bytes:
    return contents if isinstance(contents, bytes) else contents.encode("utf-8")


def _fill(directory: Path, files: Mapping[str, str | bytes]) -> None:
    directory.mkdir()
    for name, contents in files.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_encoded(contents))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def _unwritable(path: Path, reason: str) -> InvalidInputError:
    return InvalidInputError(
        "the output cannot be written", layer=str(path), value=reason, hint="a path in a directory of yours"
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
