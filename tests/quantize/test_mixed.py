"""A technique for each layer: where types meet, what is converted, and that others' interpreters agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mcu_quant.choices import TECHNIQUES
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import InvalidInputError, InvalidModelError, UnsupportedModelError
from mcu_quant.ir import Graph
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.softmax import SoftmaxAttrs
from mcu_quant.ops.strided_slice import StridedSliceAttrs
from mcu_quant.passes import prepare
from mcu_quant.pipeline import TfliteModel, quantize, verify
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.recipe import recipe_of
from mcu_quant.samples import default_inputs, dequantize
from mcu_quant.samples import quantize as to_integers
from tests.oracles import litert_ref, tflm
from tests.passes.float_models import Model
from tests.quantize.test_int16x8 import all_kinds
from tests.quantize.test_integer_graphs import CHANNELS, activation, samples

FORM_OF = {"int8": "int8", "int16x8": "int16", "float32": "float", "float16": "float", "dynamic": "hybrid"}
CONVERTERS = ("quantize", "dequantize")


def branches() -> Graph:
    """Two inputs, two outputs, and a tensor that is read by three layers and by the user."""
    m = Model(6, 6, 3)
    other = m.builder.input("z", (1, 6, 6, 3))
    a = m.conv(m.node("add", "both", ArithmeticAttrs(), m.x, other), "trunk", 4, activation="relu6")
    b = m.conv(a, "left", 3)
    c = m.depthwise(a, "middle")
    d = m.conv(a, "right", 2)
    joined = m.node("concatenation", "join", CHANNELS, b, c, activation(m, "logistic", d))
    return m.graph(m.dense(m.node("mean", "mean", ReductionAttrs((1, 2)), joined), "scores", 5), a)


GRAPHS = {"all_kinds": all_kinds, "branches": branches}

#: Graph, technique, recipe. "exact": nothing but integers.
MIXES: dict[str, tuple[str, str, dict[str, str]]] = {
    "exact_first_layer": ("all_kinds", "int8", {"conv": "int16x8"}),
    "exact_in_the_middle": ("all_kinds", "int8", {"both": "int16x8", "g*": "int16x8"}),
    "exact_coarse_layers": ("all_kinds", "int16x8", {"leaky": "int8", "max": "int8", "average": "int8"}),
    "exact_concatenation": ("branches", "int8", {"left": "int16x8", "middle": "int16x8"}),
    "exact_fine_concatenation": ("branches", "int16x8", {"left": "int8", "logistic*": "int8"}),
    "exact_branches": ("branches", "int8", {"right": "int16x8", "scores": "int16x8"}),
    "float_first_layer": ("all_kinds", "int8", {"conv": "float32"}),
    "float_last_layer": ("all_kinds", "int8", {"dense": "float32", "softmax": "float32"}),
    "float_branches": ("branches", "int8", {"left": "float32", "middle": "int16x8"}),
    "float_concatenation": ("branches", "int16x8", {"join": "float32", "right": "int8"}),
    "float_every_technique": (
        "all_kinds",
        "int8",
        {"conv": "int16x8", "other": "float16", "dense": "dynamic", "m*": "float32"},
    ),
    "float_but_for_two": ("all_kinds", "float32", {"conv": "int8", "gated": "int16x8"}),
    "float_but_for_the_join": ("branches", "float32", {"join": "int8"}),
}


def mixed(graph: Graph, technique: str, recipe: Mapping[str, str], **options: Any) -> TfliteModel:
    chosen = QuantizeOptions(technique, recipe=recipe_of(recipe) if recipe else None, **options)
    return quantize(graph, [samples(graph)], chosen)


@pytest.fixture(params=MIXES)
def case(request: pytest.FixtureRequest) -> tuple[str, Graph, TfliteModel]:
    graph_name, technique, recipe = MIXES[request.param]
    graph = GRAPHS[graph_name]()
    return request.param, graph, mixed(graph, technique, recipe)


def run_ours(model: TfliteModel, real: list[np.ndarray]) -> list[np.ndarray]:
    """Real outputs of real inputs."""
    tensors = model.graph.input_tensors()
    given = [to_integers(x, t, t.name) for x, t in zip(real, tensors, strict=True)]
    outputs = model.graph.output_tensors()
    return [dequantize(y, t) for y, t in zip(run_graph(model.graph, given), outputs, strict=True)]


def test_litert_gives_our_bytes_or_nearly_our_floats(case: tuple[str, Graph, TfliteModel]) -> None:
    name, _, model = case
    inputs = default_inputs(model.graph, 8)
    for ours, theirs in zip(run_graph(model.graph, inputs), litert_ref(model.data, inputs), strict=True):
        assert ours.dtype == theirs.dtype
        off = np.abs(ours.astype(np.float64) - theirs)
        if name.startswith("exact"):
            # LiteRT rounds the sums of int16 layers once, TFLM (and we) twice.
            assert off.max() <= (1 if ours.dtype == np.int16 else 0)
        elif ours.dtype == np.float32:
            assert off.max() <= 1e-2 * np.abs(ours).max()
        else:
            assert off.max() <= (2 if ours.dtype == np.int8 else 33)


@pytest.mark.parametrize("name", [name for name in MIXES if name.startswith("exact")])
def test_tflm_gives_our_bytes(name: str) -> None:
    graph_name, technique, recipe = MIXES[name]
    model = mixed(GRAPHS[graph_name](), technique, recipe)
    inputs = default_inputs(model.graph, 4)
    for ours, theirs in zip(run_graph(model.graph, inputs), tflm(model.data, inputs), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("optimize", ["time", "size"])
def test_generated_c_on_this_computer(case: tuple[str, Graph, TfliteModel], optimize: str) -> None:
    name, _, model = case
    inputs = default_inputs(model.graph, 8)
    (result,) = verify(model, ["host"], inputs, GenerateOptions(optimize=optimize))
    assert result.passed, result
    assert result.identical or not name.startswith("exact")


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "mps2_an385_m0plus"])
@pytest.mark.parametrize("name", ["exact_branches", "float_every_technique", "float_branches"])
def test_boards(name: str, board: str) -> None:
    graph_name, technique, recipe = MIXES[name]
    model = mixed(GRAPHS[graph_name](), technique, recipe)
    (result,) = verify(model, [board], default_inputs(model.graph, 3), GenerateOptions())
    assert result.passed and (result.identical or not name.startswith("exact")), result


def test_every_layer_has_its_technique(case: tuple[str, Graph, TfliteModel]) -> None:
    name, graph, model = case
    _, technique, recipe = MIXES[name]
    rules = recipe_of(recipe)
    layers = {node.name: node for node in model.graph.bound_nodes()}
    for node in prepare(graph).nodes:
        # A layer whose output is converted for the user is read under its inner name.
        found = layers.get(node.name)
        if found is None or found.node.op in CONVERTERS:
            (found,) = (
                n for k, n in layers.items() if k.startswith(f"{node.name}/") and n.node.op == node.op
            )
        wanted = FORM_OF[rules.technique_of(node.name, technique)]
        if wanted == "hybrid" and node.op not in ("conv_2d", "fully_connected", "depthwise_conv_2d"):
            wanted = "float"
        assert form_of(found) == wanted, node.name


def test_nothing_is_converted_twice(case: tuple[str, Graph, TfliteModel]) -> None:
    _, _, model = case
    converters = [node for node in model.graph.bound_nodes() if node.node.op in CONVERTERS]
    made = Counter((node.input(0).name, node.output.dtype, node.output.quant) for node in converters)
    assert set(made.values()) <= {1}
    written = {node.output.name for node in converters}
    twice = [node.name for node in converters if node.input(0).name in written]
    assert all(name.endswith("/rescale") or "/rescaled" in name for name in twice), twice


def test_near_the_float_model(case: tuple[str, Graph, TfliteModel]) -> None:
    _, graph, model = case
    data = [x[:20] for x in samples(graph)]
    for ours, real in zip(run_ours(model, data), run_graph(graph, data), strict=True):
        assert np.sqrt(np.mean((ours - real) ** 2)) < 0.05 * np.abs(real).max()


def test_two_int16_layers_save_what_int8_loses() -> None:
    """A small branch next to one that is a thousand times as large: only int16 has steps for both."""
    m = Model(6, 6, 3)
    small, large = m.conv(m.x, "small", 2), m.conv(m.x, "large", 2)
    large = m.node("mul", "up", ArithmeticAttrs(), large, m.builder.constant("thousand", np.full(1, 1e3)))
    joined = m.node("concatenation", "join", CHANNELS, small, large)
    scales = m.builder.constant("scales", np.array([1, 1, 1e-3, 1e-3]))
    graph = m.graph(m.node("mul", "level", ArithmeticAttrs(), joined, scales))
    (data,) = samples(graph)
    (real,) = run_graph(graph, [data])

    def noise(recipe: dict[str, str]) -> float:
        (ours,) = run_ours(mixed(graph, "int8", recipe), [data])
        return float(np.mean((ours - real)[..., :2] ** 2))

    whole, two = noise({}), noise({"join": "int16x8", "level": "int16x8"})
    assert whole > 100 * two


@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_what_is_concatenated_has_one_scale_also_across_seams(technique: str) -> None:
    graph = branches()
    recipe = {"left": "float32", "middle": "int8" if technique == "int16x8" else "int16x8"}
    model = mixed(graph, technique, recipe)
    (join,) = (node for node in model.graph.bound_nodes() if node.name == "join")
    schemes = {(t.scale, t.zero_point) for t in (*join.inputs, join.output) if t is not None}
    assert len(schemes) == 1
    # Converters bring the others there themselves, with no second rescaling.
    converted = {node.output.name: node for node in model.graph.bound_nodes() if node.node.op == "quantize"}
    for tensor in (t for t in join.inputs if t is not None and t.name in converted):
        assert converted[tensor.name].input(0).name not in converted or tensor.name.startswith("logistic")


EDGES = ("int8", "uint8", "int16", "float32")


@pytest.mark.slow
@pytest.mark.parametrize("output_type", EDGES)
@pytest.mark.parametrize("input_type", EDGES)
@pytest.mark.parametrize("first", ["int8", "int16x8", "float32"])
def test_edges(first: str, input_type: str, output_type: str) -> None:
    m = Model(5, 5, 2)
    graph = m.graph(m.conv(m.conv(m.x, "first", 3), "last", 2))
    recipe = {"first": first, "last": "int16x8" if first == "float32" else "float32"}
    model = mixed(graph, "int8", recipe, input_type=input_type, output_type=output_type)
    (x,), (y,) = model.graph.input_tensors(), model.graph.output_tensors()
    assert (x.name, x.dtype, y.name, y.dtype) == ("x", input_type, "last", output_type)
    inputs = default_inputs(model.graph, 4)
    (ours,), (theirs,) = run_graph(model.graph, inputs), litert_ref(model.data, inputs)
    allowed = {"float32": 1e-2 * np.abs(ours).max(), "int16": 33}.get(output_type, 1)
    assert np.abs(ours.astype(np.float64) - theirs).max() <= allowed
    data = [samples(graph)[0][:10]]
    (real,), (run,) = run_graph(graph, data), run_ours(model, data)
    assert np.abs(run - real).max() < 0.05 * np.abs(real).max()


def test_uint8_meets_float() -> None:
    """An input at once; an output by int8, for TFLM has no QUANTIZE from float32 to uint8."""
    m = Model(5, 5, 2)
    graph = m.graph(m.conv(m.x, "conv", 3))
    model = mixed(graph, "int8", {"conv": "float32"}, input_type="uint8", output_type="uint8")
    assert [node.op for node in model.graph.nodes] == ["dequantize", "conv_2d", "quantize", "quantize"]


@pytest.mark.parametrize("technique", FORM_OF)
def test_a_recipe_for_all_is_the_technique(technique: str) -> None:
    graph = all_kinds()
    alone = mixed(graph, technique, {})
    assert mixed(graph, technique, {"*": technique}).data == alone.data
    if technique.startswith("int"):
        assert mixed(graph, technique, {}, allow_float=True).data == alone.data


def test_techniques_that_no_layer_can_have_say_nothing() -> None:
    """Lines behind "*", and the technique of the rest: no data is asked for."""
    options = QuantizeOptions("int8", recipe=recipe_of({"conv": "float16", "*": "float32", "x": "int8"}))
    assert options.is_float and options.techniques == ("float16", "float32")
    assert not QuantizeOptions("float32", recipe=recipe_of({"conv": "int8"})).is_float


def test_layers_of_all_techniques_share_constants() -> None:
    m = Model(5, 5, 3)
    shared = (m.constant("weights", 3, 3, 3, 3), m.constant("bias", 3))
    x, techniques = m.x, list(FORM_OF)
    for technique in techniques:
        x = m.node("conv_2d", technique, Conv2DAttrs(), x, *shared)
    graph = m.graph(x)
    model = mixed(graph, "int8", {technique: technique for technique in techniques})
    stored = {
        node.name.split("/")[0]: node.input(1).dtype
        for node in model.graph.bound_nodes()
        if node.node.op == "conv_2d"
    }
    narrow = dict.fromkeys(("int8", "int16x8", "dynamic"), "int8")
    assert stored == narrow | {"float32": "float32", "float16": "float16"}
    inputs = default_inputs(model.graph, 4)
    (ours,), (theirs,) = run_graph(model.graph, inputs), litert_ref(model.data, inputs)
    assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_a_half_that_overflows_names_its_layer() -> None:
    m = Model(4)
    large = m.builder.constant("large", np.full((3, 4), 1e6))
    x = m.node("fully_connected", "wide", FullyConnectedAttrs(), m.x, large)
    graph = m.graph(m.dense(x, "next", 2))
    assert mixed(graph, "int8", {"next": "float16"})
    with pytest.raises(InvalidModelError, match="wide: float16 weights must be at most 65504"):
        mixed(graph, "int8", {"wide": "float16"})


def wide() -> Graph:
    """A dense layer, a softmax that is too wide for int16, a slice and a dense layer."""
    m = Model(4)
    x = m.node("softmax", "softmax", SoftmaxAttrs(), m.dense(m.x, "before", 2**16))
    few = m.node("strided_slice", "few", StridedSliceAttrs((0, 5), (1, 9000), (1, 6)), x)
    return m.graph(m.dense(few, "after", 3))


@pytest.mark.slow
def test_allow_float_keeps_what_int16_lacks_in_float() -> None:
    graph = wide()
    with pytest.raises(UnsupportedModelError, match=r"softmax: rows must have at most.*--allow-float"):
        mixed(graph, "int16x8", {})
    with pytest.raises(UnsupportedModelError, match=r"softmax: rows must have at most.*--allow-float"):
        mixed(graph, "int8", {"softmax": "int16x8"})
    model = mixed(graph, "int16x8", {}, allow_float=True)
    forms = {node.name: form_of(node) for node in model.graph.bound_nodes() if node.node.op not in CONVERTERS}
    assert forms == {"before": "int16", "softmax": "float", "few": "int16", "after": "int16"}
    inputs = default_inputs(model.graph, 8)
    (ours,) = run_graph(model.graph, inputs)
    assert np.abs(ours.astype(int) - tflm(model.data, inputs)[0]).max() <= 1
    assert np.abs(ours.astype(int) - litert_ref(model.data, inputs)[0]).max() <= 1
    (result,) = verify(model, ["host"], inputs, GenerateOptions())
    assert result.passed, result


def test_allow_float_does_not_bend_a_recipe_without_need() -> None:
    model = mixed(wide(), "int16x8", {"softmax": "int8"}, allow_float=True)
    forms = {node.name: form_of(node) for node in model.graph.bound_nodes() if node.node.op not in CONVERTERS}
    assert forms == {"before": "int16", "softmax": "int8", "few": "int16", "after": "int16"}


@pytest.mark.parametrize("repair", ["equalize", "adaround", "bias"])
def test_repairs_are_of_the_integer_layers(repair: str) -> None:
    m = Model(6, 6, 3)
    x = m.conv(m.conv(m.x, "first", 4, activation="relu"), "second", 4, activation="relu")
    graph = m.graph(m.conv(m.conv(x, "third", 4, activation="relu"), "last", 3))
    recipe = {"second": "int16x8", "last": "float32"}
    plain, mended = (mixed(graph, "int8", recipe, per_tensor=True, repairs=r) for r in ((), (repair,)))
    assert plain.data != mended.data

    def constants(model: TfliteModel) -> list[np.ndarray]:
        (last,) = (n for n in model.graph.bound_nodes() if n.name.startswith("last") and len(n.inputs) > 1)
        return [t.data for t in last.inputs if t is not None and t.data is not None]

    unchanged = all(map(np.array_equal, constants(plain), constants(mended)))
    assert unchanged == (repair != "equalize"), "equalizing moves scales between layers, whatever they are"
    data = list(samples(graph))
    (real,) = run_graph(graph, data)
    before, after = (np.mean((run_ours(model, data)[0] - real) ** 2) for model in (plain, mended))
    assert after < (1.2 if repair == "equalize" else 1.0) * before  # random weights leave it nothing to win


def test_calibrations_for_256_steps_are_refused_where_a_layer_has_more() -> None:
    with pytest.raises(InvalidInputError, match=r"weigh the steps of int8.*mse for int16"):
        mixed(all_kinds(), "int8", {"conv": "int16x8"}, calibration="mse")
    assert mixed(all_kinds(), "int8", {"conv": "float32"}, calibration="mse")


def test_a_dead_layer_at_a_seam() -> None:
    """Scales that had to be widened on one side are what the other side starts from."""
    m = Model(6, 6, 3)
    zero = m.node("mul", "zero", ArithmeticAttrs(), m.x, m.builder.constant("none", np.zeros(1)))
    tiny = m.node("sub", "tiny", ArithmeticAttrs(), m.x, m.x)
    joined = m.node("concatenation", "join", ConcatenationAttrs(3), m.conv(zero, "dead", 3), tiny)
    graph = m.graph(m.conv(joined, "end", 4))
    for technique, other in (("int8", "int16x8"), ("int16x8", "int8")):
        for layer in ("zero", "tiny", "dead", "join", "end"):
            model = mixed(graph, technique, {layer: other})
            inputs = default_inputs(model.graph, 4)
            assert np.array_equal(run_graph(model.graph, inputs)[0], tflm(model.data, inputs)[0]), layer


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_layers_without_a_bias(technique: str) -> None:
    """LiteRT refuses a CONV_2D without one; TFLM gives our bytes for the one that is written."""
    m = Model(6, 6, 2)
    y = m.depthwise(m.conv(m.x, "conv", 3, bias=False), "depthwise")
    graph = prepare(m.graph(y))
    model = quantize(graph, samples(graph), QuantizeOptions(technique))
    inputs = default_inputs(model.graph, 3)
    (ours,), (theirs,) = run_graph(model.graph, inputs), litert_ref(model.data, inputs)
    steps = 1 if ours.dtype.kind == "i" else 0.02 * np.abs(theirs).max()
    assert np.abs(ours.astype(float) - theirs.astype(float)).max() <= steps
    if ours.dtype.kind == "i":
        assert np.array_equal(ours, tflm(model.data, inputs)[0])
