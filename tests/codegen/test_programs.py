"""The public C interface, used as firmware would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.ops.interpreter import run_graph
from tests.codegen.deployments import (
    branch_graph,
    dense_graph,
    deploy,
    random_inputs,
    run_c,
    write_library,
)

START = """
#include <stdio.h>
#include <string.h>
#include "tiny.h"
uint8_t arena[TINY_ARENA_BYTES] __attribute__((aligned(TINY_ARENA_ALIGN)));
"""


def c_array(values: np.ndarray) -> str:
    return "{" + ", ".join(map(str, values.reshape(-1).tolist())) + "}"


def test_hook_is_called_around_every_layer_and_can_stop_the_run(tmp_path: Path) -> None:
    main = (
        START
        + """
typedef struct { int calls; int32_t last; int32_t stop_at; } watch_t;
static int hook(void *context, int32_t layer) {
    watch_t *watch = context;
    watch->calls++;
    watch->last = layer;
    return layer == watch->stop_at ? 42 : 0;
}
int main(void) {
    for (int32_t stop_at = -1; stop_at <= TINY_LAYERS; stop_at++) {
        watch_t watch = {0, -1, stop_at};
        const int result = tiny_invoke_with_hook(arena, hook, &watch);
        printf("%d:%d/%d ", result, watch.calls, (int)watch.last);
    }
    printf("%d", TINY_LAYERS);
    return 0;
}
"""
    )
    sources = write_library(tmp_path, deploy(dense_graph()))
    assert run_c(tmp_path, main, sources) == "0:3/2 42:1/0 42:2/1 42:3/2 2"


def test_a_run_with_a_hook_gives_the_same_bytes(tmp_path: Path) -> None:
    graph = branch_graph()
    (x,) = random_inputs(graph, 1)
    (y,) = run_graph(graph, [x])
    main = (
        START
        + f"""
static int hook(void *context, int32_t layer) {{ (void)context; return 0 * (int)layer; }}
int main(void) {{
    static const int8_t x[TINY_INPUT_0_ELEMENTS] = {c_array(x)};
    static const int8_t y[TINY_OUTPUT_0_ELEMENTS] = {c_array(y)};
    memcpy(tiny_input_0(arena), x, sizeof x);
    if (tiny_invoke_with_hook(arena, hook, NULL) != 0) return 1;
    return memcmp(tiny_output_0(arena), y, sizeof y) != 0;
}}
"""
    )
    run_c(tmp_path, main, write_library(tmp_path, deploy(graph)))


def test_a_run_within_a_run(tmp_path: Path) -> None:
    """Re-entrant: at every layer another inference runs, with another arena."""
    graph = branch_graph()
    (x,) = random_inputs(graph, 2)
    (y,) = run_graph(graph, [x])
    main = (
        START
        + f"""
static uint8_t other[TINY_ARENA_BYTES] __attribute__((aligned(TINY_ARENA_ALIGN)));
static const int8_t x[2][TINY_INPUT_0_ELEMENTS] = {{ {c_array(x[0])}, {c_array(x[1])} }};
static const int8_t y[2][TINY_OUTPUT_0_ELEMENTS] = {{ {c_array(y[0])}, {c_array(y[1])} }};
static int interrupt(void *context, int32_t layer) {{
    int8_t result[TINY_OUTPUT_0_ELEMENTS];
    (void)layer;
    tiny_run(other, x[1], result);
    *(int *)context += memcmp(result, y[1], sizeof result) == 0;
    return 0;
}}
int main(void) {{
    int right = 0;
    memcpy(tiny_input_0(arena), x[0], sizeof x[0]);
    (void)tiny_invoke_with_hook(arena, interrupt, &right);
    return right != TINY_LAYERS + 1 || memcmp(tiny_output_0(arena), y[0], sizeof y[0]) != 0;
}}
"""
    )
    run_c(tmp_path, main, write_library(tmp_path, deploy(graph)))


@pytest.mark.parametrize("graph", (dense_graph, branch_graph))
def test_kept_inputs_outlive_runs(graph, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (x,) = random_inputs(graph(), 1)
    (y,) = run_graph(graph(), [x])
    main = (
        START
        + f"""
int main(void) {{
    static const int8_t x[TINY_INPUT_0_ELEMENTS] = {c_array(x)};
    static const int8_t y[TINY_OUTPUT_0_ELEMENTS] = {c_array(y)};
    memset(arena, 0x5a, sizeof arena);
    memcpy(tiny_input_0(arena), x, sizeof x);
    for (int i = 0; i < 3; i++) {{
        tiny_invoke(arena);
        if (memcmp(tiny_output_0(arena), y, sizeof y) != 0) return 1;
    }}
    return memcmp(tiny_input_0(arena), x, sizeof x) != 0;
}}
"""
    )
    run_c(tmp_path, main, write_library(tmp_path, deploy(graph(), keep_input=True)))


def test_macros_say_what_the_model_is(tmp_path: Path) -> None:
    main = (
        START
        + """
int main(void) {
    static const int shape[TINY_INPUT_0_RANK] = TINY_INPUT_0_SHAPE;
    printf("%d %d %d %d %d ", shape[0], shape[1], TINY_INPUT_0_BYTES, TINY_OUTPUT_0_ELEMENTS, TINY_MACS);
    printf("%a %d %a %d ", (double)TINY_INPUT_0_SCALE, TINY_INPUT_0_ZERO_POINT,
           (double)TINY_OUTPUT_0_SCALE, TINY_OUTPUT_0_ZERO_POINT);
    printf("%d %d %d", TINY_INPUTS, TINY_OUTPUTS, TINY_ARENA_BYTES);
    return 0;
}
"""
    )
    graph = dense_graph()
    words = run_c(tmp_path, main, write_library(tmp_path, deploy(graph))).split()
    assert words[:5] == ["1", "12", "12", "3", str(12 * 6 + 6 * 3)]
    assert float.fromhex(words[5]) == graph.tensors["x"].scale and words[6] == "3"
    assert float.fromhex(words[7]) == graph.tensors["y"].scale and words[8] == "10"
    assert words[9:] == ["1", "1", "18"]


def test_quantize_and_dequantize_helpers_are_the_samples_rule(tmp_path: Path) -> None:
    from mcu_quant.samples import dequantize, quantize

    graph = dense_graph()
    x, y = graph.tensors["x"], graph.tensors["y"]
    generator = np.random.default_rng(0)
    steps = np.arange(-140, 140, 0.5, np.float32) * np.float32(x.scale)
    values = np.concatenate(
        [
            steps,
            np.nextafter(steps, np.float32(np.inf)),
            np.nextafter(steps, np.float32(-np.inf)),
            generator.normal(scale=10, size=500).astype(np.float32),
            np.array([1e30, -1e30, 1e-45, -0.0, 2.5e9, -2.5e9], np.float32),
        ]
    )
    main = (
        START
        + f"""
int main(void) {{
    static const float x[] = {{ {", ".join(f"{float(v).hex()}f" for v in values)} }};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) printf("%d ", tiny_input_0_quantize(x[i]));
    for (int q = -128; q < 128; q++) printf("%a ", (double)tiny_output_0_dequantize((int8_t)q));
    return tiny_input_0_quantize((float)(0.0f * (x[0] * 3e38f * 3e38f))) != -128;
}}
"""
    )
    words = run_c(tmp_path, main, write_library(tmp_path, deploy(graph))).split()
    expected = quantize(values.reshape(-1), x, "here")
    assert [int(word) for word in words[: len(values)]] == expected.tolist()
    real = dequantize(np.arange(-128, 128).astype(np.int8), y)
    assert [float.fromhex(word) for word in words[len(values) :]] == real.tolist()
