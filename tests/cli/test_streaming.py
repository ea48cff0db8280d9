"""--stream and --hop on the command line and in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcu_quant as package
from mcu_quant.errors import BitsDifferError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Streaming
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.streaming.windows import run_windows
from tests.cli.conftest import only_json
from tests.conftest import Run, require_tools
from tests.streaming.models import Model, frames

HOPS = 30


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 12 frames: two convolutions and a mean."""
    path = tmp_path_factory.mktemp("streaming") / "window.tflite"
    model = Model().conv("a", 3, stride=2).conv("b", 3).layer("mean", "mean", ReductionAttrs((1, 2)))
    path.write_bytes(write_tflite(model.graph()))
    return path


def expected(window: Path, hop: int) -> np.ndarray:
    graph = read_tflite(window.read_bytes(), "window")
    (outputs,) = run_windows(graph, Streaming(1, hop, 12, (None,)), frames(HOPS, hop))
    return outputs.reshape(HOPS, -1)


@pytest.mark.parametrize("engine", ["reference", "host"])
@pytest.mark.parametrize("hop", [1, 3])
def test_run_takes_hop_after_hop(window: Path, engine: str, hop: int, mcu_quant: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", in0=frames(HOPS, hop)[:, 0])
    options = ("--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz", "--on", engine)
    done = mcu_quant("run", window, *options, "--stream", 1, "--hop", hop)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as outputs:
        np.testing.assert_array_equal(outputs["out0"].reshape(HOPS, -1), expected(window, hop))


def test_an_axis_that_saves_nothing_is_warned_of(mcu_quant: Run, window: Path) -> None:
    channels = mcu_quant("inspect", window, "--stream", 3)
    assert "saves nothing: each run computes all" in channels.stderr, channels.stderr
    assert "saves nothing" not in mcu_quant("inspect", window, "--stream", 1).stderr


def test_models_are_shown_in_a_line(window: Path) -> None:
    """Not as all their arrays."""
    shown = repr(package.load(window))
    assert shown.startswith("QuantizedModel('window', ") and shown.endswith(" bytes, 3 layers)")


def test_verify_asks_the_window_model_first(window: Path, mcu_quant: Run) -> None:
    done = mcu_quant("verify", window, "--stream", 1, "--json")
    facts = only_json(done)
    assert [engine["engine"] for engine in facts["engines"]] == ["window model", "host"]
    assert facts["identical"] and facts["samples"] == 26  # two windows, all-min and all-max


def test_verify_fails_where_streaming_is_wrong(
    window: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A slide that forgets one row: the reference, which C follows, is not the window model's."""
    from mcu_quant.ops.slide import SLIDE, Slide

    right = Slide.run_float
    generated = package.generate(window, target="generic", output_dir=tmp_path / "c", stream=1)
    monkeypatch.setattr(type(SLIDE), "run_float", lambda self, node, x: (np.roll(*right(self, node, x), 1),))
    with pytest.raises(BitsDifferError, match="window model: "):
        generated.verify(engines=[])


def test_inspect_says_how_it_streams(window: Path, mcu_quant: Run) -> None:
    facts = only_json(mcu_quant("inspect", window, "--stream", 1, "--hop", 2, "--json"))
    assert facts["streaming"] == {
        "axis": 1,
        "hop": 2,
        "window_frames": 12,
        "output_rows": [None],
        "whole_window": ["mean"],
    }
    assert facts["memory"]["state_bytes"] == sum((4, 3, 3)) * 2 + 4  # rows of 2 bytes, whole words
    text = mcu_quant("inspect", window, "--stream", 1, "--hop", 2).stdout
    assert "2 of 12 frames along axis 1" in text


def test_generate_writes_hop_and_window(window: Path, mcu_quant: Run, tmp_path: Path) -> None:
    options = ("--target", "generic", "-o", tmp_path / "c", "--stream", 1)
    assert mcu_quant("generate", window, *options).returncode == 0
    header = (tmp_path / "c" / "window.h").read_text()
    assert "--stream 1 --hop 1" in header
    assert "#define WINDOW_HOP 1" in header and "#define WINDOW_WINDOW 12" in header
    assert "the next frame along axis 1" in header and "void window_reset(void *state);" in header


@pytest.mark.slow
def test_profile_counts_the_state(window: Path, mcu_quant: Run) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    whole, hop = (
        only_json(mcu_quant("profile", window, "--board", "mps2_an386", "--json", *options))
        for options in ((), ("--stream", 1))
    )
    assert hop["memory"]["state_bytes"] > 0 and whole["memory"]["state_bytes"] == 0
    assert hop["instructions"] < whole["instructions"]


def test_python_has_the_same(window: Path, tmp_path: Path) -> None:
    generated = package.generate(window, target="generic", output_dir=tmp_path / "c", stream=1, hop=2)
    comparisons = generated.verify(frames(HOPS, 2))
    assert [found.engine for found in comparisons] == ["window model", "host"]
    assert all(found.identical and found.samples == HOPS for found in comparisons)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--stream", 0), "axis 0 is the batch"),
        (("--stream", 1, "--hop", 0), "--hop must be at least 1"),
        (("--stream", 1, "--hop", 99), "(seen: 99 of 12 frames)"),
        (("--hop", 2), "--hop is for models that stream"),
    ],
)
def test_what_cannot_be_is_refused(
    window: Path, options: tuple[object, ...], reason: str, refuses: Callable[..., str]
) -> None:
    assert reason in refuses("verify", window, *options)


def test_a_layer_that_cannot_stream_is_refused(refuses: Callable[..., str], tmp_path: Path) -> None:
    model = Model().conv("a", 3, padding="same").layer("mean", "mean", ReductionAttrs((1,)))
    (tmp_path / "same.tflite").write_bytes(write_tflite(model.graph()))
    error = refuses(
        "generate", tmp_path / "same.tflite", "--target", "generic", "-o", tmp_path / "c", "--stream", 1
    )
    assert "0 and 11 see the padding of" in error
    assert not (tmp_path / "c").exists()


def test_quantize_writes_a_file_that_streams(window: Path, mcu_quant: Run, tmp_path: Path) -> None:
    """Also of what is quantized already; run and generate then need no --stream."""
    output = tmp_path / "streaming.tflite"
    done = mcu_quant("quantize", window, "-o", output, "--stream", 1, "--hop", 2)
    assert done.returncode == 0, done.stderr
    np.savez(tmp_path / "in.npz", in0=frames(HOPS, 2)[:, 0])
    options = ("--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz", "--on", "host")
    assert mcu_quant("run", output, *options).returncode == 0
    with np.load(tmp_path / "out.npz") as outputs:
        np.testing.assert_array_equal(outputs["out0"].reshape(HOPS, -1), expected(window, 2))


def test_a_float_model_is_quantized_and_streams(files: Path, refuses: Callable[..., str]) -> None:
    """dense.keras has one axis beside the batch: it is read, quantized and then refused for no frames."""
    options = ("--data", files / "x.npz", "-o", files / "streaming.tflite", "--stream", 2)
    assert "--stream must be an axis" in refuses("quantize", files / "dense.keras", *options)
    assert not (files / "streaming.tflite").exists()


def test_quantize_still_refuses_a_quantized_file(
    window: Path, refuses: Callable[..., str], tmp_path: Path
) -> None:
    refuses("quantize", window, "-o", tmp_path / "again.tflite")


def test_python_streams_a_quantized_model(window: Path) -> None:
    model = package.load(window)
    assert isinstance(model, package.QuantizedModel)
    streaming = model.streaming(1, 3)
    assert (
        streaming.predict_raw(frames(HOPS, 3)[:, 0]).reshape(HOPS, -1).tolist()
        == expected(window, 3).tolist()
    )
    assert len(streaming.tflite) > 0 and streaming.tflite != model.tflite
