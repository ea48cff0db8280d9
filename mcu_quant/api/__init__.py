"""The Python interface: what the command line does, one call each. `import mcu_quant` has these names."""

from mcu_quant.api.diagnosing import compare, diagnose
from mcu_quant.api.generating import Generated, generate
from mcu_quant.api.models import FloatModel, QuantizedModel, float_model, load
from mcu_quant.api.quantizing import quantize
from mcu_quant.api.training import freeze_statistics, load_qat, prepare_qat

__all__ = [
    "FloatModel",
    "Generated",
    "QuantizedModel",
    "compare",
    "diagnose",
    "float_model",
    "freeze_statistics",
    "generate",
    "load",
    "load_qat",
    "prepare_qat",
    "quantize",
]
