"""Which technique to take: the field's decision tree, with this model's numbers.

Is there data to calibrate with? Does anything fit the board? Does plain int8 keep the accuracy? Does a
repair, or more bits, win it back? Is there an FPU, so that float is worth its time? Else: train with
quantization.

A loss is in percent: of top-1 and AUC the points lost against the float model, of MSE what it grew by.
Without labels it is half of the samples whose class changes (a changed class is as often as not no loss),
and where there are no classes the noise's share of the output's energy (20 dB is 1 %).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mcu_quant.comparison.rows import Row
from mcu_quant.evaluation.fidelity import Fidelity
from mcu_quant.evaluation.metrics import Measured
from mcu_quant.kernels.base import Core

#: What may be lost unless the user says otherwise, percent.
MAX_LOSS = 1.0

#: The ends of the tree.
LEAVES = (
    "no_data",
    "nothing_runs",
    "fits_nowhere",
    "int8",
    "int8_repaired",
    "more_bits",
    "float",
    "accuracy_lost",
)
_FLOAT = ("float32", "float16", "dynamic")


@dataclass(frozen=True)
class Situation:
    """All that the advice depends on. core, board: None where none was chosen.

    trained: the model was trained with quantization and needs no samples.
    """

    rows: tuple[Row, ...]
    float_accuracy: Measured | None
    calibration_samples: int
    board: str | None = None
    core: Core | None = None
    trained: bool = False
    max_loss: float = MAX_LOSS

    @property
    def has_fpu(self) -> bool | None:
        return None if self.core is None else "-mfloat-abi=hard" in self.core.gcc_flags

    def runnable(self) -> list[Row]:
        return [row for row in self.rows if row.status == "ok"]

    def row(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)

    def loss(self, row: Row) -> float | None:
        return None if row.fidelity is None else loss_percent(row.fidelity, self.float_accuracy)

    def keeps(self, row: Row) -> bool:
        """Whether what is lost is allowed; unmeasured, float and trained models are taken to keep all."""
        loss = self.loss(row)
        return row.technique in _FLOAT or self.trained if loss is None else loss <= self.max_loss


@dataclass(frozen=True)
class Advice:
    """leaf: one of LEAVES. choice: the name of the row to take, None if there is none.

    steps: the questions of the tree and their answers, in words with numbers; the last is the advice.
    """

    leaf: str
    choice: str | None
    steps: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {"leaf": self.leaf, "choice": self.choice, "steps": list(self.steps)}


def loss_percent(fidelity: Fidelity, before: Measured | None) -> float:
    after = fidelity.accuracy
    if after is not None and before is not None:
        if after.metric == "mse":
            return 100.0 * (after.value / before.value - 1.0) if before.value else 0.0
        return 100.0 * (before.score - after.score)
    if fidelity.agreement is not None:
        return 100.0 * (1.0 - fidelity.agreement.share) / 2.0
    return 100.0 * fidelity.noise_share


def advise(situation: Situation) -> Advice:
    """Walk down the tree."""
    if situation.trained:
        data = "Data to calibrate with? None is needed: the model was trained with quantization."
    elif situation.calibration_samples:
        data = f"Data to calibrate with? Yes, {situation.calibration_samples:,} samples."
    else:
        return _without_data(situation)
    runnable = situation.runnable()
    if not runnable:
        return _nothing_runs(situation, [data])
    steps = [data]
    if situation.board is not None:
        steps.append(_fit_step(situation))
    good = sorted((row for row in runnable if situation.keeps(row)), key=_cost)
    plain = situation.row("int8")
    if plain is not None and plain.status == "ok":
        steps.append(_accuracy_step(situation, plain))
    if not good:
        return _accuracy_lost(situation, steps)
    if plain in good and plain is not None:
        return Advice("int8", plain.name, (*steps, _take(situation, plain)))
    repaired = [row for row in good if row.technique == "int8"]
    if repaired:
        return Advice("int8_repaired", repaired[0].name, (*steps, _take(situation, repaired[0])))
    if situation.has_fpu is not None:
        steps.append(_fpu_step(situation, good))
    best = good[0]
    leaf = "float" if best.technique in _FLOAT else "more_bits"
    return Advice(leaf, best.name, (*steps, _take(situation, best)))


def _without_data(situation: Situation) -> Advice:
    step = "Data to calibrate with? No: int8 and int16x8 need 100 to 500 samples of what the model will see."
    runnable = sorted(situation.runnable(), key=_cost)
    later = (
        "Collect samples and run this again with --data: integers take a quarter of float32's flash and the "
        "fewest instructions"
        + ("." if situation.has_fpu else ", above all on a core without FPU." if situation.core else ".")
    )
    if not runnable:
        return Advice("no_data", None, (step, f"Nothing runs without data. {later}"))
    take = _take(situation, runnable[0])
    return Advice("no_data", runnable[0].name, (step, f"{take} {later}"))


def _nothing_runs(situation: Situation, steps: list[str]) -> Advice:
    unfit = [row for row in situation.rows if row.status == "does_not_fit"]
    if not unfit:
        reasons = "; ".join(f"{row.name}: {row.reason}" for row in situation.rows if row.reason)
        text = f"No technique runs: {reasons} `mcu-quant inspect` names the layers and what helps."
        return Advice("nothing_runs", None, (*steps, text))
    reasons = " ".join(f"{row.name}: {row.reason}" for row in unfit)
    return Advice(
        "fits_nowhere",
        None,
        (
            *steps,
            f"Does anything fit {situation.board}? No. {reasons}",
            "Take a smaller model (fewer channels first: flash falls with their square) or smaller inputs "
            "(RAM falls with their area), or a larger board; --optimize size and --ram trade time for room.",
        ),
    )


def _accuracy_lost(situation: Situation, steps: list[str]) -> Advice:
    tried = [row for row in situation.runnable() if situation.loss(row) is not None]
    nearest = min(tried, key=lambda row: situation.loss(row) or 0.0) if tried else None
    seen = "" if nearest is None else f" The nearest is {nearest.name}: {_quality(situation, nearest)}."
    remedy = (
        "keep those in float or int16 (quantize --recipe), or train with quantization "
        "(quantization-aware training)"
    )
    if situation.trained:  # int8 in all layers, always
        remedy = "train it longer with its quantization, or its float model with more channels"
    return Advice(
        "accuracy_lost",
        None,
        (
            *steps,
            f"Does any technique keep it? No: {situation.max_loss:g} % may be lost.{seen}",
            f"Run `mcu-quant diagnose`, which names the layers to blame; {remedy}.",
        ),
    )


def _fit_step(situation: Situation) -> str:
    unfit = [row.name for row in situation.rows if row.status == "does_not_fit"]
    fitting = len(situation.runnable())
    where = f"Does it fit {situation.board}? "
    if not unfit:
        return f"{where}Yes, all {fitting} do."
    return f"{where}{fitting} do; {', '.join(unfit)} {'does' if len(unfit) == 1 else 'do'} not."


def _accuracy_step(situation: Situation, plain: Row) -> str:
    kept = situation.keeps(plain)
    answer = "Yes" if kept else "No"
    return (
        f"Does int8 keep the accuracy? {answer}: {_quality(situation, plain)}; "
        f"at most {situation.max_loss:g} % may be lost."
    )


def _fpu_step(situation: Situation, good: list[Row]) -> str:
    assert situation.core is not None
    floats = [row.name for row in good if row.technique in _FLOAT]
    integers = [row.name for row in good if row.technique not in _FLOAT]
    if situation.has_fpu:
        return f"Does the core have an FPU? {situation.core.name}: yes, so float techniques count."
    rest = f" {', '.join(integers)} run in integers." if integers else ""
    soft = f" {', '.join(floats)} would run in software." if floats else ""
    return f"Does the core have an FPU? {situation.core.name}: no.{soft}{rest}"


def _take(situation: Situation, row: Row) -> str:
    facts = [part for part in (_quality(situation, row), *_costs(row)) if part]
    head = f"Take {row.name}: {'; '.join(facts)}." if facts else f"Take {row.name}."
    others = [other for other in situation.runnable() if other.technique == "float32" and other is not row]
    if not others:
        return head
    (compared, *_) = others
    return f"{head} Against float32: {_ratio(row, compared)}."


def _ratio(row: Row, compared: Row) -> str:
    parts = []
    if row.file_bytes and compared.file_bytes:
        parts.append(f"{100 * row.file_bytes / compared.file_bytes:.0f} % of the file")
    if row.cost is not None and compared.cost is not None:
        parts.append(f"{100 * row.cost.flash_bytes / compared.cost.flash_bytes:.0f} % of the flash")
        parts.append(f"{100 * row.cost.ram_bytes / compared.cost.ram_bytes:.0f} % of the RAM")
        parts.append(f"{100 * row.cost.instructions / compared.cost.instructions:.0f} % of the instructions")
    return ", ".join(parts)


def _costs(row: Row) -> Iterator[str]:
    if row.cost is None:
        if row.file_bytes is not None:
            yield f"{row.file_bytes:,} bytes of file"
        return
    yield f"{row.cost.flash_bytes:,} bytes of flash"
    yield f"{row.cost.ram_bytes:,} bytes of RAM"
    yield f"{row.cost.instructions:,} instructions"


def _quality(situation: Situation, row: Row) -> str:
    if row.fidelity is None:
        return ""
    loss = loss_percent(row.fidelity, situation.float_accuracy)
    after, before = row.fidelity.accuracy, situation.float_accuracy
    if after is not None and before is not None:
        verb = f"{loss:.2g} % lost" if loss > 0 else "nothing lost"
        return f"{after.metric} {after} against {before} in float, {verb}"
    if row.fidelity.agreement is not None:
        return f"the float model's class in {row.fidelity.agreement}"
    if row.fidelity.sqnr_db is None:
        return "exact"
    return f"{row.fidelity.sqnr_db:.1f} dB at the output"


def _cost(row: Row) -> tuple[float, float]:
    """Fewest instructions, then least flash; without a board the smallest file."""
    if row.cost is None:
        return float(row.file_bytes or 0), 0.0
    return float(row.cost.instructions), float(row.cost.flash_bytes)
