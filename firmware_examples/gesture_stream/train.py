"""Train the classifier of gestures on streams of a simulated accelerometer.

python train.py [DIRECTORY]    writes gesture.tflite there (by default beside this file)

Streams come from imu.c and motion.c, compiled for this computer: what the model learns is, bit for
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
NAMES = ("none", "swipe", "circle", "shake")
WINDOW, HOP, AXES = 64, 16, 3


def compiled(*sources: str) -> ctypes.CDLL:
    library = Path(tempfile.mkdtemp()) / "sensor.so"
    command = [os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", library]
    subprocess.run([*command, *(HERE / name for name in sources)], check=True)
    return ctypes.CDLL(str(library))


def stream(library: ctypes.CDLL, gestures: int, seed: int) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """[samples, AXES] float32 in g, without gravity, and (first sample, last, gesture) of each gesture."""
    imu, motion = (ctypes.c_uint32 * 16)(), (ctypes.c_int32 * AXES)()
    generator = np.random.default_rng(seed)
    library.imu_start(imu, seed)
    samples: list[np.ndarray] = []
    performed = []
    for gesture in generator.integers(1, len(NAMES), gestures):
        for now in (0, int(gesture)):
            duration = library.imu_perform(imu, now)
            if now:
                performed.append((len(samples), len(samples) + duration - 1, now))
            for _ in range(duration):
                sample = np.zeros(AXES, np.int16)
                library.imu_read(imu, sample.ctypes)
                library.motion_filter(motion, sample.ctypes)
                samples.append(sample)
    return (np.array(samples) / 1000).astype(np.float32), performed


def windows(library: ctypes.CDLL, gestures: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """[N, WINDOW, AXES] and what each shows: a gesture if it is there whole, or nearly so.

    A part of a gesture is none: it might become another one. Windows between the two are left out.
    """
    samples, performed = stream(library, gestures, seed)
    label = np.zeros(len(samples), np.int64)
    inside = np.zeros(len(samples))
    for first, last, gesture in performed:
        label[first : last + 1] = gesture
        inside[first : last + 1] = 1 / min(last - first + 1, WINDOW * 3 // 4)
    starts = np.arange(2 * WINDOW, len(samples) - WINDOW, HOP // 4)
    x, y = [], []
    for start in starts:
        seen = slice(start, start + WINDOW)
        parts = [inside[seen][label[seen] == gesture].sum() for gesture in range(1, len(NAMES))]
        if max(parts) >= 0.9 or max(parts) < 0.6:
            x.append(samples[seen])
            y.append(1 + int(np.argmax(parts)) if max(parts) >= 0.9 else 0)
    return np.array(x), np.array(y)


def trained(x: np.ndarray, y: np.ndarray) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((WINDOW, AXES), name="acceleration"),
            layers.Conv1D(12, 7, strides=2, activation="relu", name="strokes"),
            layers.Conv1D(16, 5, strides=2, activation="relu", name="motions"),
            layers.GlobalMaxPooling1D(name="strongest"),
            layers.Dense(len(NAMES), activation="softmax", name="gesture"),
        ],
        name="gesture",
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=25, batch_size=64, verbose=0)
    return model


def main(output: Path) -> None:
    library = compiled("imu.c", "motion.c")
    x, y = windows(library, 400, seed=1)
    model = trained(x, y)
    quantized = mq.quantize(model, representative_dataset=x[::20])
    test_x, test_y = windows(library, 100, seed=2)
    right = quantized.predict(test_x).argmax(axis=1) == test_y
    shown = ", ".join(f"{name} {right[test_y == i].mean():.1%}" for i, name in enumerate(NAMES))
    print(f"test: {right.mean():.1%} of {len(test_y)} windows right ({shown})")
    quantized.save(output / "gesture.tflite", force=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
