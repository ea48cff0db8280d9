"""Diagnosing repaired models: what was equalized is compared with the equalized float model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant.choices import REPAIRS
from tests.diagnosis.planted import Planted, data
from tests.keras_models import calibration_data, held_out_data, needs_models
from tests.models.unequal import PLANTED


def unequal() -> mq.FloatModel:
    """Channels of early from a 64th to all of what they were, which late makes up for."""
    planted = Planted()
    factors = np.exp2(-np.linspace(0, 6, 8))
    planted.early *= factors[:, None, None, None]
    planted.early_bias *= factors
    planted.late /= factors
    return planted.model()


@pytest.mark.parametrize("per_tensor", [False, True])
def test_equalized(per_tensor: bool) -> None:
    """Were it compared with the float model as it was, early would be nothing but noise."""
    naive = mq.diagnose(unequal(), data(), per_tensor=per_tensor)
    assert {fault.layer for fault in naive.faults} >= {"early", "late"}
    assert any("equalize" in candidate for candidate in naive.faults[0].candidates)
    found = mq.diagnose(unequal(), data(), per_tensor=per_tensor, repairs=["equalize"])
    assert not [fault for fault in found.faults if fault.rule == "unequal_channels"]
    before, after = (next(x for x in d.layers if x.name == "early") for d in (naive, found))
    assert after.activation_sqnr_db is not None and before.activation_sqnr_db is not None
    assert after.activation_sqnr_db > before.activation_sqnr_db + 6
    assert after.sqnr_db is not None and after.sqnr_db > 25
    assert found.observed.fidelity.noise_share < naive.observed.fidelity.noise_share / 4


def test_all_repairs() -> None:
    found = mq.diagnose(unequal(), data(), per_tensor=True, repairs=REPAIRS)
    assert found.options.repairs == REPAIRS
    assert all(layer.sqnr_db is None or layer.sqnr_db > 20 for layer in found.layers)


@needs_models
@pytest.mark.slow
def test_layers_of_a_real_model_are_named(unequal_model: Path) -> None:
    """The layers whose channels were made unequal, and those that make up for it, and no other."""
    x, y = held_out_data("fashion_dscnn")
    found = mq.diagnose(
        unequal_model,
        calibration_data("fashion_dscnn"),
        test={"x": x[:500], "y": y[:500]},
        per_tensor=True,
    )
    named = {fault.layer for fault in found.faults if fault.rule.startswith("unequal")}
    assert named == set(PLANTED)
    makers = {fault.layer for fault in found.faults if fault.rule == "coarse_weights"}
    assert makers <= set(PLANTED.values())
    assert found.faults[0].layer in PLANTED
