"""The cycle models, by hand-counted snippets; and traced runs, which must count what -icount counts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcu_quant import pipeline
from mcu_quant.boards import load_board
from mcu_quant.codegen.project import pack_samples
from mcu_quant.deployment import GenerateOptions
from mcu_quant.kernels.base import CORES
from mcu_quant.samples import default_inputs
from mcu_quant.verify import trace
from mcu_quant.verify.cycles import MODELS, Block, instructions_of, modelled_cycles
from mcu_quant.verify.disassembly import Code, Instruction, disassemble, parse
from mcu_quant.verify.image import build_images
from mcu_quant.verify.mve_classes import gathered_elements, mve_class
from mcu_quant.verify.profile import _functions, count_instructions, model_cycles, profile_on_qemu
from mcu_quant.verify.trace import trace_blocks
from tests.boards.models import deploy, tiny_model
from tests.boards.test_qemu import run_program

#: Core → snippets → cycles of each instruction where they run in a row.
SNIPPETS = {
    "cortex-m4": [
        # Loads: 2, and 1 behind a load that gives no address register.
        ("ldr r0, [r1]; ldr r2, [r1, #4]; ldr r3, [r2]; add r4, r3; ldr r5, [r1]", [2, 1, 2, 1, 2]),
        ("ldr r0, [r1], #4; ldrsb r2, [r1]; ldrh r3, [r4, r2]; ldr r3, [r4]", [2, 1, 2, 1]),
        ("str r0, [r1]; ldr r2, [r1]; strb r2, [r1, #1]; nop", [1, 2, 1, 1]),
        # Two words 3, n words 1 + n.
        ("ldrd r0, r1, [r2]; strd r0, r1, [r2, #8]; ldr r3, [r2]", [3, 3, 2]),
        ("ldm r1!, {r2-r5}; ldr r6, [r0]; stm r1!, {r2, r3}", [5, 2, 3]),
        ("push {r4-r11, lr}; vpush {d8-d9}; vpop {d8-d9}; vldr d0, [r0]; vldr s0, [r0]", [10, 5, 5, 3, 2]),
        ("mul r0, r1, r2; mla r0, r1, r2, r3; smlad r0, r1, r2, r3; smull r0, r1, r2, r3", [1, 1, 1, 1]),
        ("smlal r0, r1, r2, r3; sdiv r0, r1, r2; vdiv.f32 s0, s1, s2; it ne; ldrne r0, [r1]",
         [1, 12, 14, 1, 2]),
        ("b .+4; bl .+8; cbz r0, .+4; bx lr; beq .+4; bic r0, r1; bfi r0, r1, #0, #1", [1] * 7),
    ],
    "cortex-m3": [
        ("mul r0, r1, r2; mla r0, r1, r2, r3; smull r0, r1, r2, r3; smlal r0, r1, r2, r3", [1, 2, 4, 5]),
        ("umull r0, r1, r2, r3; ldr r0, [r1]; ldr r2, [r1]; udiv r0, r1, r2", [4, 2, 1, 12]),
    ],
    "cortex-m0plus": [
        ("ldr r0, [r1]; ldr r2, [r1]; strb r2, [r1]; muls r0, r1; adds r0, r1", [2, 2, 2, 1, 1]),
        ("ldm r1!, {r2-r5}; stm r1!, {r2}; push {r4, lr}; pop {r4}; bl .+4", [5, 2, 3, 2, 1]),
    ],
    "cortex-m55": [
        # The same class twice in a row: 2. A scalar instruction between: 1.
        ("vldrb.u8 q0, [r0]; vldrw.u32 q1, [r1], #16; vmlava.s8 r2, q0, q1; vldrb.u8 q0, [r0]", [1, 2, 1, 1]),
        ("vmlava.s8 r2, q0, q1; vmlava.s8 r4, q0, q1; adds r0, #1; vmlava.s8 r4, q0, q1", [1, 2, 1, 1]),
        ("vadd.i32 q0, q1, q2; vshr.s32 q0, q1, #31; vqrdmulh.s32 q0, q0, r2; vrshl.s32 q0, r4",
         [1, 2, 1, 1]),
        # Gathers move element by element, by the unit of loads.
        ("vldrb.u8 q0, [r0, q1]; vldrh.u16 q0, [r0, q1]; vldrw.u32 q0, [r0, q1]; nop", [16, 9, 5, 1]),
        ("vldrb.s32 q0, [r0, q1]; vldrw.u32 q0, [q1, #4]; vldrd.u64 q0, [q1, #8]; vstrw.32 q0, [r0]",
         [4, 5, 3, 2]),
        ("ldm r1!, {r2-r5}; ldm r1!, {r2-r6}; ldrd r2, r3, [r1]; ldr r2, [r1]; ldr r2, [r1]",
         [3, 4, 2, 1, 1]),
        ("nop; le lr, .-2", [1, 0]),
    ],
    "cortex-m7": [
        # Pairs; not two of one unit, and not one that waits for the other.
        ("add r0, r1; sub r2, r3; ldr r4, [r5]; add r6, r7", [1, 0, 1, 0]),
        ("add r0, r1; sub r2, r0; mul r3, r4, r5; mul r6, r7, r8", [1, 1, 0, 1]),
        ("ldr r0, [r1]; ldr r2, [r1]; str r3, [r1]; cmp r2, r3; bne .+4", [1, 1, 1, 0, 1]),
        ("ldm r0!, {r1-r4}; add r5, r6; ldrd r1, r2, [r0]; udiv r1, r2, r3", [3, 1, 1, 12]),
    ],
}  # fmt: skip
#: Class → instructions of the kind, one of each group of encodings.
MVE = {
    "memory": """
        vldrb.u8 q0,[r0]; vldrb.s32 q7,[r1],#4; vldrh.u32 q1,[r2,#6]!; vldrw.u32 q3,[r9,#508];
        vstrb.16 q1,[r3]; vstrh.16 q5,[r4],#-8; vstrw.32 q7,[r12,#-4]; vld20.8 {q0,q1},[r0];
        vst43.32 {q0,q1,q2,q3},[r0]!
    """,
    "gather": """
        vldrb.u16 q0,[r0,q1]; vldrh.s32 q0,[r0,q1,uxtw #1]; vldrw.u32 q0,[q1,#-8]!; vstrb.8 q0,[r0,q1];
        vstrw.32 q2,[r0,q1,uxtw #2]; vldrd.u64 q0,[r0,q1]; vstrd.64 q0,[q1,#16]
    """,
    "multiply": """
        vmladav.s8 r0,q0,q1; vmlava.u8 lr,q7,q6; vmladav.s16 r2,q1,q2; vmlsdava.s32 r0,q0,q1;
        vmlaldav.s16 r0,r1,q0,q1; vmlaldavax.s32 r2,r3,q0,q1; vrmlaldavh.s32 r0,r1,q0,q1; vmul.i8 q0,q1,q2;
        vmul.i32 q0,q1,r2; vmulh.s8 q0,q1,q2; vrmulh.u16 q0,q1,q2; vmullb.s16 q0,q1,q2; vmullt.p8 q0,q1,q2;
        vqdmulh.s16 q0,q1,q2; vqrdmulh.s32 q0,q1,q2; vqdmulh.s8 q0,q1,r3; vqrdmulh.s32 q0,q0,r4;
        vqdmullb.s16 q0,q1,q2; vqdmullt.s32 q0,q1,r2; vmla.s8 q0,q1,r2; vmlas.u16 q0,q1,r2;
        vqdmlah.s32 q0,q1,r2; vqrdmlah.s32 q0,q1,r4; vqrdmlash.s16 q0,q1,r2; vqdmladh.s8 q0,q1,q2;
        vqrdmlsdhx.s32 q0,q1,q2; vfma.f32 q0,q1,q2; vfma.f16 q0,q1,r2; vmul.f32 q0,q1,q2; vmul.f16 q0,q1,r2;
        vcmul.f32 q0,q1,q2,#90; vcmla.f16 q0,q1,q2,#0
    """,
    "other": """
        vadd.i8 q0,q1,q2; vadd.i32 q0,q1,r2; vsub.i16 q0,q1,q2; vhadd.s8 q0,q1,q2; vhcadd.s8 q0,q1,q2,#90;
        vcadd.i32 q0,q1,q2,#270; vqadd.s16 q0,q1,r0; vshr.s32 q0,q1,#31; vshl.i16 q0,q1,#3; vrshl.s32 q0,r4;
        vqshl.s8 q0,r4; vshl.u32 q0,r3; vqrshrunb.s32 q0,q1,#7; vshrnt.i16 q0,q1,#2; vqmovnb.s16 q0,q1;
        vqmovunt.s32 q0,q1; vmovlb.u16 q0,q1; vshllt.s8 q0,q1,#8; vshllb.s16 q0,q1,#3; vaddv.s8 r0,q1;
        vaddlva.u32 r0,r1,q1; vmaxv.s8 r0,q1; vminav.s16 r0,q1; vabav.u8 r0,q1,q2; vmax.s8 q0,q1,q2;
        vmin.u32 q0,q1,q2; vdup.32 q0,r1; vmov q0[2],q0[0],r1,r2; vmov r1,r2,q0[3],q0[1];
        vidup.u32 q0,r0,#1; viwdup.u8 q0,r0,r1,#2; vbrsr.8 q0,q1,r2; veor q0,q1,q2; vmvn.i32 q0,#5;
        vabs.s16 q0,q1; vpsel q0,q1,q2; vcmp.i8 eq,q0,q1; vadc.i32 q0,q1,q2; vshlc q0,r1,#3;
        vcvtb.f16.f32 q0,q1; vadd.f32 q0,q1,q2
    """,
    "scalar": """
        mov r0,r1; ldr.w r0,[r1]; vldr s0,[r1]; vadd.f32 s0,s1,s2; vctp.16 r1; dls lr,r0; vpush {d8-d9};
        vmul.f32 s0,s1,s2; vldr d0,[r1]; csinc r0,r1,r2,eq; smlal r0,r1,r2,r3
    """,
}


def assemble(core: str, source: str, folder: Path) -> list[Instruction]:
    """The instructions of lines that semicolons part."""
    lines = "\n".join(line.strip() for line in source.split(";"))
    (folder / "snippet.s").write_text(f".syntax unified\n.thumb\n.global f\nf:\n{lines}\n")
    cpu = [flag for flag in CORES[core].gcc_flags if flag != "-mthumb"]
    command = ["arm-none-eabi-gcc", *cpu, "-mthumb", "-c", "snippet.s", "-o", "snippet.o"]
    subprocess.run(command, cwd=folder, check=True)
    code, address, found = disassemble(folder / "snippet.o"), 0, []
    while address in code:
        found.append(code[address])
        address += found[-1].size
    return found


@pytest.mark.qemu
@pytest.mark.parametrize("core", SNIPPETS)
def test_snippets_cost_what_was_counted_by_hand(core: str, tmp_path: Path) -> None:
    model = MODELS[core]
    instructions = assemble(core, "; ".join(source for source, _ in SNIPPETS[core]), tmp_path)
    position = 0
    for source, expected in SNIPPETS[core]:
        snippet = instructions[position : position + len(expected)]
        position += len(expected)
        sums = [model.costs(snippet[: count + 1], None) for count in range(len(snippet))]
        assert [b - a for a, b in zip([0, *sums], sums, strict=False)] == expected, source
    assert position == len(instructions)


@pytest.mark.parametrize(
    ("core", "mnemonic", "operands", "cycles"),
    [
        ("cortex-m4", "bne", "40 <f>", 2),
        ("cortex-m0plus", "bne", "40 <f>", 1),
        ("cortex-m0plus", "bl", "40 <f>", 2),
        ("cortex-m0plus", "pop", "{r4, pc}", 2),
        ("cortex-m0", "b", "40 <f>", 2),
        ("cortex-m55", "bne", "40 <f>", 2),
        ("cortex-m55", "le", "lr, 40 <f>", 0),
        ("cortex-m7", "bne", "40 <f>", 1),
    ],
)
def test_a_taken_branch_costs_more(core: str, mnemonic: str, operands: str, cycles: int) -> None:
    assert MODELS[core].jump(Instruction(0, 2, 0, mnemonic, operands)) == cycles


def test_what_runs_before_a_block_decides() -> None:
    """ldr, ldr, bne back to the second ldr: 2 + 1 + 1 the first time, then 2 (for the jump) + 2 + 1."""
    lines = ("  0:\t6808      \tldr\tr0, [r1, #0]", "  2:\t680a      \tldr\tr2, [r1, #0]",
             "  4:\td1fd      \tbne.n\t2 <f+0x2>", "  6:\t4770      \tbx\tlr")  # fmt: skip
    code, model = Code(parse(lines)), MODELS["cortex-m4"]
    once = [Block(6, 0, 4, 1)]
    assert modelled_cycles(once, code, model) == 2 + (2 + 1 + 1)
    assert modelled_cycles([*once, Block(4, 2, 4, 10)], code, model) == 6 + 10 * (2 + 2 + 1)
    assert modelled_cycles([Block(0, 2, 4, 1)], code, model) == 1 + 1
    assert instructions_of([*once, Block(4, 2, 4, 10)], code) == 3 + 20


def test_a_low_overhead_loop_goes_on_from_what_stands_before_its_end() -> None:
    """A vector load at both ends of the loop's body: in the second turn it comes right behind another."""
    lines = ("  0:\tf040 e001 \tdls\tlr, r0", "  4:\ted90 1e00 \tldc\t14, cr1, [r0]",
             "  8:\teef0 0f24 \tcdp\t15, 15, cr0, cr0, cr4, {1}", "  c:\ted90 1e00 \tldc\t14, cr1, [r0]",
             " 10:\tf00f c009 \tle\tlr, 4 <f+0x4>")  # fmt: skip
    code, model = Code(parse(lines)), MODELS["cortex-m55"]
    assert modelled_cycles([Block(0, 4, 16, 1)], code, model) == 1 + 1 + 1
    assert modelled_cycles([Block(16, 4, 16, 7)], code, model) == 7 * (2 + 1 + 1)


@pytest.mark.qemu
@pytest.mark.parametrize("name", MVE)
def test_classes_of_mve(name: str, tmp_path: Path) -> None:
    wanted = MVE[name].split(";")
    instructions = assemble("cortex-m55", MVE[name], tmp_path)
    assert len(instructions) == len(wanted)
    for source, instruction in zip(wanted, instructions, strict=True):
        found = mve_class(instruction.encoding) if instruction.size == 4 else None
        assert found == (None if name == "scalar" else name), source
    if name == "gather":
        assert [gathered_elements(one.encoding) for one in instructions] == [8, 4, 4, 16, 4, 2, 2]


#: Runs a loop of 2 * n + 1 instructions between two readings of the counter.
LOOP_PROGRAM = """
#include "port.h"
__attribute__((naked, noipa)) static void loop(uint32_t n) {
    __asm__ volatile(".syntax unified\\n1:\\tsubs r0, #1\\n\\tbne 1b\\n\\tbx lr");
}
int main(void) {
    (void)port_counter();
    loop(1000);
    (void)port_counter();
    return 0;
}
"""
#: 1000 times subs and bne, 999 of them taken; the call's BL and the start of the loop are counted with it.
LOOP_CYCLES = {
    "mps2_an386": 1000 * (1 + 3) - 2 + 2,
    "mps2_an385_m0plus": 1000 * (1 + 2) - 1 + 2,
}


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", LOOP_CYCLES)
def test_a_traced_loop(board_name: str, tmp_path: Path) -> None:
    board = load_board(board_name)
    run_program(board, LOOP_PROGRAM, tmp_path)
    image = tmp_path / "main.elf"
    functions = _functions(image, ("port_counter", "loop"))
    mark = functions["port_counter"].start
    before, between, after = trace_blocks(board, image, tmp_path, mark=mark, timeout=20)
    code = disassemble(image)
    loop = [block for block in between if block.first in functions["loop"]]
    assert instructions_of(loop, code) == 2001
    assert modelled_cycles(loop, code, MODELS[board.core]) == LOOP_CYCLES[board_name] + 1
    assert not [block for block in (*before, *after) if block.first in functions["loop"]]


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", ["mps2_an386", "mps2_an385_m0plus", "mps3_an547"])
def test_traced_instructions_are_those_that_icount_counts(board_name: str, tmp_path: Path) -> None:
    """The whole exactly, or model_cycles would refuse; the layers too, which share out the same excess."""
    board = load_board(board_name)
    deployment = deploy(tiny_model(), board, optimize="time")
    (image,) = build_images(board, deployment, ("profile",), tmp_path)
    (tmp_path / "tiny_inputs.bin").write_bytes(pack_samples(default_inputs(deployment.graph, 1)))
    counts = count_instructions(deployment, board, image, tmp_path, 60)
    cycles = model_cycles(board, image, tmp_path, counts, 60)
    assert sum(cycles.layers) == cycles.cycles > 0.9 * counts.instructions
    functions = _functions(image, ("port_counter", "tiny_invoke"))
    parts = trace_blocks(board, image, tmp_path, mark=functions["port_counter"].start, timeout=60)
    code = disassemble(image)
    nothing, whole, again = (instructions_of(parts[i], code) for i in (1, 3, 5))
    assert whole == again == counts.instructions + nothing - 1
    assert len(parts) == 8 + len(counts.layers)


@pytest.mark.qemu
def test_without_a_compiler_cycles_are_left_out_and_a_note_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2_an386")
    deployment = deploy(tiny_model(), board)
    monkeypatch.setenv("CC", "no-such-compiler")
    notes: list[str] = []
    report = profile_on_qemu(deployment, board, default_inputs(deployment.graph, 1), note=notes.append)
    assert report["modelled_cycles"] is None
    assert [layer["modelled_cycles"] for layer in report["layers"]] == [None, None]
    (note,) = notes
    assert "modelled_cycles" in note and "no-such-compiler" in note


@pytest.mark.qemu
def test_a_qemu_that_refuses_the_plugin_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2_an386")
    model = tiny_model()
    deployment = pipeline.deploy(model, CORES[board.core], GenerateOptions())
    monkeypatch.setattr(trace, "_api", lambda: 99)
    notes: list[str] = []
    report = profile_on_qemu(deployment, board, default_inputs(model.graph, 1), note=notes.append)
    assert report["modelled_cycles"] is None and report["instructions"] > 0
    assert len(notes) == 1 and "version" in notes[0]
