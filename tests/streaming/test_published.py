"""Published models stream at hop 1: the window's bytes at every hop, for a fraction of its instructions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import UnsupportedModelError
from mcu_quant.pipeline import TfliteModel, board_named, load, profile, streamed, verify
from mcu_quant.samples import default_inputs
from tests.conftest import require_tools
from tests.keras_models import SHARED, needs_models
from tests.streaming.published import frames, keywords, wake_word

pytestmark = needs_models

MODELS: dict[str, Callable[[], TfliteModel]] = {
    "str_ww_ref_model": wake_word,
    "kws without padding": keywords,
}
HOPS = 500
STREAM = GenerateOptions(stream=1)


@pytest.mark.qemu
@pytest.mark.parametrize("name", MODELS)
def test_every_engine_gives_the_windows_bytes(name: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    model = streamed(MODELS[name](), STREAM)
    results = verify(model, ["host", "mps2_an386"], [frames(model, 1, HOPS)], STREAM)
    assert [result.engine for result in results] == ["window model", "host", "mps2_an386"]
    assert all(result.identical and result.samples == HOPS for result in results)


@pytest.mark.qemu
@pytest.mark.parametrize("name", MODELS)
def test_a_hop_takes_less_than_a_tenth_of_the_instructions(name: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    board, window = board_named("mps2_an386"), MODELS[name]()
    counts = [
        profile(model, board, default_inputs(model.graph, 1), GenerateOptions())["instructions"]
        for model in (streamed(window, STREAM), window)
    ]
    assert counts[0] <= 0.1 * counts[1]


@pytest.mark.parametrize("hop", [2, 3, 5])
def test_other_hops(hop: int) -> None:
    options = GenerateOptions(stream=1, hop=hop)
    model = streamed(wake_word(), options)
    (windows, host) = verify(model, ["host"], [frames(model, hop, 60)], options)
    assert windows.identical and host.identical


def test_kws_as_published_is_refused_with_the_reason() -> None:
    model = load(SHARED / "models" / "kws_ref_model.tflite")
    assert isinstance(model, TfliteModel)
    with pytest.raises(
        UnsupportedModelError, match="of its input's 25 rows, 0 to 5 and 18 to 24 see the padding"
    ):
        streamed(model, STREAM)
