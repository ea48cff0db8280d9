"""Train the model of `mcu-quant demo` on scikit-learn's handwritten digits, and quantize it.

python train.py [DIRECTORY]    writes digits.tflite there (by default beside this file)

Needs `pip install 'mcu-quant[demo]'`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

import mcu_quant as mq
from mcu_quant import demo_training

HERE = Path(__file__).resolve().parent


def main(output: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo_training.train(Path(folder))
        with np.load(Path(folder) / "digits.npz") as data:
            calibration, x, y = data["calibration"], data["x"], data["y"]
        quantized = mq.quantize(Path(folder) / "digits.keras", representative_dataset=calibration)
    right = quantized.predict(x).argmax(axis=1) == y
    print(f"test: {right.mean():.1%} of {len(y)} pictures right")
    quantized.save(output / "digits.tflite", force=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
