"""The same model and options give the same bytes, in any process; two tiny models are looked at closely.

After an intended change: `MQ_UPDATE_SNAPSHOTS=1 pytest tests/codegen/test_reproducible.py`; then read
the diff.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mcu_quant.codegen.library import render_library
from mcu_quant.ir import Node, Tensor
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from tests.codegen.deployments import activation, bias, branch_graph, dense_graph, deploy, graph_of, weights
from tests.conftest import ROOT

SNAPSHOTS = Path(__file__).parent / "snapshots"
MODELS = {"dense": dense_graph, "branch": branch_graph}


def rendered(model: str) -> dict[str, str]:
    """The generated files, without the kernels that are copied as they are."""
    files = render_library(deploy(MODELS[model](), name=model, core="cortex-m4"))
    return {name: text for name, text in files.items() if not name.startswith("mq_")}


@pytest.mark.parametrize("model", MODELS)
def test_snapshot(model: str) -> None:
    files = rendered(model)
    directory = SNAPSHOTS / model
    if os.environ.get("MQ_UPDATE_SNAPSHOTS"):
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8", newline="\n")
    stored = {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}
    assert files == stored


def test_same_bytes_in_every_process() -> None:
    script = (
        "import hashlib\n"
        "from tests.codegen.test_reproducible import MODELS, rendered\n"
        "print(hashlib.sha256(repr([rendered(model) for model in MODELS]).encode()).hexdigest())\n"
    )
    digests = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        digests.add(
            subprocess.run(
                [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, check=True
            ).stdout
        )
    assert len(digests) == 1


@pytest.mark.parametrize("model", MODELS)
def test_no_paths_no_dates_no_forbidden_words(model: str) -> None:
    for name, text in rendered(model).items():
        assert text.startswith("/* SPDX-License-Identifier: 0BSD\n"), name
        assert str(ROOT) not in text and not re.search(r"\b20[2-9]\d-\d\d", text)
        assert text.endswith("\n") and "\r" not in text and "\t" not in text
        assert not re.search(r"[ ]$", text, re.MULTILINE), f"{name} has a line that ends in spaces"
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        assert not re.search(r"\b(malloc|free|printf|double|alloca)\b", code)
        included = set(re.findall(r"#include <(.*)>", text))
        assert included <= {"stdint.h", "stddef.h", "string.h"}
        assert max(map(len, text.splitlines())) <= 160


def test_equal_tables_are_stored_once() -> None:
    nodes = [
        Node("one", "fully_connected", FullyConnectedAttrs(), ("x", "w", "b"), ("h",)),
        Node("two", "fully_connected", FullyConnectedAttrs(), ("h", "same", "b"), ("y",)),
    ]
    weight = weights("w", (4, 4), 0)
    quant = [activation(name, (1, 4), 0.5, 0) for name in ("x", "h", "y")]
    same = Tensor.constant("same", weight.data, weight.quant)  # type: ignore[arg-type]
    graph = graph_of(nodes, [*quant, weight, same, bias("b", 4)], ["x"], ["y"])
    files = render_library(deploy(graph))
    assert files["tiny_weights.c"].count("[16] = {") == 1
    assert files["tiny.c"].count("tiny_0_one_weights") == 2
    assert "two, weights" in files["tiny_weights.h"]
