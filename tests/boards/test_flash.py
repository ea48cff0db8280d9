"""flash: images really loaded through QEMU's GDB server; files that others read; commands that tools know."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from intelhex import IntelHex

from mcu_quant.boards import Board, FlashTool, list_boards, load_board
from mcu_quant.errors import (
    DeviceError,
    DoesNotFitError,
    EngineFailedError,
    InvalidInputError,
    ToolMissingError,
)
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.flashing.commands import transport
from mcu_quant.flashing.gdb import check_gdb
from mcu_quant.flashing.images import Segment, binary, check_image, intel_hex, read_segments, uf2
from mcu_quant.flashing.job import Job
from mcu_quant.flashing.project import FlashOptions, flash_project
from mcu_quant.outputs import write_directory
from mcu_quant.pipeline import manifest_facts
from mcu_quant.samples import default_inputs
from mcu_quant.verify.image import build_images
from mcu_quant.verify.serial_engine import SerialEngine
from mcu_quant.verify.serial_port import PortOptions
from tests.boards.models import deploy, tiny_model
from tests.boards.serial_boards import free_port, running
from tests.conftest import require_tools

M4 = load_board("mps2_an386")


def project(board: Board, folder: Path) -> Path:
    """A project as far as flash looks at it: the manifest, and build/serve.elf and firmware.elf."""
    deployment = deploy(tiny_model(), board)
    directory = folder / board.name
    write_directory(directory, {"README.md": "x\n"}, manifest_facts([deployment], board))
    (directory / "build").mkdir()
    for image in build_images(board, deployment, ("serve", "main"), folder / "objects"):
        name = "firmware.elf" if image.stem == "main" else image.name
        shutil.copyfile(image, directory / "build" / name)
    return directory


@pytest.fixture(scope="module")
def pico(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tools("arm-none-eabi-gcc")
    return project(load_board("rpi_pico"), tmp_path_factory.mktemp("pico"))


@pytest.fixture(scope="module")
def nucleo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tools("arm-none-eabi-gcc")
    return project(load_board("nucleo_f446re"), tmp_path_factory.mktemp("nucleo"))


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["mps2_an386", "microbit", "netduinoplus2"])
def test_flash_loads_an_image_through_a_gdb_server(name: str, tmp_path: Path) -> None:
    """An empty machine is given the image; its memory then holds it, and the program runs and answers."""
    require_tools("gdb-multiarch")
    board, server = load_board(name), f"localhost:{free_port()}"
    directory = project(board, tmp_path)
    with running(board, tmp_path, "-S", "-gdb", f"tcp:{server}") as machine:
        options = FlashOptions("serve", tool="gdb", server=server)
        done = flash_project(directory, options)
        assert done.tool == "gdb" and done.command[0].endswith("gdb-multiarch")
        for segment in read_segments(done.image):
            machine.ask(
                "memsave", val=segment.address, size=len(segment.data), filename=str(tmp_path / "mem")
            )
            assert (tmp_path / "mem").read_bytes() == segment.data
        deployment = deploy(tiny_model(), board)
        inputs = default_inputs(deployment.graph, 2)
        (output,) = SerialEngine(deployment, board, PortOptions(machine.url)).run(inputs)
    assert len(output) == 4 and len(np.unique(output)) > 1


@pytest.mark.qemu
def test_memory_that_does_not_take_the_image_is_an_error(tmp_path: Path) -> None:
    """A machine that has nothing at the addresses of the board's flash."""
    require_tools("gdb-multiarch")
    board, server = load_board("mps2_an505"), f"localhost:{free_port()}"
    directory = project(board, tmp_path)
    with (
        running(load_board("mps2_an385"), tmp_path, "-S", "-gdb", f"tcp:{server}"),
        pytest.raises(EngineFailedError, match=r"other bytes in \.vectors, \.mq_code, "),
    ):
        flash_project(directory, FlashOptions("serve", tool="gdb", server=server))


@pytest.mark.slow
def test_no_gdb_server(nucleo: Path) -> None:
    require_tools("gdb-multiarch")
    with closing(socket.socket()) as one:
        one.bind(("localhost", 0))
        server = f"localhost:{one.getsockname()[1]}"
        with pytest.raises(DeviceError, match=r"a GDB server must listen there.*gdbserver"):
            flash_project(nucleo, FlashOptions(tool="gdb", server=server))


def test_what_gdb_compares_is_believed_only_if_it_compares(nucleo: Path) -> None:
    job = Job(M4, Path("a.elf"), Path("a.gdb"), "localhost:1")
    matched = "Section .text, range 0x0 -- 0x40: matched.\n"
    check_gdb(matched, job)
    with pytest.raises(EngineFailedError, match=r"other bytes in \.data"):
        check_gdb(matched + "Section .data, range 0x40 -- 0x48: MIS-MATCHED!\n", job)
    with pytest.raises(EngineFailedError, match="nothing was compared"):
        check_gdb("Loading section .text, size 0x40 lma 0x0\n", job)


SEGMENTS = {
    "one": [(0x08000000, 1000)],
    "a gap": [(0x08000000, 3), (0x08000200, 257), (0x08000400, 1)],
    "across 64 KiB": [(0x0800FFF7, 40), (0x0801FFFF, 2)],
    "neighbours in one page": [(0x08000010, 5), (0x08000015, 11), (0x08000030, 300)],
}


@pytest.mark.parametrize("case", SEGMENTS)
def test_files_are_what_independent_readers_make_of_them(case: str) -> None:
    """Intel HEX by intelhex; UF2 by Microsoft's converter; the binary by its addresses."""
    chance, region = np.random.default_rng(5), replace(M4.flash, address=0x08000000)
    segments = [Segment(at, chance.bytes(size)) for at, size in SEGMENTS[case]]
    expected = {s.address + i: byte for s in segments for i, byte in enumerate(s.data)}

    records = IntelHex(StringIO(intel_hex(segments)))
    assert {address: records[address] for address in records.addresses()} == expected

    raw = binary(segments, region)
    assert len(raw) == max(expected) + 1 - region.address
    assert all(byte == expected.get(region.address + i, 0xFF) for i, byte in enumerate(raw))

    pages = read_uf2(uf2(segments, region, 0xE48BFF56), 0xE48BFF56)
    assert all(pages[address] == byte for address, byte in expected.items())
    assert all(byte == expected.get(address, 0xFF) for address, byte in pages.items())


def read_uf2(data: bytes, family: int) -> dict[int, int]:
    """Address → byte, by adafruit_uf2 (Microsoft's uf2conv.py), asked block by block where each belongs."""
    from adafruit_uf2 import uf2conv

    assert uf2conv.is_uf2(data) and len(data) % 512 == 0
    found: dict[int, int] = {}
    for at in range(0, len(data), 512):
        block = data[at : at + 512]
        words = np.frombuffer(block[:32], "<u4")
        assert int(words[5]) == at // 512 and int(words[6]) == len(data) // 512 and int(words[7]) == family
        payload = uf2conv.convert_from_uf2(block)
        assert len(payload) == 256 and uf2conv.appstartaddr == int(words[3])
        found |= {int(words[3]) + i: byte for i, byte in enumerate(payload)}
    return found


def test_the_pico_uf2_has_its_image_and_family(pico: Path) -> None:
    done = flash_project(pico, FlashOptions(tool="uf2"), dry_run=True)
    board = load_board("rpi_pico")
    pages = read_uf2(done.image.read_bytes(), 0xE48BFF56)
    image = pico / "build" / "firmware.elf"
    raw = subprocess.run(
        ["arm-none-eabi-objcopy", "-O", "binary", image, pico / "build" / "expected.bin"], check=True
    )
    assert raw.returncode == 0
    expected = (pico / "build" / "expected.bin").read_bytes()
    assert bytes(pages[board.flash.address + i] for i in range(len(expected))) == expected


def test_the_binary_is_objcopys(nucleo: Path) -> None:
    """Up to what gaps hold: 0 there, erased flash here."""
    done = flash_project(nucleo, FlashOptions(tool="st-flash"), dry_run=True)
    elf, path = nucleo / "build" / "firmware.elf", nucleo / "build" / "expected.bin"
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", elf, path], check=True)
    expected, actual = path.read_bytes(), done.image.read_bytes()
    assert len(actual) == len(expected) > 1000
    assert all(a == b or (a, b) == (0xFF, 0) for a, b in zip(actual, expected, strict=True))


def test_the_drive_is_copied_to(pico: Path, tmp_path: Path) -> None:
    (tmp_path / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0")
    done = flash_project(pico, FlashOptions(tool="uf2", drive=tmp_path))
    assert (tmp_path / "firmware.uf2").read_bytes() == done.image.read_bytes()
    with pytest.raises(DeviceError, match=r"drive RPI-RP2 must be mounted.*BOOTSEL"):
        flash_project(pico, FlashOptions(tool="uf2"))


def test_a_drive_that_is_none_or_takes_no_file(pico: Path, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DeviceError, match=r"of a UF2 boot loader.*no INFO_UF2\.TXT.*BOOTSEL"):
            flash_project(pico, FlashOptions(tool="uf2", drive=place))
    (tmp_path / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0")
    (tmp_path / "firmware.uf2").mkdir()
    with pytest.raises(DeviceError, match=r"must take the file \(seen: Is a directory\)"):
        flash_project(pico, FlashOptions(tool="uf2", drive=tmp_path))


# What each board's tools are told.


def flash_tools(tool: str) -> list[tuple[str, FlashTool]]:
    return [
        (name, entry)
        for name in list_boards()
        for entry in load_board(name).flash_tools
        if entry.tool == tool
    ]


def test_every_pyocd_target_is_in_its_own_list() -> None:
    """Those of packs are not in pyOCD but in vendors' packs, whose index is not on this computer."""
    command = [sys.executable, "-m", "pyocd", "json", "--targets", "--no-config"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    known = {target["name"] for target in json.loads(listed.stdout)["targets"]}
    tools = flash_tools("pyocd")
    assert len(tools) >= 10
    for name, tool in tools:
        assert tool.pack or tool.target in known, f"{name}: pyOCD has no {tool.target}"
        assert not (tool.pack and tool.target in known), f"{name}: pyOCD has {tool.target} without a pack"
        assert not tool.pack or tool.target == pack_name(load_board(name).chip)


def pack_name(chip: str) -> str:
    """As ST's packs name a chip: its order code, x for the temperature; those of STM32F1 end before it."""
    code = chip.lower()
    return code[:11] if code.startswith("stm32f1") else re.sub(r"6(q?)$", r"x\1", code)


@pytest.mark.parametrize("name, tool", flash_tools("openocd"))
def test_openocd_reads_the_scripts_of_every_board(name: str, tool: FlashTool) -> None:
    require_tools("openocd")
    scripts = ["-f", tool.interface, *transport(tool), "-f", tool.target]
    done = subprocess.run(
        ["openocd", *scripts, "-c", "noinit", "-c", "shutdown"], capture_output=True, text=True, check=False
    )
    assert "Error" not in done.stderr and done.returncode == 0, f"{name}: {done.stderr}"


COMMANDS = {
    "pyocd": "pyocd load --no-wait --target stm32f446retx build/serve.elf",
    "openocd": "openocd -f interface/stlink.cfg -f target/stm32f4x.cfg "
    "-c 'program {build/serve.elf} verify reset exit'",
    "st-flash": "st-flash --reset write build/serve.bin 0x08000000",
    "jlink": "JLinkExe -device STM32F446RE -if SWD -speed 4000 -autoconnect 1 -NoGui 1 -ExitOnError 1 "
    "-CommandFile build/serve.jlink",
}


@pytest.mark.parametrize("tool", COMMANDS)
def test_a_dry_run_prints_the_command(tool: str, nucleo: Path) -> None:
    done = flash_project(nucleo, FlashOptions("serve", tool=tool), dry_run=True)
    shown = shlex.join([Path(done.command[0]).name, *done.command[1:]])
    assert shown.replace(f"{nucleo}/", "") == COMMANDS[tool]
    if tool == "jlink":
        script = (nucleo / "build" / "serve.jlink").read_text()
        assert f'loadfile "{nucleo}/build/serve.hex"' in script and script.endswith("r\ng\nqc\n")
        assert IntelHex(str(nucleo / "build" / "serve.hex")).minaddr() == 0x08000000


def test_every_tool_of_every_board_has_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an image of 8 bytes, at the board's flash; and of tools that are not there, which is quicker."""
    projects = {
        name: make_project(tmp_path / name, load_board(name), load_board(name).flash.address)
        for name in list_boards()
    }
    monkeypatch.setattr("mcu_quant.doctor.sys.executable", str(tmp_path / "none" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    for name, directory in projects.items():
        for tool in load_board(name).flash_tools:
            options = FlashOptions(tool=tool.tool, port="/dev/ttyACM0")
            done = flash_project(directory, options, dry_run=True)
            assert done.tool == tool.tool and done.bytes == 8
            assert not tool.target or any(tool.target in word for word in done.command)


def make_project(directory: Path, board: Board, address: int) -> Path:
    """With an image of 8 bytes at an address."""
    require_tools("arm-none-eabi-gcc")
    write_directory(directory, {"README.md": "x\n"}, {"board": board.name})
    (directory / "build").mkdir()
    source = directory / "build" / "x.c"
    source.write_text("const int data[2] = {1, 2};\n")
    layout = f"-Wl,-Ttext=0x{address:x},-e0,--section-start=.rodata=0x{address:x},-n"
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb", "-nostdlib", layout, str(source)]
    subprocess.run([*command, "-o", str(directory / "build" / "firmware.elf")], check=True)
    return directory


def test_what_is_in_no_memory_does_not_fit(tmp_path: Path) -> None:
    board = load_board("nucleo_f446re")
    inside = make_project(tmp_path / "a", board, board.flash.end - 8)
    assert flash_project(inside, dry_run=True).bytes == 8
    outside = make_project(tmp_path / "b", board, board.flash.end - 4)
    with pytest.raises(DoesNotFitError, match=r"0x0807FFFC to 0x08080003; flash is") as caught:
        flash_project(outside, dry_run=True)
    assert caught.value.exit_code == 3
    with pytest.raises(InvalidInputError, match="readable ELF"):
        (inside / "build" / "firmware.elf").write_bytes(b"no ELF")
        check_image(board, inside / "build" / "firmware.elf")


# Tools that are there and fail, or are not there.


def fake_tools(folder: Path, said: str, status: int, *names: str) -> str:
    """A PATH on which those tools are, and say that of anything but their version."""
    for name in names:
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$0 $@" >> "{folder}/log"\necho "{said}" >&2\nexit {status}\n')
        path.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    "tool, said, rule",
    [
        ("openocd", "Error: open failed", "a probe or a board in its boot loader must be connected"),
        ("st-flash", "WARN usb.c: Couldn't find any ST-Link devices", "must be connected"),
        ("openocd", "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS", "the probe must be open to you"),
        ("st-flash", "libusb: LIBUSB_ERROR_BUSY", "must not be in use by another program"),
        ("openocd", "Error: stm32x device protected: read-out protection", "must not be locked"),
        ("st-flash", "something new", "the tool must write the image"),
    ],
)
def test_what_tools_say_is_explained(
    tool: str, said: str, rule: str, nucleo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", fake_tools(tmp_path, said, 1, tool), prepend=os.pathsep)
    with pytest.raises(DeviceError, match=rule) as caught:
        flash_project(nucleo, FlashOptions(tool=tool))
    assert said in str(caught.value) and "Try: " in str(caught.value) and caught.value.exit_code == 2
    assert "ACCESS" not in said or "udev" in str(caught.value)


def test_pyocd_without_a_probe(nucleo: Path) -> None:
    """Really run; no computer that runs tests has a probe."""
    board = load_board("nrf52840_dk")
    directory = make_project(nucleo.parent / "nrf", board, board.flash.address)
    with pytest.raises(DeviceError, match=r"a probe .* must be connected \(seen: pyocd ended with 1"):
        flash_project(directory, FlashOptions(tool="pyocd"))


def test_the_first_tool_that_is_installed_is_taken(
    nucleo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcu_quant.doctor.sys.executable", str(tmp_path / "none" / "python"))
    monkeypatch.setenv("PATH", fake_tools(tmp_path, "done", 0, "st-flash"))
    done = flash_project(nucleo)
    assert done.tool == "st-flash"
    log = (tmp_path / "log").read_text().splitlines()
    assert log[-1] == f"{tmp_path}/st-flash --reset write {nucleo}/build/firmware.bin 0x08000000"
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(
        ToolMissingError, match=r"pyocd \(pip install pyocd\); or openocd \(.*; or jlink"
    ) as caught:
        flash_project(nucleo)
    assert caught.value.exit_code == 5
    assert flash_project(nucleo, dry_run=True).command[0] == "pyocd"


def test_what_makes_no_sense_is_refused(nucleo: Path, tmp_path: Path) -> None:
    cases: list[tuple[Path, dict[str, object], str]] = [
        (tmp_path, {}, "must be a generated firmware project"),
        (nucleo, {"board": "microbit"}, "must be nucleo_f446re.*seen: microbit"),
        (nucleo, {"tool": "bossac"}, "a board that bossac writes to.*seen: pyocd, openocd"),
        (nucleo, {"tool": "hammer"}, "the tool must be a known one.*seen: hammer"),
        (nucleo, {"program": "validate"}, "the program must be a known one"),
        (nucleo, {"tool": "gdb"}, "belong together"),
        (nucleo, {"server": "localhost:1"}, "belong together"),
    ]
    for directory, options, message in cases:
        with pytest.raises(InvalidInputError, match=message):
            flash_project(directory, FlashOptions(**options))  # type: ignore[arg-type]
    shutil.copytree(nucleo, tmp_path / "unbuilt", ignore=shutil.ignore_patterns("build"))
    with pytest.raises(InvalidInputError, match=r"must be built.*mcu-quant build"):
        flash_project(tmp_path / "unbuilt")


def test_bossac_needs_the_port_of_the_boot_loader(tmp_path: Path) -> None:
    board = load_board("arduino_nano33ble")
    directory = make_project(tmp_path / "a", board, board.flash.address)
    with pytest.raises(InvalidInputError, match="press reset twice"):
        flash_project(directory, FlashOptions(tool="bossac"), dry_run=True)


@pytest.mark.qemu
def test_the_python_interface(tmp_path: Path) -> None:
    """generate, flash, verify and profile, of a machine that was empty."""
    import mcu_quant as mq

    require_tools("make", "gdb-multiarch")
    file, server = tmp_path / "tiny.tflite", f"localhost:{free_port()}"
    file.write_bytes(write_tflite(tiny_model().graph))
    firmware = mq.generate(file, board=M4.name, output_dir=tmp_path / "out")
    with running(M4, tmp_path, "-S", "-gdb", f"tcp:{server}") as machine:
        assert firmware.flash("serve", tool="gdb", server=server).bytes > 1000
        assert [result.identical for result in firmware.verify(port=machine.url)] == [True, True]
        assert firmware.profile(port=machine.url)["measured_cycles"] > 0
    library = mq.generate(file, target="cortex-m4", output_dir=tmp_path / "library")
    with pytest.raises(InvalidInputError, match="cannot be profiled or flashed"):
        library.flash()
