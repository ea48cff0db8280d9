"""Every leaf of the decision tree, by situations made up for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcu_quant.comparison.advice import LEAVES, Advice, Situation, advise, loss_percent
from mcu_quant.comparison.rows import Cost, Row
from mcu_quant.evaluation.fidelity import Agreement, Fidelity
from mcu_quant.evaluation.metrics import Measured
from mcu_quant.kernels.base import CORES

TOTAL = 1000
FLOAT = Measured("top1", 0.9, 0.9, TOTAL, 900)
#: name: (technique, right of 1,000, flash, RAM, instructions on a core with FPU)
USUAL = {
    "float32": ("float32", 900, 400_000, 60_000, 9_000_000),
    "float16": ("float16", 900, 210_000, 60_000, 9_500_000),
    "dynamic": ("dynamic", 898, 120_000, 60_000, 7_000_000),
    "int8": ("int8", 896, 110_000, 20_000, 3_000_000),
    "int8+equalize": ("int8", 897, 110_000, 20_000, 3_000_000),
    "int16x8": ("int16x8", 899, 115_000, 40_000, 5_000_000),
}


def row(name: str, right: int | None = None, status: str = "ok") -> Row:
    technique, usual, flash, ram, instructions = USUAL[name]
    right = usual if right is None else right
    accuracy = Measured("top1", right / TOTAL, right / TOTAL, TOTAL, right)
    fidelity = Fidelity(30.0, 0.001, Agreement(right + 50, TOTAL), accuracy)
    cost = Cost(flash, flash, ram, ram - 1000, instructions, None)
    fits = status == "ok"
    reason = "" if fits else f"{name} is {status}"
    return Row(name, technique, {}, status, reason, flash, fidelity if fits else None, cost if fits else None)


def situation(*rows: Row, core: str | None = "cortex-m4", samples: int = 200) -> Situation:
    board = None if core is None else "a_board"
    return Situation(rows, FLOAT, samples, board, None if core is None else CORES[core])


def everything(**right: int) -> list[Row]:
    return [row(name, right.get(name.replace("+", "_"))) for name in USUAL]


def says(advice: Advice, *parts: str) -> None:
    text = " ".join(advice.steps)
    for part in parts:
        assert part in text, text


def test_int8_keeps_the_accuracy() -> None:
    advice = advise(situation(*everything()))
    assert (advice.leaf, advice.choice) == ("int8", "int8")
    says(advice, "200 samples", "896 of 1,000", "900 of 1,000", "0.4 % lost", "Yes, all 6 do")
    says(
        advice, "110,000 bytes of flash", "3,000,000 instructions", "28 % of the flash", "33 % of the instru"
    )


def test_a_repair_wins_it_back() -> None:
    advice = advise(situation(*everything(int8=700, int8_equalize=895)))
    assert (advice.leaf, advice.choice) == ("int8_repaired", "int8+equalize")
    says(advice, "Does int8 keep the accuracy? No", "20 % lost", "at most 1 % may be lost", "895 of 1,000")


def test_more_bits_win_it_back() -> None:
    advice = advise(situation(*everything(int8=700, int8_equalize=750)))
    assert (advice.leaf, advice.choice) == ("more_bits", "int16x8")
    says(advice, "899 of 1,000", "5,000,000 instructions")


def test_float_with_an_fpu() -> None:
    advice = advise(situation(*everything(int8=700, int8_equalize=750, int16x8=800, dynamic=850)))
    assert (advice.leaf, advice.choice) == ("float", "float32")
    says(advice, "cortex-m4: yes", "900 of 1,000")


def test_float_without_an_fpu() -> None:
    """float32 runs in software; what costs the fewest instructions is still what is taken."""
    rows = everything(int8=700, int8_equalize=750, int16x8=800)
    slow = [
        replace(r, cost=replace(r.cost, instructions=30 * r.cost.instructions))
        if r.technique in ("float32", "float16") and r.cost is not None
        else r
        for r in rows
    ]
    advice = advise(situation(*slow, core="cortex-m0plus"))
    assert (advice.leaf, advice.choice) == ("float", "dynamic")
    says(advice, "cortex-m0plus: no", "would run in software")


def test_integers_are_named_where_there_is_no_fpu() -> None:
    advice = advise(situation(*everything(int8=700, int8_equalize=750), core="cortex-m3"))
    assert advice.choice == "int16x8"
    says(advice, "cortex-m3: no", "int16x8 run in integers")


def test_accuracy_is_lost() -> None:
    rows = [row("int8", 700), row("int8+equalize", 850), row("int16x8", 840)]
    advice = advise(situation(*rows))
    assert (advice.leaf, advice.choice) == ("accuracy_lost", None)
    says(
        advice,
        "nearest is int8+equalize",
        "850 of 1,000",
        "mcu-quant diagnose",
        "quantization-aware training",
    )


def test_fits_nowhere() -> None:
    rows = [row(name, status="does_not_fit") for name in USUAL]
    advice = advise(situation(*rows))
    assert (advice.leaf, advice.choice) == ("fits_nowhere", None)
    says(advice, "Does anything fit a_board? No", "int8 is does_not_fit", "smaller model", "larger board")


def test_what_does_not_fit_is_not_taken() -> None:
    rows = [row("float32", status="does_not_fit"), row("int8", 700), row("int16x8")]
    advice = advise(situation(*rows))
    assert advice.choice == "int16x8"
    says(advice, "2 do; float32 does not")


def test_nothing_runs() -> None:
    advice = advise(situation(row("int8", status="unsupported")))
    assert (advice.leaf, advice.choice) == ("nothing_runs", None)
    says(advice, "int8 is unsupported", "inspect")


def no_data(*rows: Row, core: str | None = "cortex-m4") -> Situation:
    bare = [replace(r, fidelity=None) for r in rows]
    return replace(situation(*bare, core=core, samples=0), float_accuracy=None)


def test_no_data() -> None:
    rows = [row("float32"), row("dynamic"), row("int8", status="needs_data")]
    advice = advise(no_data(*rows))
    assert (advice.leaf, advice.choice) == ("no_data", "dynamic")
    says(advice, "No: int8 and int16x8 need 100 to 500 samples", "--data", "7,000,000 instructions")
    says(advise(no_data(*rows, core="cortex-m0")), "above all on a core without FPU")


def test_no_data_and_nothing_without() -> None:
    advice = advise(no_data(row("int8", status="needs_data")))
    assert (advice.leaf, advice.choice) == ("no_data", None)
    says(advice, "Nothing runs without data")


def test_trained_with_quantization_needs_no_data() -> None:
    rows = [replace(row("int8"), fidelity=None), row("int16x8", status="unsupported")]
    advice = advise(replace(situation(*rows, samples=0), float_accuracy=None, trained=True))
    assert (advice.leaf, advice.choice) == ("int8", "int8")
    says(advice, "None is needed: the model was trained with quantization")


def test_trained_with_quantization_and_not_enough() -> None:
    lost = advise(replace(situation(row("int8", 700), samples=0), trained=True))
    assert lost.leaf == "accuracy_lost"
    says(lost, "train it longer with its quantization")


def test_without_a_board_the_smallest_file() -> None:
    rows = [replace(r, cost=None) for r in everything(int8=700, int8_equalize=750)]
    advice = advise(situation(*rows, core=None))
    assert (advice.leaf, advice.choice) == ("more_bits", "int16x8")
    assert "FPU" not in " ".join(advice.steps)


def test_max_loss_decides() -> None:
    rows = everything(int8=880)
    assert advise(situation(*rows)).choice == "int8+equalize"
    assert advise(replace(situation(*rows), max_loss=2.5)).choice == "int8"


def test_every_leaf_is_tested_here() -> None:
    assert set(LEAVES) == {
        "no_data",
        "nothing_runs",
        "fits_nowhere",
        "int8",
        "int8_repaired",
        "more_bits",
        "float",
        "accuracy_lost",
    }


@pytest.mark.parametrize(
    ("fidelity", "before", "expected"),
    [
        pytest.param(
            Fidelity(20.0, 0.01, Agreement(90, 100), Measured("top1", 0.8, 0.8, 100, 80)),
            Measured("top1", 0.83, 0.83, 100, 83),
            3.0,
            id="points of top-1",
        ),
        pytest.param(
            Fidelity(20.0, 0.01, None, Measured("mse", 0.22, -0.22, 100)),
            Measured("mse", 0.2, -0.2, 100),
            10.0,
            id="growth of MSE",
        ),
        pytest.param(Fidelity(20.0, 0.01, Agreement(90, 100), None), None, 5.0, id="half of changed classes"),
        pytest.param(Fidelity(20.0, 0.01, None, None), None, 1.0, id="noise"),
    ],
)
def test_loss(fidelity: Fidelity, before: Measured | None, expected: float) -> None:
    assert loss_percent(fidelity, before) == pytest.approx(expected)
