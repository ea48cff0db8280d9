"""Of the kernels of layers with states of their own."""

from __future__ import annotations

from tests.kernels.guards.guard import Guard
from tests.ops import test_svdf
from tests.ops import test_unidirectional_sequence_lstm as lstm
from tests.ops.int16 import as_int16

_FEW = "there are too few inputs and units to take four at once"
_SHORT = lstm.case("guard", (2, 3, 3), keeps=False, samples=2)


def _wide(size: int) -> lstm.Case:
    return as_int16(lstm.case("guard", (1, size, 4), keeps=False, fill=127, weights=(0.01, 0.01), samples=2))


GUARDS = [
    *(
        Guard("lstm_s8_dsp", _FEW, _SHORT, lstm.case("guard", (2, *sizes), keeps=False, samples=2))
        for sizes in ((4, 3), (3, 4))
    ),
    *(
        Guard(
            "lstm_s16_dsp",
            _FEW,
            as_int16(_SHORT),
            as_int16(lstm.case("guard", (2, *sizes), keeps=False, samples=2)),
        )
        for sizes in ((4, 3), (3, 4))
    ),
    # 2**31 / (127 * 2**15) is 516.03.
    Guard("lstm_s16_dsp", "its sums may leave 32 bits", _wide(517), _wide(516)),
    *(
        Guard(
            "svdf_s8_dsp",
            "its frames and memories are too short to take several values at once",
            test_svdf.case("guard", (3, 2, 1, 3)),
            test_svdf.case("guard", sizes),
            runs=False,
        )
        for sizes in ((4, 2, 1, 3), (3, 2, 1, 4))
    ),
]
