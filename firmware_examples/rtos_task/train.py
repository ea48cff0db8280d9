"""Train the classifier of electrical loads on the simulated current sensor.

python train.py [DIRECTORY]    writes load.tflite there (by default beside this file)

Currents come from mains.c, compiled for this computer: what the model learns is, bit for
bit, what it will see on the chip. Needs a C compiler (CC) and `pip install 'mcu-quant[tensorflow]'`.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np

import mcu_quant as mq

HERE = Path(__file__).resolve().parent
NAMES = ("off", "heater", "motor", "dimmer", "supply")
WINDOW = 128


def compiled(*sources: str) -> ctypes.CDLL:
    library = Path(tempfile.mkdtemp()) / "sensor.so"
    command = [os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", library]
    subprocess.run([*command, *(HERE / name for name in sources)], check=True)
    return ctypes.CDLL(str(library))


def windows(library: ctypes.CDLL, loads: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """[N, WINDOW, 1] float32 in A, and the load of each: four windows of every load that is plugged in."""
    mains = (ctypes.c_uint32 * 16)()
    generator = np.random.default_rng(seed)
    library.mains_start(mains, seed)
    x, y = [], []
    for load in generator.integers(0, len(NAMES), loads):
        library.mains_connect(mains, int(load))
        for _ in range(4):
            x.append([library.mains_read(mains) for _ in range(WINDOW)])
            y.append(load)
    return (np.array(x, np.float32) / 1000)[..., None], np.array(y)


def trained(x: np.ndarray, y: np.ndarray) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((WINDOW, 1), name="current"),
            layers.Conv1D(12, 9, strides=2, activation="relu", name="edges"),
            layers.Conv1D(16, 5, strides=2, activation="relu", name="shapes"),
            layers.GlobalAveragePooling1D(name="mean"),
            layers.Dense(len(NAMES), activation="softmax", name="load"),
        ],
        name="load",
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=20, batch_size=64, verbose=0)
    return model


def main(output: Path) -> None:
    library = compiled("mains.c")
    library.mains_read.restype = ctypes.c_int16
    x, y = windows(library, 1000, seed=1)
    quantized = mq.quantize(trained(x, y), representative_dataset=x[::20])
    test_x, test_y = windows(library, 300, seed=2)
    right = quantized.predict(test_x).argmax(axis=1) == test_y
    shown = ", ".join(f"{name} {right[test_y == i].mean():.1%}" for i, name in enumerate(NAMES))
    print(f"test: {right.mean():.1%} of {len(test_y)} windows right ({shown})")
    quantized.save(output / "load.tflite", force=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
