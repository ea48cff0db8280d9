"""Train the models of docs/QUANTIZATION.md with quantization, two epochs each (minutes).

    python tools/train_quantized.py DIRECTORY [MODEL ...]

Writes DIRECTORY/MODEL_qat.keras, for tools/quantization_tables.py --qat DIRECTORY.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
from measure import SHARED
from quantization_data import MODELS

import mcu_quant as mq

#: Where the rates begin. The models are trained already: much smaller than at first.
RATES = {"pretrainedResnet": 1e-5, "fashion_dscnn": 1e-4, "fsdd_dscnn": 1e-4}
EPOCHS, BATCH = 2, 64


def train(name: str, directory: Path) -> None:
    keras.utils.set_random_seed(1)
    x, labels = MODELS[name]().train
    model = mq.prepare_qat(SHARED / "models" / f"{name}.keras")
    steps = EPOCHS * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(RATES[name], steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, labels, epochs=EPOCHS, batch_size=BATCH, verbose=2)
    model.save(directory / f"{name}_qat.keras")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(MODELS))
    chosen = parser.parse_args()
    chosen.directory.mkdir(parents=True, exist_ok=True)
    for name in chosen.models or list(MODELS):
        train(name, chosen.directory)


if __name__ == "__main__":
    main()
