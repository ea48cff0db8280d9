"""Frames as the package cobs and zlib have them, in Python and in C; and what firmware makes of nonsense."""

from __future__ import annotations

import random
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from cobs import cobs

from mcu_quant.boards import load_board
from mcu_quant.codegen.project import render_sources
from mcu_quant.codegen.templates import environment
from mcu_quant.verify.serial_frames import OVERHEAD_BYTES, Frame, decode, stuff, unstuff
from tests.boards.models import tiny_model
from tests.codegen.deployments import deploy
from tests.conftest import require_tools

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-g", "-O1")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
#: A UART that is standard input and output; the end of input ends the program.
UART = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "uart.h"
void uart_start(void) {
}
int32_t uart_read(void) {
    const int byte = getchar();
    if (byte == EOF) {
        exit(fflush(stdout));
    }
    return byte;
}
int32_t uart_write(uint8_t byte) {
    return putchar(byte) != EOF;
}
"""
#: Sends back every frame that is whole, and "!" for each that is not.
ECHO = """
#include "frames.h"
int main(void) {
    static uint8_t buffer[600 + FRAME_CRC_BYTES];
    for (;;) {
        const size_t bytes = frame_receive(buffer, sizeof buffer);
        if (bytes == 0u) {
            buffer[0] = '!';
        }
        frame_send(buffer, bytes == 0u ? 1u : bytes);
    }
}
"""
LENGTHS = (1, 2, 3, 8, 100, 249, 250, 251, 253, 254, 255, 256, 503, 504, 505, 508, 509, 599, 600)


def random_bytes(chance: random.Random, length: int) -> bytes:
    """Mostly few zeros or many, for both have rules of their own."""
    zeros = chance.choice((0.0, 0.004, 0.5, 1.0))
    return bytes(0 if chance.random() < zeros else chance.randrange(1, 256) for _ in range(length))


@pytest.mark.parametrize("length", (0, *LENGTHS))
def test_stuffing_is_cobs(length: int) -> None:
    chance = random.Random(length)
    for _ in range(50):
        data = random_bytes(chance, length)
        stuffed = stuff(data)
        assert stuffed == cobs.encode(data) and 0 not in stuffed
        assert unstuff(stuffed) == data


def test_unstuffing_refuses_what_cobs_refuses() -> None:
    chance = random.Random(1)
    for _ in range(5_000):
        stuffed = bytes(chance.choice((1, 2, 3, 5, 255)) for _ in range(chance.randrange(1, 12)))
        try:
            expected: bytes | None = cobs.decode(stuffed)
        except cobs.DecodeError:
            expected = None
        assert unstuff(stuffed) == expected, stuffed


def test_a_frame_is_header_payload_and_crc() -> None:
    payload = bytes(range(256))
    body = struct.pack("<HBBI", 256, 3, 1, 0xFEDCBA98) + payload
    whole = body + struct.pack("<I", zlib.crc32(body))
    encoded = Frame(3, 1, 0xFEDCBA98, payload).encode()
    assert encoded == b"\0" + cobs.encode(whole) + b"\0"
    assert decode(encoded[1:-1]) == Frame(3, 1, 0xFEDCBA98, payload)
    assert len(encoded) <= OVERHEAD_BYTES + len(payload) + 2


def test_every_changed_byte_is_noticed() -> None:
    encoded = Frame(2, 0, 7, b"some payload").encode()[1:-1]
    for index in range(len(encoded)):
        for change in range(1, 256):
            damaged = bytearray(encoded)
            damaged[index] ^= change
            assert decode(bytes(damaged)) is None
    for index in range(len(encoded)):
        assert decode(encoded[:index] + encoded[index + 1 :]) is None
    assert decode(b"") is None
    short = stuff(struct.pack("<HBBI", 3, 1, 0, 0) + b"ab")
    assert decode(short) is None


def test_a_wrong_length_is_noticed() -> None:
    body = struct.pack("<HBBI", 3, 1, 0, 0) + b"ab"
    assert decode(stuff(body + struct.pack("<I", zlib.crc32(body)))) is None


def compile_c(folder: Path, sources: dict[str, str]) -> Path:
    require_tools("gcc")
    loader = environment("firmware").loader
    assert loader is not None
    for name in ("frames.c", "frames.h", "uart.h"):
        sources.setdefault(name, loader.get_source(environment("firmware"), name)[0])
    for name, text in {**sources, "uart_stdio.c": UART}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    names = [name for name in (*sources, "uart_stdio.c") if name.endswith(".c")]
    command = ["gcc", *FLAGS, *SANITIZE, "-I.", "-Imodel", "-Iboard", *names, "-o", "program"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "program"


def talk(program: Path, sent: bytes) -> list[bytes]:
    """What a program on stdin and stdout answers, cut at the zeros, unstuffed by the package."""
    done = subprocess.run([program], input=sent, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return [cobs.decode(piece) for piece in done.stdout.split(b"\0") if piece]


def with_crc(data: bytes) -> bytes:
    return data + struct.pack("<I", zlib.crc32(data))


def test_frames_in_c(tmp_path: Path) -> None:
    """Whole frames come back; what is damaged, too long or too short is noticed, and the next is found."""
    program, chance = compile_c(tmp_path, {"echo.c": ECHO}), random.Random(2)
    sent, expected = bytearray(), []
    for index in range(4_000):
        whole = with_crc(random_bytes(chance, chance.choice(LENGTHS)))
        piece = bytearray(cobs.encode(whole))
        expected.append(whole)
        if index % 2:
            piece[chance.randrange(len(piece))] ^= chance.randrange(1, 256)
            parts = [part for part in bytes(piece).split(b"\0") if part]
            expected[-1:] = [with_crc(b"!")] * len(parts)
        sent += b"\0" + piece + b"\0" * chance.randrange(1, 3)
    for nonsense in (cobs.encode(with_crc(random_bytes(chance, 601))), b"\x01", b"\x05", bytes([255]) * 3000):
        sent += nonsense + b"\0"
        expected.append(with_crc(b"!"))
    assert talk(program, bytes(sent)) == expected


def serve_on_host(folder: Path) -> Path:
    """serve.c and the model's library, compiled for this computer."""
    deployment = deploy(tiny_model().graph, core="generic")
    files = render_sources(load_board("microbit"), [deployment], ["serve.c"])
    wanted = {n: t for n, t in files.items() if n.startswith("model/") or n in ("serve.c", "board/board.h")}
    port = '#include "port.h"\nvoid port_counter_start(void) {\n}\n'
    port += "uint32_t port_counter(void) {\n    return 7u;\n}\n"
    return compile_c(folder, {**wanted, "board/port.h": files["board/port.h"], "port.c": port})


def request(command: int, sequence: int, payload: bytes) -> bytes:
    return (
        b"\0"
        + cobs.encode(with_crc(struct.pack("<HBBI", len(payload), command, 0, sequence) + payload))
        + b"\0"
    )


def test_nonsense_in_whole_frames_is_refused(tmp_path: Path) -> None:
    """Requests that no host of ours makes, of every command: an answer each, and no byte out of place."""
    program, chance = serve_on_host(tmp_path), random.Random(3)
    sent = bytearray(request(1, 0, b"\1"))
    count = 20_000
    for sequence in range(1, count):
        fields = [chance.choice((0, 1, 2, 7, 127, 255)) for _ in range(3)]
        position = chance.choice((0, 1, 4, 5, 11, 12, 13, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFA))
        payload = bytes(fields[: chance.choice((0, 1, 2, 2, 3, 3))])
        payload += struct.pack("<I", position)[: chance.choice((0, 4, 4, 4))]
        payload += random_bytes(chance, chance.choice((0, 1, 2, 2, 5, 12, 13, 64)))
        sent += request(chance.choice((0, 2, 2, 3, 3, 4, 5, 6, 255)), sequence, payload[:70])
    replies = talk(program, bytes(sent))
    assert len(replies) == count
    statuses = set()
    for sequence, reply in enumerate(replies):
        length, _, status, answered = struct.unpack_from("<HBBI", reply)
        assert answered == sequence and len(reply) == 12 + length
        statuses.add(status)
    assert statuses == {0, 4}


def test_requests_are_followed_once_and_in_order(tmp_path: Path) -> None:
    program = serve_on_host(tmp_path)
    sent = request(5, 9, b"\0\0")  # before there is a session
    sent += request(1, 100, b"\1") + request(3, 101, struct.pack("<BBI", 0, 0, 0) + bytes(12))
    sent += request(3, 101, struct.pack("<BBI", 0, 0, 0) + b"another")  # the same: not followed again
    sent += request(2, 103, struct.pack("<BBBIH", 1, 0, 0, 0, 5))  # one was left out
    sent += request(5, 102, b"\0\0") + b"\0" + b"\x02\x02\x03" + b"\0" + request(5, 102, b"\0\0")
    replies = talk(program, sent)
    headers = [struct.unpack_from("<HBBI", reply)[1:] for reply in replies]
    done, damaged, no_session, out_of_sequence = range(4)
    assert [h[1] for h in headers] == [no_session, done, done, done, out_of_sequence, done, damaged, done]
    assert replies[2] == replies[3] and replies[5] == replies[7]
    assert struct.unpack_from("<I", replies[2], 8) == (12,)
