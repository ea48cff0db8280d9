"""The Python interface: what the command line does, one call each. `import mcu_quant` has these names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from mcu_quant import pipeline, samples
from mcu_quant.boards import Board
from mcu_quant.c_names import c_name, check_c_name
from mcu_quant.choices import RANGE_KINDS, require_choice
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import BitsDifferError, InvalidInputError, ToolMissingError
from mcu_quant.ir import Graph
from mcu_quant.outputs import check_directory, write_directory, write_file
from mcu_quant.recipe import Recipe, read_recipe, recipe_of
from mcu_quant.sections import UNPLACED, Placement, placement_of, read_placement
from mcu_quant.verify.compare import Comparison

if TYPE_CHECKING:
    from mcu_quant.comparison import Comparison as ComparedTechniques
    from mcu_quant.diagnosis import Diagnosis
    from mcu_quant.evaluation.metrics import UserMetric

Array = np.ndarray
#: progress(what is being done, samples done, samples in all).
PhaseProgress = Callable[[str, int, int], None]
#: Inputs: an array [N, …] (one input), a list with one array per input, or a dict of them by input name.
Inputs = Array | Sequence[Array] | Mapping[str, Array]


@dataclass(frozen=True)
class FloatModel:
    """A float model, as imported."""

    graph: Graph
    name: str

    def predict(self, x: Inputs) -> Array | list[Array]:
        """The float outputs, [N, …] each."""
        from mcu_quant.ops.interpreter import run_graph
        from mcu_quant.passes import prepare

        graph = prepare(self.graph)
        return _unpacked(run_graph(graph, _inputs(x, graph)))


@dataclass(frozen=True)
class QuantizedModel:
    """A model ready to be generated: the bytes of a .tflite file, and their meaning."""

    model: pipeline.TfliteModel

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def tflite(self) -> bytes:
        return self.model.data

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the .tflite file. force: replace what is there."""
        output = _output_path(path)
        write_file(output, self.model.data, force=force)
        return output

    def predict(self, x: Inputs) -> Array | list[Array]:
        """Real values (float32) of the outputs. Floats are quantized on the way in, raw integers are not."""
        tensors = self.model.graph.output_tensors()
        return _unpacked([samples.dequantize(y, t) for y, t in zip(self._run(x), tensors, strict=True)])

    def predict_raw(self, x: Inputs) -> Array | list[Array]:
        """The outputs' quantized bytes: what the chip will give."""
        return _unpacked(self._run(x))

    def _run(self, x: Inputs) -> list[Array]:
        engine = pipeline.engine_named("reference", self.model, GenerateOptions())
        return engine.run(_inputs(x, self.model.graph))


@dataclass(frozen=True)
class Generated:
    """A generated library or firmware project. path: its directory."""

    path: Path
    deployment: Deployment
    model: pipeline.TfliteModel
    board: str | None

    @property
    def arena_bytes(self) -> int:
        return self.deployment.plan.arena_bytes

    @property
    def fast_arena_bytes(self) -> int:
        """0 if the arena is in one piece."""
        return self.deployment.plan.fast_arena_bytes

    def verify(self, inputs: Inputs | None = None, engines: Sequence[str] | None = None) -> list[Comparison]:
        """Check engines against the reference; BitsDifferError if one differs.

        inputs: by default seeded random samples, all-min and all-max. engines: by default `host`, and
        the board that the project is for.
        """
        names = list(engines) if engines is not None else ["host"] + ([self.board] if self.board else [])
        arrays = self._inputs(inputs, 8)
        results = pipeline.verify(self.model, names, arrays, self.deployment.options)
        different = [str(result) for result in results if not result.passed]
        if different:
            raise BitsDifferError("all engines must give the reference's bytes", value="; ".join(different))
        return results

    def profile(self, inputs: Inputs | None = None) -> dict[str, Any]:
        """Instructions, memory and flash on the project's board: the object of `profile --json`."""
        board = self._board()
        arrays = [x[:1] for x in self._inputs(inputs, 1)]
        return {"schema": 1, **pipeline.profile(self.model, board, arrays, self.deployment.options)}

    def certify(
        self, output_dir: str | Path, inputs: Inputs | None = None, *, force: bool = False
    ) -> dict[str, Any]:
        """Write the certificate (`profile --certificate`): JSON, C header and picture of the arena.

        Returns what profile() returns. force: replace what is there.
        """
        board = self._board()
        path = _output_path(output_dir)
        check_directory(path, force=force)
        arrays = [x[:1] for x in self._inputs(inputs, 1)]
        facts, files = pipeline.certify(self.model, board, arrays, self.deployment.options)
        write_directory(path, files, {"model": facts["model"], "board": board.name}, force=force)
        return {"schema": 1, **facts}

    def _board(self) -> Board:
        if self.board is None:
            raise InvalidInputError(
                "a library for a core cannot be profiled",
                value=self.deployment.core.name,
                hint="generate(board=…)",
            )
        return pipeline.board_named(self.board)

    def _inputs(self, inputs: Inputs | None, count: int) -> list[Array]:
        graph = self.model.graph
        return samples.default_inputs(graph, count) if inputs is None else _inputs(inputs, graph)


def load(source: Any, *, name: str | None = None) -> FloatModel | QuantizedModel:
    """A model from a .keras, .h5 or .tflite file, a SavedModel directory, or a keras.Model.

    .keras and .h5 are read without TensorFlow. name: the C prefix; by default from the file's name.
    """
    if name is not None:
        chosen = check_c_name(name)
    else:
        chosen = c_name(Path(source).stem if isinstance(source, (str, Path)) else getattr(source, "name", ""))
    loaded = pipeline.load(source)
    if isinstance(loaded, pipeline.TfliteModel):
        return QuantizedModel(replace(loaded, name=chosen))
    return FloatModel(loaded, chosen)


def quantize(
    model: Any,
    representative_dataset: Any = None,
    *,
    technique: str = "int8",
    calibration: str = "minmax",
    per_tensor: bool = False,
    input_type: str | None = None,
    output_type: str | None = None,
    weights_calibration: str = "minmax",
    repairs: Sequence[str] = (),
    dynamic_range: str | None = None,
    recipe: Recipe | Mapping[str, str] | str | Path | None = None,
    allow_float: bool = False,
    progress: pipeline.Progress | None = None,
) -> QuantizedModel:
    """Quantize a float model to integers; or, with a float technique, only its weights or nothing.

    model: what load() takes, or what it returned. representative_dataset: an array [N, …], a dict of
    arrays by input name, an iterable of samples, a TFLite-style generator function, or the path of a
    .npz file; none for a model that was trained with quantization (prepare_qat), which has its ranges, nor
    for techniques that keep activations in float32, which do not read it.
    technique: "int8"; "int16x8" (int16 activations, int8 weights); "float32", "float16" (weights as halves)
    or "dynamic" (int8 weights). calibration: how ranges of activations are found (see choices.py, or
    "percentile=99.9"); weights_calibration: "minmax" or "mse". repairs: of "equalize", "adaround" and
    "bias"; they run through the dataset several times. input_type, output_type: "int8", "uint8" (int8
    only), "int16" (int16x8 only) or "float32", or in a mix any; by default what activations are.
    dynamic_range: of "dynamic", "hybrid" (default) or "weights".
    recipe: layers' own techniques, {"conv*": "int16x8", "dense": "float32"} or the path of a TOML file that
    says so (recipe.py); technique is that of the other layers. allow_float: layers without an integer form
    are computed in float32, instead of an error. progress: called with the number of samples seen.
    """
    loaded = float_model(model)
    options = pipeline.QuantizeOptions(
        technique=technique,
        calibration=calibration,
        per_tensor=per_tensor,
        input_type=input_type,
        output_type=output_type,
        weights_calibration=weights_calibration,
        repairs=tuple(repairs),
        dynamic_range=dynamic_range,
        recipe=_recipe(recipe),
        allow_float=allow_float,
    )
    dataset = () if options.is_float else _dataset(representative_dataset, loaded)
    quantized = pipeline.quantize(loaded.graph, dataset, options, progress=progress)
    return QuantizedModel(replace(quantized, name=loaded.name))


def _recipe(given: Recipe | Mapping[str, str] | str | Path | None) -> Recipe | None:
    if given is None or isinstance(given, Recipe):
        return given
    return recipe_of(given) if isinstance(given, Mapping) else read_recipe(Path(given))


def _dataset(given: Any, model: FloatModel) -> Any:
    """The samples to calibrate with; nothing for a model that was trained with quantization."""
    if model.graph.trained is not None:
        if given is not None:
            warnings.warn(
                f"{model.name}: the model was trained with quantization: its own ranges are taken, and the "
                "representative dataset is not looked at.",
                UserWarning,
                stacklevel=3,
            )
        return ()
    if given is None:
        raise InvalidInputError(
            "a float model needs calibration samples to become int8",
            layer=model.name,
            hint="representative_dataset=x, 100 to 500 samples of the data that the model will see",
        )
    return samples.calibration_samples(given, model.graph)


def prepare_qat(
    model: Any,
    representative_dataset: Any = None,
    *,
    per_tensor: bool = False,
    ranges: str = "moving_average",
    freeze_after: int | None = None,
) -> Any:
    """A Keras 3 model, not compiled, that trains with int8 rounding: then quantize(model), without data.

    model: what load() takes, or what it returned. Weights are rounded per channel (per_tensor: per layer) to
    [-127, 127]; batch normalizations are folded and activations fused as they will be on the chip.
    ranges: of the activations, "moving_average" of the batches' or "learned" by gradient. They start from
    representative_dataset (as for quantize), or from the first batch. freeze_after: training batches after
    which ranges and batch-norm statistics stay as they are. Needs the tensorflow extra; the model is saved
    by its save() and read by load_qat. Raises McuQuantError as quantize does, and ToolMissingError.
    """
    require_choice("kind of ranges", ranges, RANGE_KINDS)
    if freeze_after is not None and freeze_after < 1:
        raise InvalidInputError(
            "statistics freeze after at least one batch", value=f"freeze_after={freeze_after}"
        )
    training = _training()
    loaded = model if isinstance(model, (FloatModel, QuantizedModel)) else load(model)
    if isinstance(loaded, QuantizedModel):
        raise InvalidInputError("the model must be a float model", layer=loaded.name, value="a .tflite file")
    options = training.TrainingOptions(per_tensor, ranges == "learned", freeze_after)
    prepared = training.training_model(loaded.graph, options)
    if representative_dataset is not None:
        training.calibrate_model(prepared, samples.calibration_samples(representative_dataset, loaded.graph))
    return prepared


def load_qat(path: str | Path) -> Any:
    """A model of prepare_qat from the .keras file that its save() wrote, with the state of its optimizer."""
    return _training().load_model(path)


def freeze_statistics(model: Any, frozen: bool = True) -> None:
    """Keep the ranges and batch-norm statistics of a model of prepare_qat as they are, in training too.

    frozen=False: let them move again. save() keeps the choice.
    """
    _training().freeze_statistics(model, frozen)


def _training() -> ModuleType:
    try:
        from mcu_quant import training
    except ImportError as error:
        raise ToolMissingError(
            "quantization-aware training needs Keras 3",
            value=error,
            hint="pip install 'mcu-quant[tensorflow]'",
        ) from error
    return training


def diagnose(
    model: Any,
    representative_dataset: Any,
    *,
    test: Any = None,
    metric: str | UserMetric | None = None,
    auto: bool = False,
    budget: int = 12,
    board: str | None = None,
    progress: PhaseProgress = lambda what, done, total: None,
    **options: Any,
) -> Diagnosis:
    """Quantize a float model and say what that did to each layer: `diagnose`.

    test: what figures are taken of, in place of the calibration samples: a .npz file, a dict with x and y,
    or samples. metric: "top1", "auc", "mse" or a function of (outputs, labels), larger is better.
    auto: try up to `budget` remedies on calibration data, measured on the board if one is given.
    options: quantize's (technique, calibration, repairs, …). Returns what as_json(), save_html() and its
    fields show.
    """
    from mcu_quant import diagnosis
    from mcu_quant.evaluation.datasets import dataset_of
    from mcu_quant.evaluation.metrics import metric_for
    from mcu_quant.evaluation.reference import reference_graph

    loaded = float_model(model)
    if "repairs" in options:
        options["repairs"] = tuple(options["repairs"])
    options["recipe"] = _recipe(options.get("recipe"))
    reference = reference_graph(loaded.graph)
    if representative_dataset is None:
        representative_dataset = test if loaded.graph.trained is not None else _dataset(None, loaded)
    calibration = dataset_of(representative_dataset, reference, "representative_dataset")
    tested = None if test is None else dataset_of(test, reference, "test")
    request = diagnosis.Request(
        graph=loaded.graph,
        name=loaded.name,
        options=pipeline.QuantizeOptions(**options),
        calibration=calibration,
        test=tested,
        metric=metric_for(metric, calibration if tested is None else tested),
        budget=budget if auto else 0,
        judging=metric_for(metric, calibration) if calibration.labels_shape is not None else None,
        board=None if board is None else pipeline.board_named(board),
    )
    return diagnosis.diagnose(request, progress)


def compare(
    model: Any,
    representative_dataset: Any = None,
    *,
    test: Any = None,
    board: str | None = None,
    techniques: Sequence[str] | None = None,
    metric: str | UserMetric | None = None,
    also: Mapping[str, QuantizedModel | FloatModel | str | Path] | None = None,
    max_loss: float = 1.0,
    input_type: str | None = None,
    output_type: str | None = None,
    generating: GenerateOptions | None = None,
    progress: PhaseProgress = lambda what, done, total: None,
) -> ComparedTechniques:
    """Quantize a float model by each technique and say what each costs and keeps: `compare`.

    representative_dataset: None if there is none, and then only techniques that need none are tried.
    test, metric: as for diagnose. techniques: TECHNIQUE[+per-tensor][+CALIBRATION][+REPAIR…] each; all by
    default. also: finished models, and models that were trained with quantization, by the name of their
    row. max_loss: what accuracy may be lost, percent.
    input_type, output_type: by default what each technique's activations are.
    """
    from mcu_quant import comparison
    from mcu_quant.evaluation.candidates import parse, side_by_side
    from mcu_quant.evaluation.datasets import dataset_of
    from mcu_quant.evaluation.metrics import metric_for
    from mcu_quant.evaluation.reference import reference_graph

    loaded = float_model(model)
    candidates = side_by_side() if techniques is None else [parse(name) for name in techniques]
    finished = {name: _finished(name, source) for name, source in (also or {}).items()}
    _require_distinct([candidate.name for candidate in candidates] + list(finished))
    chosen = None if board is None else pipeline.board_named(board)
    reference, data = reference_graph(loaded.graph), representative_dataset
    calibration = None if data is None else dataset_of(data, reference, "representative_dataset")
    tested = None if test is None else dataset_of(test, reference, "test")
    measured = calibration if tested is None else tested
    if measured is None and metric is not None:
        raise InvalidInputError("a metric needs samples with labels", value=metric, hint="test data with y")
    request = comparison.Request(
        graph=loaded.graph,
        candidates=candidates,
        options=_with_edges(input_type, output_type),
        calibration=calibration,
        test=tested,
        metric=None if measured is None else metric_for(metric, measured),
        board=chosen,
        generating=generating or GenerateOptions(),
        finished=finished,
        max_loss=max_loss,
    )
    return comparison.compare(request, progress)


def float_model(model: Any) -> FloatModel:
    """What load() takes, or what it returned, if it is a float model; else InvalidInputError."""
    loaded = model if isinstance(model, (FloatModel, QuantizedModel)) else load(model)
    if isinstance(loaded, QuantizedModel):
        where = str(model) if isinstance(model, (str, Path)) else loaded.name
        raise InvalidInputError(
            "the model must be a float Keras model",
            layer=where,
            value="a .tflite file",
            hint="the .keras model that it was made from; or `mcu-quant generate`, if it is an integer model",
        )
    return loaded


def _with_edges(input_type: str | None, output_type: str | None) -> pipeline.QuantizeOptions:
    """The usual options, with those types where they are given."""
    options = pipeline.QuantizeOptions()
    if input_type is not None:
        options = replace(options, input_type=input_type)
    return options if output_type is None else replace(options, output_type=output_type)


def _finished(name: str, source: QuantizedModel | FloatModel | str | Path) -> pipeline.TfliteModel:
    loaded = source if isinstance(source, (FloatModel, QuantizedModel)) else load(source)
    if isinstance(loaded, QuantizedModel):
        return loaded.model
    if loaded.graph.trained is not None:
        return quantize(loaded).model
    raise InvalidInputError(
        "what is compared as it is must be a .tflite file, or a model that was trained with quantization",
        layer=name,
    )


def _require_distinct(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInputError("each row of a comparison must have its own name", value=", ".join(twice))


def generate(
    model: QuantizedModel | str | Path,
    *,
    output_dir: str | Path,
    board: str | None = None,
    target: str | None = None,
    name: str | None = None,
    force: bool = False,
    optimize: str = "balanced",
    kernels: str = "auto",
    keep_constant_channels: bool = False,
    keep_input: bool = False,
    ram: int | None = None,
    placement: str | Path | Mapping[str, str] | None = None,
) -> Generated:
    """Write a C library for a core (target) or a firmware project for a board into output_dir.

    optimize ("time", "balanced", "size") to ram (the arena's limit in bytes): as on the command line.
    placement: the TOML file of --placement, or its table: layer name or pattern → linker section.
    """
    options = GenerateOptions(
        optimize, kernels, keep_constant_channels, keep_input, ram, _placement(placement)
    )
    prefix = None if name is None else check_c_name(name)
    loaded = model if isinstance(model, (FloatModel, QuantizedModel)) else load(model)
    if isinstance(loaded, FloatModel):
        raise InvalidInputError("the model must be quantized", layer=loaded.name, hint="mcu_quant.quantize")
    if (board is None) == (target is None):
        raise InvalidInputError(
            "give either a board or a target core", value=f"board={board}, target={target}"
        )
    path = _output_path(output_dir)
    check_directory(path, force=force)
    chosen = None if board is None else pipeline.board_named(board)
    core = pipeline.core_named(chosen.core if chosen is not None else str(target))
    deployment = pipeline.deploy(loaded.model, core, options, prefix, chosen)
    facts = pipeline.manifest_facts([deployment], chosen)
    write_directory(path, pipeline.render([deployment], chosen), facts, force=force)
    return Generated(path, deployment, loaded.model, board)


def _placement(source: str | Path | Mapping[str, str] | None) -> Placement:
    if source is None:
        return UNPLACED
    return placement_of(source) if isinstance(source, Mapping) else read_placement(Path(source))


def _inputs(x: Inputs, graph: Graph) -> list[Array]:
    tensors = graph.input_tensors()
    if isinstance(x, Mapping):
        arrays = [np.asarray(a) for a in samples.in_order(x, tensors, "inputs")]
    elif isinstance(x, (list, tuple)) and len(tensors) > 1:
        arrays = [np.asarray(a) for a in x]
    else:
        arrays = [np.asarray(x)]
    if len(arrays) != len(tensors):
        raise InvalidInputError(
            "there must be one array for each input", value=f"{len(arrays)} of {len(tensors)}"
        )
    return samples.prepare_inputs(arrays, tensors, [f"input {tensor.name}" for tensor in tensors])


def _output_path(path: str | Path) -> Path:
    if not str(path):
        raise InvalidInputError("the output's path must not be empty")
    return Path(path)


def _unpacked(outputs: list[Array]) -> Array | list[Array]:
    arrays = [samples.without_batch(y) for y in outputs]
    return arrays[0] if len(arrays) == 1 else arrays
