"""Each rule on a model in which its fault was planted: layer and remedy are right, others are spared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant.diagnosis import Diagnosis, Finding
from mcu_quant.diagnosis.rules import Context, find
from mcu_quant.evaluation.fidelity import Agreement, Fidelity
from mcu_quant.quantize_options import QuantizeOptions
from tests.diagnosis.planted import CHANNELS, Planted, data


def faults(found: Diagnosis, rule: str) -> list[Finding]:
    return [finding for finding in found.faults if finding.rule == rule]


def notes(found: Diagnosis, rule: str) -> dict[str, Finding]:
    return {f.layer: f for f in found.findings if f.severity == "note" and f.rule == rule}


def layer(found: Diagnosis, name: str) -> object:
    return next(layer for layer in found.layers if layer.name == name)


@pytest.mark.parametrize("per_tensor", [False, True])
def test_healthy_model_has_no_fault(per_tensor: bool) -> None:
    found = mq.diagnose(Planted().model(), data(), test=data(seed=2), per_tensor=per_tensor)
    assert found.findings == ()
    assert found.observed.fidelity.sqnr_db is not None and found.observed.fidelity.sqnr_db > 25


def outlier_channel() -> Planted:
    """Channel 3 of early is 300 times as large; late undoes it, so that the float model is the same."""
    planted = Planted()
    planted.early[3] *= 300
    planted.early_bias[3] *= 300
    planted.late[..., 3] /= 300
    return planted


def test_outlier_channel_per_tensor() -> None:
    found = mq.diagnose(outlier_channel().model(), data(), per_tensor=True)
    (fault,) = faults(found, "unequal_weights")
    assert fault.layer == "early" and "per channel" in fault.remedy
    assert "int8" in fault.candidates
    assert found.faults[0].layer == "early"
    assert notes(found, "lost_channels").keys() >= {"early"}
    (late,) = faults(found, "coarse_weights")  # which has to undo it
    assert late.layer == "late" and "equalize the channels of the layer before" in late.remedy


def test_outlier_channel_of_an_activation() -> None:
    """With a scale per channel the weights are fine, and the activation has one scale still."""
    found = mq.diagnose(outlier_channel().model(), data())
    assert not faults(found, "unequal_weights")
    (fault,) = faults(found, "unequal_channels")
    assert fault.layer == "early" and "equalize" in fault.remedy
    assert found.faults[0].layer == "early"


def test_saturation_by_wrong_calibration_data() -> None:
    found = mq.diagnose(Planted().model(), 0.1 * data(), test=data(seed=2))
    clipped = faults(found, "clipped")
    assert "x" in [fault.layer for fault in clipped]
    assert all("calibrate with data like the test data" in fault.remedy for fault in clipped)
    assert {"clipped", "shifted"} >= {fault.rule for fault in found.faults if fault.layer == "x"}
    (x,) = (layer for layer in found.layers if layer.name == "x")
    assert x.saturation > 0.2


def test_calibration_data_of_another_scale() -> None:
    """0..255 where the model sees 0..1: nothing saturates, and no steps are left."""
    found = mq.diagnose(Planted().model(), 100 * data(), test=data(seed=2))
    assert "x" in [fault.layer for fault in faults(found, "unused_range")]
    assert not faults(found, "clipped")


def test_activation_outliers() -> None:
    x = data(256)
    x[17, 3, 3, 1] = 500.0
    found = mq.diagnose(Planted().model(), x)
    assert "x" in [fault.layer for fault in faults(found, "activation_outliers")]


def test_dead_channel() -> None:
    planted = Planted()
    planted.early[2], planted.early_bias[2] = 0.0, -1.0
    found = mq.diagnose(planted.model(), data())
    assert "channel 2 of 8" in notes(found, "dead_channels")["early"].evidence
    assert not notes(found, "constant_channels") and not found.faults


def test_constant_channel() -> None:
    planted = Planted()
    planted.early[5], planted.early_bias[5] = 0.0, 0.7
    found = mq.diagnose(planted.model(), data())
    assert "channel 5 of 8" in notes(found, "constant_channels")["early"].evidence
    assert not notes(found, "dead_channels") and not found.faults


def test_constant_input_channel_is_the_data_s_fault() -> None:
    x = data()
    x[..., 1] = 0.5
    remedy = notes(mq.diagnose(Planted().model(), x), "constant_channels")["x"].remedy
    assert "data may not be what the model will see" in remedy


def coarse_weights() -> tuple[Planted, np.ndarray]:
    """Input channel 0 is next to nothing and has the largest weights: they set every channel's scale."""
    planted = Planted()
    planted.early[..., 0] = 60.0
    x = data()
    x[..., 0] *= 1e-4
    planted.classify(x)
    return planted, x


def test_coarse_weights() -> None:
    planted, x = coarse_weights()
    found = mq.diagnose(planted.model(), x)
    (fault,) = faults(found, "coarse_weights")
    assert fault.layer == "early" and "adaround" in fault.remedy
    assert "equalize the channels of the layer before" in fault.remedy and "input channel" in fault.evidence
    assert found.faults[0].layer == "early"


def test_shift() -> None:
    """Inputs that hardly vary: what rounding does to the weights is a constant at the output."""
    planted, x = coarse_weights()
    x[..., 1:] = 2.0 + 0.02 * x[..., 1:]
    planted.classify(x)
    found = mq.diagnose(planted.model(), x)
    (fault,) = faults(found, "shifted")
    assert fault.layer == "early" and "bias correction" in fault.remedy


def test_sensitive_layer() -> None:
    """late adds 4,000 to what it says and scores takes it off again: late's steps are far too coarse.

    No figure of its own shows it: 59 dB. The weights of scores are whole steps, so that they are exact.
    """
    planted = Planted()
    step = np.abs(planted.scores).max(axis=1, keepdims=True) / 127
    planted.scores = step * np.round(planted.scores / step)
    planted.late_bias += 4000.0
    planted.scores_bias -= 4000.0 * planted.scores.sum(axis=1)
    found = mq.diagnose(planted.model(), data())
    assert [fault.layer for fault in faults(found, "sensitive")] == ["late"]
    assert found.faults[0].layer == "late"


def test_inputs_that_are_quantized_on_the_fly() -> None:
    """late is next to constant, at 4,000: what scores rounds it to is what it tells the classes by."""
    planted = Planted()
    planted.late_bias += 4000.0
    planted.scores_bias -= 4000.0 * planted.scores.sum(axis=1)
    found = mq.diagnose(planted.model(), data(), technique="dynamic")
    (fault,) = faults(found, "coarse_weights")
    assert fault.layer == "scores" and "inputs on the fly" in fault.evidence
    assert "--dynamic-range weights" in fault.remedy and "dynamic+weights" in fault.candidates


def test_loss_without_a_culprit() -> None:
    """A model that suffers although no layer stands out is told so, once, for the whole model."""
    found = mq.diagnose(Planted().model(), data())
    suffering = Fidelity(8.0, 0.16, Agreement(80, 100), None)
    assert not find(found.layers, Context(QuantizeOptions(), True, found.observed.fidelity))
    even = [replace(layer, noise_share=0.2) for layer in found.layers]
    (fault,) = find(even, Context(QuantizeOptions(), True, suffering))
    assert (fault.rule, fault.layer) == ("everywhere", "")


def test_layers_that_hurt_nobody_are_not_named() -> None:
    """The planted outlier does not count where the next layer does not read what it spoils."""
    planted = outlier_channel()
    planted.late[...] = 0.0
    planted.late_bias[:] = np.linspace(0.1, 1, CHANNELS)
    found = mq.diagnose(planted.model(), data(), per_tensor=True)
    assert "early" not in [fault.layer for fault in found.faults]
