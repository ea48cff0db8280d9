"""docs/benchmarks.json: a sample measured again must not have grown, and what it is compared by must bite.

The cost model is compared with it, too: a sample, or with MCU_QUANT_ALL_COSTS set every model on every core.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT


def tool(name: str) -> ModuleType:
    """A module of tools/, which find each other beside themselves."""
    if str(ROOT / "tools") not in sys.path:
        sys.path.append(str(ROOT / "tools"))
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).parent == ROOT / "tools", spec.origin
    return importlib.import_module(name)


SAMPLE = [
    ("mps2_an386", "time", "ad01"),
    ("mps2_an386", "time", "kws"),
    ("mps3_an547", "time", "str_ww"),
    ("mps2_an385_m0plus", "time", "ad01"),
]


@pytest.mark.qemu
@pytest.mark.parametrize(("board", "optimize", "model"), SAMPLE)
def test_nothing_of_a_sample_grew(shared: Path, board: str, optimize: str, model: str) -> None:
    """By more than 1 % of what `make bench` stored, where the compiler and the emulator are the same."""
    results = tool("results")
    case = results.Case(board, optimize, model)
    stored = results.load()
    if stored is None:
        pytest.skip("no figures of this compiler and this QEMU are stored")
    assert not results.growth(stored[str(case)], case.measure())


ROW: dict[str, Any] = {
    "instructions": 10_000,
    "modelled_cycles": 12_000,
    "arena_bytes": 768,
    "stack_bytes": 84,
    "code_bytes": 4000,
    "const_bytes": 9000,
    "layers": [["fully_connected", "some_kernel", 1000, 10_000, 12_000]],
}


@pytest.mark.parametrize("key", ["instructions", "arena_bytes", "code_bytes", "const_bytes"])
def test_growth_is_seen(key: str) -> None:
    results = tool("results")
    grown = copy.deepcopy(ROW)
    grown[key] = int(ROW[key] * 1.01)
    assert results.growth(ROW, grown) == []
    grown[key] += 2
    (words,) = results.growth(ROW, grown)
    assert key in words
    assert results.growth(ROW, {**ROW, key: 1}) == []


def test_a_model_that_fits_no_more_is_seen() -> None:
    results = tool("results")
    assert results.growth(ROW, None) and not results.growth(None, ROW)


def test_what_is_stored_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tool("results")
    monkeypatch.setattr(results, "FILE", tmp_path / "benchmarks.json")
    monkeypatch.setattr(results, "versions", lambda: "one compiler; one emulator")
    assert results.load() is None
    stored = {"b time kws": ROW, "a time vww (kept)": None}
    results.save(stored)
    assert results.load() == stored
    monkeypatch.setattr(results, "versions", lambda: "another compiler; one emulator")
    assert results.load() is None


COSTS = [
    ("mps2_an386", "time", "resnet"),
    ("mps2_an386", "balanced", "kws"),
    ("mps3_an547", "time", "kws"),
    ("mps2_an385_m0plus", "balanced", "kws"),
    ("mps2_an385_m0plus", "time", "kws"),
    ("mps2_an385", "time", "kws"),
    ("mps2_an386", "balanced", "person"),
    ("mps2_an386", "size", "vww"),
    ("mps2_an385", "balanced", "resnet"),
]


def _stored() -> dict[str, Any]:
    results: dict[str, Any] = json.loads(tool("results").FILE.read_text(encoding="utf-8"))["results"]
    return results


def _costs() -> list[Any]:
    if not os.environ.get("MCU_QUANT_ALL_COSTS"):
        return [tool("results").Case(*case) for case in COSTS]
    return list(tool("cost_model").stored_cases(_stored()))


@pytest.mark.parametrize("case", _costs(), ids=str)
def test_costs_are_near_what_layers_take(shared: Path, case: Any) -> None:
    """Within 10 % for layers from 1 % of a model on; all bounds are in tools/cost_model.py.

    Whatever compiler measured them, they are near.
    """
    costs, stored = tool("cost_model"), _stored()
    layers = list(costs.layers_of(case, stored[str(case)]))
    assert [str(layer) for layer in layers if layer.is_beyond] == []
    same = sum(layer.measured for layer in layers if layer.kernel.name == layer.stored)
    assert same > 0.9 * sum(layer.measured for layer in layers), "other kernels were measured: `make bench`"


def test_a_cost_that_is_off_is_seen(shared: Path) -> None:
    costs, results = tool("cost_model"), tool("results")
    case = results.Case("mps2_an386", "time", "ad01")
    stored = _stored()[str(case)]
    stored["layers"][0][4] = int(stored["layers"][0][4] * 1.3)
    first = next(costs.layers_of(case, stored))
    assert first.is_beyond and "fully_connected_dsp" in str(first)


def test_the_page_pairs_our_layers_with_theirs() -> None:
    bench = tool("bench")
    layers = [["conv_2d", "k", 100, 50, 60], ["reshape", "reshape", 0, 0, 0], ["softmax", "s", 0, 5, None]]
    theirs = [["conv_2d", 200], ["reshape", 9], ["softmax", 10]]
    rows = bench.layer_rows(layers, theirs)
    assert rows[0] == ["0 conv_2d", "k", "100", "50", "200", "0.250", "60", "0.600"]
    assert rows[1][4:6] == ["", ""] and rows[2][4:] == ["10", "0.500", "", ""]
    other = [["add", 200], ["softmax", 10]]
    assert all(row[4] == "" for row in bench.layer_rows(layers, other))
