"""Generate what firmware_examples/ holds of generated code, from each example's committed models.

python tools/examples.py           write it
python tools/examples.py --check   say what differs instead, and exit 1 if anything does

example.toml says board, models and options. All else is written by hand: main.c, README.md, train.py, …
"""

from __future__ import annotations

import sys
from pathlib import Path

from mcu_quant import pipeline
from mcu_quant.deployment import GenerateOptions
from mcu_quant.outputs import with_manifest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLES = Path(__file__).resolve().parents[1] / "firmware_examples"
#: Generated files that an example has its own of.
OWN = ("main.c", "README.md")
#: Where everything is generated.
GENERATED = ("model", "board", "vectors")


def examples() -> list[Path]:
    """The directories of all examples, sorted."""
    return sorted(path.parent for path in EXAMPLES.glob("*/example.toml"))


def rendered(example: Path) -> dict[str, bytes]:
    """Path in the example → contents, of all that is generated."""
    table = tomllib.loads((example / "example.toml").read_text(encoding="utf-8"))
    board = pipeline.board_named(table["board"])
    options = GenerateOptions(**table.get("options", {}))
    deployments = []
    for name in table["models"]:
        model = pipeline.load(example / name)
        assert isinstance(model, pipeline.TfliteModel)
        core = pipeline.core_named(board.core)
        deployments.append(pipeline.deploy(pipeline.streamed(model, options), core, options, board=board))
    files = {name: data for name, data in pipeline.render(deployments, board).items() if name not in OWN}
    files = with_manifest(files, pipeline.manifest_facts(deployments, board))
    return {name: data if isinstance(data, bytes) else data.encode() for name, data in files.items()}


def differences(example: Path) -> list[str]:
    """Generated files that are missing, different, or no longer generated."""
    files = rendered(example)
    found = [p for folder in GENERATED for p in (example / folder).rglob("*") if p.is_file()]
    stale = {path.relative_to(example).as_posix() for path in found} - set(files)
    changed = {n for n, data in files.items() if not _holds(example / n, data)}
    return sorted(f"{example.name}/{name}" for name in changed | stale)


def write(example: Path) -> None:
    """Make differences(example) empty."""
    files = rendered(example)
    for name in differences(example):
        path = EXAMPLES / name
        if path.relative_to(example).as_posix() in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[path.relative_to(example).as_posix()])
        else:
            path.unlink()


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        different = [name for example in examples() for name in differences(example)]
        for name in different:
            print(name)
        sys.exit(1 if different else 0)
    for example in examples():
        write(example)


if __name__ == "__main__":
    main()
