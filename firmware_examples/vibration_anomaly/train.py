"""Train the detector: an autoencoder on spectra of a healthy bearing, and the threshold of its alarm.

python train.py [DIRECTORY]    writes vibration.tflite and calibration.h there (by default beside this file)

Signals and features come from sensor.c and spectrum.c, compiled for this computer: what the model learns is,
bit for bit, what it will see on the chip. Needs a C compiler (CC) and `pip install 'mcu-quant[tensorflow]'`.
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
SAMPLES, BANDS = 2048, 32
HEALTHY = 0
#: How far above all validation windows the threshold is.
MARGIN = 1.1
#: Windows above the threshold, one after the other, that raise the alarm.
IN_A_ROW = 3


def compiled(*sources: str) -> ctypes.CDLL:
    library = Path(tempfile.mkdtemp()) / "sensor.so"
    command = [os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", library]
    subprocess.run([*command, *(HERE / name for name in sources)], check=True)
    return ctypes.CDLL(str(library))


def spectra(library: ctypes.CDLL, windows: int, severity: int, seed: int) -> np.ndarray:
    """[windows, BANDS] float32: log2 of the bands' energies, of consecutive windows of one machine."""
    machine = (ctypes.c_uint32 * 16)()
    samples, levels = np.zeros(SAMPLES, np.int16), np.zeros((windows, BANDS), np.int16)
    library.machine_start(machine, seed)
    for row in levels:
        library.sensor_read(machine, severity, samples.ctypes, SAMPLES)
        library.spectrum(samples.ctypes, row.ctypes)
    return (levels / 16).astype(np.float32)


def trained(x: np.ndarray) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((BANDS,), name="levels"),
            layers.Dense(16, activation="relu", name="encoder"),
            layers.Dense(4, activation="relu", name="code"),
            layers.Dense(16, activation="relu", name="decoder"),
            layers.Dense(BANDS, name="reconstruction"),
        ],
        name="vibration",
    )
    model.compile(keras.optimizers.Adam(0.003), "mse")
    model.fit(x, x, epochs=40, batch_size=64, verbose=0)
    return model


def scores(quantized: mq.QuantizedModel, x: np.ndarray) -> np.ndarray:
    """The mean squared error of each window's reconstruction by the integer model."""
    return np.mean((quantized.predict(x) - x) ** 2, axis=1)


def alarms(above: np.ndarray) -> np.ndarray:
    """Where IN_A_ROW windows in a row are above the threshold, the last of them."""
    row = np.lib.stride_tricks.sliding_window_view(above, IN_A_ROW).all(axis=1)
    return np.flatnonzero(row) + IN_A_ROW - 1


def header(normal: np.ndarray, threshold: float) -> str:
    levels = [str(round(16 * level)) for level in normal]
    lines = ",\n    ".join(", ".join(levels[i : i + 16]) for i in range(0, BANDS, 16))
    return f"""/* SPDX-License-Identifier: 0BSD
 *
 * Written by train.py.
 */
#ifndef CALIBRATION_H
#define CALIBRATION_H

#include "spectrum.h"

/* The mean levels of a healthy machine. The model sees what differs from them. */
static const int16_t normal_levels[SPECTRUM_BANDS] = {{
    {lines},
}};

/* {MARGIN:g} times the largest score of the validation windows. */
#define ALARM_SCORE {threshold:.3f}f
/* So many windows in a row above it raise the alarm. */
#define ALARM_WINDOWS {IN_A_ROW}

#endif
"""


def main(output: Path) -> None:
    library = compiled("sensor.c", "spectrum.c")
    training = np.concatenate([spectra(library, 500, HEALTHY, seed) for seed in range(8)])
    normal = np.round(16 * training.mean(axis=0)) / 16
    model = trained(training - normal)
    quantized = mq.quantize(model, representative_dataset=training[::10] - normal)

    validation = [spectra(library, 500, HEALTHY, seed) - normal for seed in range(100, 104)]
    threshold = MARGIN * float(np.max([scores(quantized, x) for x in validation]))
    print(f"threshold {threshold:.3f}: {MARGIN:g} times the largest score of 2000 validation windows")

    tested = [spectra(library, 1000, HEALTHY, seed) - normal for seed in range(200, 205)]
    above = [scores(quantized, x) > threshold for x in tested]
    raised = sum(len(alarms(windows)) for windows in above)
    print(f"test, healthy: {np.sum(above)} of 5000 windows above it, {raised} alarms")
    for severity in (5, 10, 15, 20, 25):
        found = scores(quantized, spectra(library, 500, severity, 300 + severity) - normal) > threshold
        print(f"test, defect of severity {severity}: {found.mean():.1%} of windows above it")

    quantized.save(output / "vibration.tflite", force=True)
    (output / "calibration.h").write_text(header(normal, threshold), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
