"""Options that several verbs share, and the models that they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcu_quant.choices import (
    CALIBRATIONS,
    DYNAMIC_RANGES,
    IO_TYPES,
    KERNEL_CHOICES,
    METRICS,
    OPTIMIZE_MODES,
    REPAIRS,
    TECHNIQUES,
    WEIGHTS_CALIBRATIONS,
)

if TYPE_CHECKING:
    from mcu_quant.api import FloatModel
    from mcu_quant.deployment import GenerateOptions
    from mcu_quant.errors import McuQuantError
    from mcu_quant.pipeline import TfliteModel
    from mcu_quant.quantize_options import QuantizeOptions
    from mcu_quant.verify.serial_port import PortOptions

F = TypeVar("F", bound=Callable[..., Any])


class _FilePath(click.ParamType):
    """A path as pathlib has it; "" is refused, which pathlib takes for the current directory."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not str(value):
            self.fail("the path must not be empty", param, ctx)
        return Path(value)


class _Names(click.ParamType):
    """Names with commas between them, as a tuple."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(name.strip() for name in value.split(",")) if value else ()


_NAMES = _Names()
PATH = _FilePath()
MODEL = click.argument("model", type=PATH)
JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else there."
)
FORCE = click.option("--force", is_flag=True, help="Replace the output if it exists.")
RAW_OR_REAL = (
    "Integers are raw values of the input's type (or of a wider signed type, if all of them fit); floats are "
    "quantized on the way in."
)
INPUTS = click.option(
    "--inputs",
    type=PATH,
    help=f"A .npz file: inputs by the model's input names or in0, in1, …, as [N, …]. {RAW_OR_REAL}",
)

DATA = click.option(
    "--data",
    type=PATH,
    help="Calibration samples: a .npz file with x, or the inputs by name, as [N, …]. Integers are taken "
    "as real values (0..255 of images, say): scale them as in training. Token ids are whole "
    "numbers. A model that was trained with quantization (mcu_quant.prepare_qat) needs none.",
)
TEST = click.option(
    "--test",
    type=PATH,
    metavar="FILE",
    help="Test samples: a .npz file with x, or the inputs by name, and their labels as y.",
)
METRIC = click.option(
    "--metric",
    type=click.Choice(METRICS),
    help="What is measured with the labels; by default top1 for classes, mse for values.",
)
STREAMING = (
    click.option(
        "--stream",
        type=int,
        metavar="AXIS",
        help="The model takes a window of time along this axis of its input (0 is the batch): make one that"
        " takes the next frames and computes what these change.",
    ),
    click.option(
        "--hop", type=int, metavar="N", help="With --stream: frames that come at once.  [default: 1]"
    ),
)
_IO_TYPE = click.Choice(IO_TYPES)
_QUANTIZING = (
    DATA,
    click.option(
        "--technique",
        type=click.Choice(TECHNIQUES),
        default="int8",
        show_default=True,
        help="What activations become; int16x8 keeps int8 weights. float32, float16 (weights as halves) and "
        "dynamic (int8 weights) keep activations in float32 and need no --data.",
    ),
    click.option(
        "--calibration",
        metavar="METHOD",
        default="minmax",
        show_default=True,
        help=f"How ranges are found in the samples: {', '.join(CALIBRATIONS)}, or percentile=99.9.",
    ),
    click.option(
        "--weights-calibration",
        type=click.Choice(WEIGHTS_CALIBRATIONS),
        default="minmax",
        show_default=True,
        help="How far weights reach: to the largest, or as far as their squared error is least.",
    ),
    click.option(
        "--repair",
        "repairs",
        type=_NAMES,
        default="",
        help=f"What to do about lost accuracy, without training: any of {', '.join(REPAIRS)}, with commas.",
    ),
    click.option(
        "--per-tensor",
        is_flag=True,
        help="One scale for all of a layer's weights, instead of one per channel.",
    ),
    click.option("--input-type", type=_IO_TYPE, help="By default the type of activations."),
    click.option("--output-type", type=_IO_TYPE, help="By default the type of activations."),
    click.option(
        "--dynamic-range",
        type=click.Choice(DYNAMIC_RANGES),
        help="Of dynamic. hybrid (default): the input of each layer is quantized as it comes, sums are of "
        "integers. weights: int8 is only how weights are stored.",
    ),
    click.option(
        "--recipe",
        type=PATH,
        metavar="FILE",
        help="A TOML file with the techniques of layers, by their names or patterns of names: [layers], then "
        '"conv*" = "int16x8". Other layers have that of --technique.',
    ),
    click.option(
        "--allow-float",
        is_flag=True,
        help="Compute layers that have no integer form in float32, instead of refusing the model.",
    ),
)
_GENERATING = (
    click.option(
        "--optimize",
        type=click.Choice(OPTIMIZE_MODES),
        default="balanced",
        show_default=True,
        help="What the C code is made for.",
    ),
    click.option(
        "--kernels",
        type=click.Choice(KERNEL_CHOICES),
        default="auto",
        show_default=True,
        help="The core's fastest kernels, or plain C.",
    ),
    click.option(
        "--keep-constant-channels",
        is_flag=True,
        help="Compute also channels that have one value for every input.",
    ),
    click.option("--keep-input", is_flag=True, help="The run leaves the input as it was."),
    click.option(
        "--ram",
        type=click.IntRange(min=1),
        metavar="BYTES",
        help="What the arena may take: slower kernels and layers in bands of rows make it fit, or exit 3 with"
        " the least that was found.",
    ),
    click.option(
        "--placement",
        type=PATH,
        metavar="FILE",
        help="A TOML file that says which linker section the weights of each layer go to.",
    ),
    *STREAMING,
)
_QUANTIZING_NAMES = (
    "data",
    "technique",
    "calibration",
    "weights_calibration",
    "repairs",
    "per_tensor",
    "input_type",
    "output_type",
    "dynamic_range",
    "recipe",
    "allow_float",
)
#: Flags that are not the name of what they set.
_FLAGS = {"repairs": "repair"}
_PORTING = (
    click.option(
        "--port",
        metavar="PORT",
        help="The serial port where the board is, with the firmware that `mcu-quant flash` puts there: "
        "/dev/ttyACM0, COM3, or a URL like socket://localhost:5555. Without it, QEMU is the board.",
    ),
    click.option("--baud", type=click.IntRange(min=1), help="Of the port; by default what the board has."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        default=4.0,
        show_default=True,
        help="How long the board at the port may be silent, beside the time of a run.",
    ),
)
_PORTING_NAMES = ("port", "baud", "timeout")
_GENERATING_NAMES = (
    "optimize",
    "kernels",
    "keep_constant_channels",
    "keep_input",
    "ram",
    "placement",
    "stream",
    "hop",
)


def quantizing(function: F) -> F:
    """quantize's options, as one keyword argument `quantizing` (a dict)."""
    return _grouped(function, "quantizing", _QUANTIZING, _QUANTIZING_NAMES)


def generating(function: F) -> F:
    """The generating options, as one keyword argument `generating` (a dict)."""
    return _grouped(function, "generating", _GENERATING, _GENERATING_NAMES)


def porting(function: F) -> F:
    """--port and what belongs to it, as one keyword argument `porting` (a dict)."""
    return _grouped(function, "porting", _PORTING, _PORTING_NAMES)


def streaming(function: F) -> F:
    """--stream and --hop alone."""
    for option in reversed(STREAMING):
        function = option(function)
    return function


def _grouped(function: F, group: str, options: tuple[Callable[[Any], Any], ...], names: tuple[str, ...]) -> F:
    from functools import wraps

    @wraps(function)
    def inner(**arguments: Any) -> Any:
        arguments[group] = {name: arguments.pop(name) for name in names}
        return function(**arguments)

    wrapped: Any = inner
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def generate_options(generating: dict[str, Any]) -> GenerateOptions:
    from mcu_quant.deployment import GenerateOptions
    from mcu_quant.sections import UNPLACED, read_placement

    file = generating["placement"]
    placement = UNPLACED if file is None else read_placement(file)
    return GenerateOptions(**{**generating, "placement": placement})


def load_to_generate(
    path: Path, quantizing: dict[str, Any], chosen: GenerateOptions, name: str | None = None
) -> TfliteModel:
    """load_integer_model, streaming if --stream says so."""
    from mcu_quant import pipeline

    return pipeline.streamed(load_integer_model(path, quantizing, name), chosen)


def port_options(porting: dict[str, Any]) -> PortOptions | None:
    """None without --port, which the others need."""
    from mcu_quant.verify.serial_port import PortOptions

    if porting["port"] is not None:
        return PortOptions(**porting)
    given = [f"--{name}" for name in _PORTING_NAMES if name != "port" and _is_given(name)]
    if given:
        raise click.UsageError(f"{' and '.join(given)} belongs to --port PORT")
    return None


def _is_given(name: str) -> bool:
    """Whether the command line has the option, the default's value too."""
    from click.core import ParameterSource

    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def load_integer_model(path: Path, quantizing: dict[str, Any], name: str | None = None) -> TfliteModel:
    """The .tflite file; or a float model quantized with --data."""
    from mcu_quant import pipeline
    from mcu_quant.c_names import c_name

    model = pipeline.load(path, name)
    if isinstance(model, pipeline.TfliteModel):
        _refuse_quantizing(path, quantizing)
        return model
    return quantize_graph(model, path, quantizing, name or c_name(path.stem))


def files_read(model: Path, quantizing: dict[str, Any]) -> tuple[Path | None, ...]:
    """What no output may replace: the model, and the files that quantize's options name."""
    return (model, quantizing["data"], quantizing["recipe"])


def quantize_options(quantizing: dict[str, Any]) -> QuantizeOptions:
    """All but --data, the recipe read."""
    from mcu_quant.quantize_options import QuantizeOptions
    from mcu_quant.recipe import read_recipe

    options = {name: value for name, value in quantizing.items() if name != "data"}
    file = options["recipe"]
    return QuantizeOptions(**{**options, "recipe": None if file is None else read_recipe(file)})


def quantize_graph(graph: Any, path: Path, quantizing: dict[str, Any], name: str) -> TfliteModel:
    from dataclasses import replace

    from mcu_quant import pipeline
    from mcu_quant.cli._output import note, progress
    from mcu_quant.samples import CalibrationFile

    data, chosen = quantizing["data"], quantize_options(quantizing)
    if chosen.is_float:
        if data is not None:
            note(f"{' and '.join(chosen.techniques)} needs no calibration: {data} is not read")
        return replace(pipeline.quantize(graph, (), chosen), name=name)
    if graph.trained is not None:
        return replace(_quantize_trained(graph, path, data, chosen), name=name)
    if data is None:
        raise needs_data(path)
    samples = CalibrationFile(data, graph)
    with progress("calibrating", samples.count) as advance:
        model = pipeline.quantize(graph, samples, chosen, progress=lambda done, _: advance(done))
    return replace(model, name=name)


def _quantize_trained(graph: Any, path: Path, data: Path | None, chosen: QuantizeOptions) -> TfliteModel:
    from mcu_quant import pipeline
    from mcu_quant.cli._output import note

    if data is not None:
        note(f"{path} was trained with quantization: its own ranges are taken, and --data is not looked at")
    return pipeline.quantize(graph, (), chosen)


def needs_data(path: Path) -> McuQuantError:
    """What is raised where a float model comes without calibration samples."""
    from mcu_quant.errors import InvalidInputError

    return InvalidInputError(
        "a float model is quantized first, and that needs calibration samples",
        layer=str(path),
        hint="--data CALIB.npz with 100 to 500 samples as x, made by numpy.savez",
    )


def float_model(path: Path) -> FloatModel:
    """A float model by its path; a .tflite file is refused."""
    from mcu_quant import api

    return api.float_model(path)


def named_files(paths: Sequence[Path]) -> dict[str, Path]:
    """Files by their names without suffix, which must differ."""
    from mcu_quant.errors import InvalidInputError

    named = {path.stem: path for path in paths}
    if len(named) != len(paths):
        raise InvalidInputError("the files' names must differ", value=", ".join(map(str, paths)))
    return named


def _refuse_quantizing(path: Path, quantizing: dict[str, Any]) -> None:
    """Whatever the command line says, the default too: who writes --technique int8 expects integers."""
    from mcu_quant.errors import InvalidInputError

    given = [name for name in quantizing if _is_given(name)]
    if given:
        raise InvalidInputError(
            "a .tflite file is taken as it is, not quantized",
            layer=str(path),
            value=", ".join(f"--{_FLAGS.get(name, name.replace('_', '-'))}" for name in given),
            hint="the command without it, or the .keras model that the file was made from",
        )
