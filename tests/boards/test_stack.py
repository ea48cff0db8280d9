"""The bound of the stack: of programs made for it, against what they take on QEMU."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcu_quant.boards import Board, load_board
from mcu_quant.codegen.pointers import PointerCalls, pointer_calls
from mcu_quant.codegen.project import render_sources
from mcu_quant.errors import EngineFailedError
from mcu_quant.verify.control_flow import (
    Flow,
    Program,
    UnknownStackError,
    falls_through,
    flow,
    source_lines,
    stack_change,
)
from mcu_quant.verify.disassembly import Instruction
from mcu_quant.verify.image import link_images
from mcu_quant.verify.qemu import emulate
from mcu_quant.verify.stack import StackAnalysis, read_usage
from tests.boards.models import deploy, published, tiny_model

BOARDS = ("mps2_an386", "mps2_an385_m0plus", "mps3_an547")

#: Everything that moves a stack: frames beyond an immediate, tail calls, tables, pointers, the C library.
PROGRAM = """
#include "port.h"
#include <string.h>
#define APART __attribute__((noipa))
extern uint8_t stack_limit[];
typedef int32_t function_t(int32_t);
int32_t leaf(int32_t), tail(int32_t), huge(int32_t), table(int32_t), early(int32_t), root(int32_t);
int32_t by_pointer(int32_t, function_t *);
APART int32_t leaf(int32_t x) {
    volatile int32_t own[10];
    for (int32_t i = 0; i < 10; i++) { own[i] = x; }
    return own[x & 7];
}
APART int32_t tail(int32_t x) {
    volatile int32_t own[20];
    own[x & 7] = x;
    own[0] = x;
    return leaf(own[x & 7]);
}
APART int32_t huge(int32_t x) {
    volatile int8_t own[1500];
    for (int32_t i = 0; i < 1500; i++) { own[i] = (int8_t)x; }
    return own[x & 7] / (x + 1) + leaf(x);
}
APART int32_t table(int32_t x) {
    switch (x) {
    case 0: return leaf(x) + 3;
    case 1: return tail(x) * 5;
    case 2: return leaf(x + 9) - 1;
    case 3: return huge(x) + tail(x);
    case 4: return leaf(7) ^ x;
    case 5: return tail(8) | x;
    case 6: return leaf(3) + tail(x);
    default: return 0;
    }
}
APART int32_t by_pointer(int32_t x, function_t *function) { return function(x) + function(x + 1); }
APART int32_t early(int32_t x) {
    if (x < 3) { return 0; }
    int8_t copy[32];
    memset(copy, x, sizeof copy);
    return by_pointer(copy[x], table);
}
APART int32_t root(int32_t x) { return early(x) + early(x + 1) + 1; }
APART static uint32_t taken(void) {
    uint8_t *top;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (volatile uint8_t *byte = stack_limit; byte < top; byte++) { *byte = 0xA5; }
    (void)root(2);
    const volatile uint8_t *lowest = stack_limit;
    while (lowest < top && *lowest == 0xA5) { lowest++; }
    return (uint32_t)(top - lowest);
}
int main(void) { port_print_int((int32_t)taken()); return 0; }
"""
POINTERS = PointerCalls({"by_pointer": frozenset({"table"})}, {})
NO_POINTERS = PointerCalls({}, {})


def build(board: Board, source: str, folder: Path) -> Path:
    files = render_sources(board, [deploy(tiny_model(), board)], ()) | {"main.c": source}
    (image,) = link_images(board, deploy(tiny_model(), board), files, ["main"], folder)
    return image


def analysis(board: Board, image: Path, pointers: PointerCalls) -> StackAnalysis:
    program = Program(image, has_mve=board.core == "cortex-m55")
    return StackAnalysis(program, {}, pointers, [image.with_name("main.o")])


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", BOARDS)
def test_the_bound_is_what_the_deepest_path_takes(board_name: str, tmp_path: Path) -> None:
    board = load_board(board_name)
    image = build(board, PROGRAM, tmp_path)
    measured = int(emulate(board, image, tmp_path, timeout=20))
    found = analysis(board, image, POINTERS)
    bound = found.bound("root")
    assert measured > 1500
    # The lowest words of a frame may be there for alignment alone.
    assert measured <= bound.bytes <= measured + 8
    assert [name for name, _ in bound.path] == ["root", "early", "by_pointer", "table", "huge", "leaf"]
    assert sum(size for _, size in bound.path) == bound.bytes
    by_pointer = Program(image).named("by_pointer")
    assert by_pointer is not None
    calls = [call.address for call in found.frame(by_pointer.address).calls]
    lines = source_lines([tmp_path / "main.o"], by_pointer, calls)
    (number,) = (i for i, text in enumerate(PROGRAM.splitlines(), start=1) if "return function(x)" in text)
    assert lines == dict.fromkeys(calls, ("main.c", number)) and len(calls) == 2
    usage = read_usage([tmp_path / "main.su"])
    for name in ("root", "early", "table", "huge", "tail", "leaf", "by_pointer"):
        (by_compiler,) = usage[name]
        assert found.frame(function_address(image, name)).bytes == by_compiler, name


def function_address(image: Path, name: str) -> int:
    function = Program(image).named(name)
    assert function is not None
    return function.address


FAR_PROGRAM = """
#include "port.h"
#define APART __attribute__((noipa))
int32_t far(int32_t);
APART int32_t far(int32_t x) {
    volatile int32_t own[20];
    own[x & 7] = x;
    __asm__ volatile(".syntax unified\\n bl 1f\\n nop\\n1:" ::: "lr", "memory");
    return own[x & 7];
}
int main(void) { return far(3); }
"""


@pytest.mark.qemu
def test_a_far_jump_is_no_call(tmp_path: Path) -> None:
    """On Armv6-M the compiler leaves a long function's branch to BL, once lr is on the stack."""
    board = load_board("mps2_an385_m0plus")
    found = analysis(board, image := build(board, FAR_PROGRAM, tmp_path), NO_POINTERS)
    (by_compiler,) = read_usage([tmp_path / "main.su"])["far"]
    frame = found.frame(function_address(image, "far"))
    assert frame.bytes == by_compiler and not frame.calls


#: Function → what is said of it.
UNBOUNDED = {"recurse": "calls itself", "point": "through a pointer", "vary": "sp", "push": "push"}
UNBOUNDED_PROGRAM = """
#include "port.h"
#define APART __attribute__((noipa))
int32_t recurse(int32_t), point(int32_t), vary(int32_t), push(int32_t);
extern int32_t (*volatile pointer)(int32_t);
int32_t (*volatile pointer)(int32_t) = recurse;
APART int32_t recurse(int32_t x) { volatile int32_t own = x; return x ? recurse(x - 1) + own : 1; }
APART int32_t point(int32_t x) { return pointer(x) + 1; }
APART int32_t vary(int32_t x) { volatile char own[x + 1]; own[x] = 3; own[0] = 2; return own[x / 2]; }
APART int32_t push(int32_t x) {
    __asm__ volatile(".syntax unified\\n1: push {r0}\\n subs r0, #1\\n bne 1b" : "+r"(x) :: "memory");
    return x;
}
int main(void) { return recurse(3) + point(3) + vary(3) + push(3); }
"""


@pytest.mark.qemu
def test_what_has_no_bound_is_refused(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    image = build(board, UNBOUNDED_PROGRAM, tmp_path)
    for function, message in UNBOUNDED.items():
        with pytest.raises(EngineFailedError, match=f"{function}.*{message}"):
            analysis(board, image, NO_POINTERS).bound(function)
    with pytest.raises(EngineFailedError, match=r"vary.*variable size"):
        read_usage([tmp_path / "main.su"])


CHANGES = {
    "push {r4, r5, lr}": 12,
    "push {r3-r7}": 20,
    "stmdb sp!, {r4, r5, r6, lr}": 16,
    "vpush {d8-d15}": 64,
    "vpush {s16}": 4,
    "pop {r4, pc}": -8,
    "ldmia sp!, {r4, r5, pc}": -12,
    "vpop {d8}": -8,
    "popne {r4, pc}": 0,
    "sub sp, #24": 24,
    "sub sp, sp, #512": 512,
    "subw sp, sp, #2052": 2052,
    "add sp, #8": -8,
    "add sp, r4": 1504,
    "str r4, [sp, #-8]!": 8,
    "strd r4, r5, [sp, #-16]!": 16,
    "ldr pc, [sp], #4": -4,
    "ldrd r4, r5, [sp], #8": -8,
    "str r0, [sp, #4]": 0,
    "stmia sp, {r4, r5}": 0,
    "add r1, sp, #48": 0,
    "mov ip, sp": 0,
    "cmp sp, r3": 0,
    "mov sp, r7": None,
    "sub sp, r5": None,
    "pushne {r4}": None,
    "popne {r4}": None,
    "ldmiane sp!, {r4}": None,
    "subne sp, #8": None,
    "bic sp, r3, #7": None,
    "strne r0, [sp, #-4]!": None,
}


@pytest.mark.parametrize("text", CHANGES)
def test_what_an_instruction_does_to_the_stack(text: str) -> None:
    """And what cannot be said (None) is refused."""
    mnemonic, operands = text.split(" ", 1)
    instruction = Instruction(0, 4, 0, mnemonic, operands)
    expected = CHANGES[text]
    if expected is None:
        with pytest.raises(UnknownStackError):
            stack_change(instruction, {"r4": -1504})
    else:
        assert stack_change(instruction, {"r4": -1504}) == expected


FLOWS = {
    "b 40 <f+0x8>": (Flow.JUMP, False),
    "ble 40 <f+0x8>": (Flow.JUMP, True),
    "bls 40 <f>": (Flow.JUMP, True),
    "blt 40 <f>": (Flow.JUMP, True),
    "cbz r3, 40 <f>": (Flow.JUMP, True),
    "le lr, 40 <f>": (Flow.JUMP, True),
    "bl 40 <f>": (Flow.CALL, True),
    "blle 40 <f>": (Flow.CALL, True),
    "blx r5": (Flow.CALL_REGISTER, True),
    "bx ip": (Flow.JUMP_REGISTER, False),
    "bx lr": (Flow.RETURN, False),
    "bxeq lr": (Flow.RETURN, True),
    "pop {r4, pc}": (Flow.RETURN, False),
    "popne {r4, pc}": (Flow.RETURN, True),
    "ldmia sp!, {r4, pc}": (Flow.RETURN, False),
    "ldr pc, [sp], #4": (Flow.RETURN, False),
    "mov pc, lr": (Flow.RETURN, False),
    "tbb [pc, r0]": (Flow.TABLE, False),
    "ldr pc, [pc, r3, lsl #2]": (Flow.TABLE, False),
    "bl 40 <__gnu_thumb1_case_uqi>": (Flow.TABLE, False),
    "add r0, r1": (Flow.NEXT, True),
    "stmia r0!, {r4, r5}": (Flow.NEXT, True),
}


@pytest.mark.parametrize("text", FLOWS)
def test_where_an_instruction_leads(text: str) -> None:
    mnemonic, operands = text.split(" ", 1)
    instruction = Instruction(0, 2, 0, mnemonic, operands)
    assert (flow(instruction), falls_through(instruction)) == FLOWS[text]


def test_pointers_lead_to_the_assembly_of_that_kernel_and_type(shared: Path) -> None:
    """On Cortex-M4, a band of a depthwise layer makes planes and convolves rows; no other function does."""
    pointers = pointer_calls(deploy(published(shared, "kws_ref_model"), load_board("mps2_an386")))
    assert pointers.all
    for names in (*pointers.of_function.values(), *pointers.of_line.values()):
        assert names <= pointers.all
    of_kernel = {name: names for name, names in pointers.of_function.items() if name.startswith("mq_")}
    assert len(set(of_kernel.values())) > 1
    assert any(names < pointers.all for names in pointers.of_line.values())
