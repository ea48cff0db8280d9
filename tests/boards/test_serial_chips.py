"""Boards that QEMU does not have, at a serial port: serve.c and the UART's driver on a model of the chip."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.boards import Board, list_boards, load_board, qemu_boards
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.verify.image import build_images
from mcu_quant.verify.serial_engine import SerialEngine
from mcu_quant.verify.serial_port import PortOptions
from tests.boards.chips import Chip
from tests.boards.emulated import chip_of, run
from tests.boards.models import deploy, tiny_model


@contextmanager
def served(board: Board, image: Path) -> Iterator[str]:
    """The URL of the board's UART, for one connection."""
    chip, over = chip_of(board), threading.Event()
    with closing(socket.create_server(("localhost", 0))) as server:
        server.settimeout(20)
        threads = [
            threading.Thread(target=run, args=(board, image, chip, over.is_set), daemon=True),
            threading.Thread(target=_join, args=(server, chip, over), daemon=True),
        ]
        for thread in threads:
            thread.start()
        yield f"socket://localhost:{server.getsockname()[1]}"
        over.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()


def _join(server: socket.socket, chip: Chip, over: threading.Event) -> None:
    """Carry bytes between the connection and the chip's UART."""
    connection, _ = server.accept()
    carried = 0
    with closing(connection):
        connection.settimeout(0.002)
        while not over.is_set():
            if len(chip.uart.sent) > carried:
                connection.sendall(chip.uart.sent[carried:])
                carried = len(chip.uart.sent)
            try:
                chip.uart.coming.extend(connection.recv(4096))
            except TimeoutError:
                continue


@pytest.mark.qemu
@pytest.mark.parametrize("name", [name for name in list_boards() if name not in qemu_boards()])
def test_samples_on_boards_that_qemu_has_not(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    deployment = deploy(tiny_model(), board)
    inputs = default_inputs(deployment.graph, 3)
    (image,) = build_images(board, deployment, ("serve",), tmp_path)
    with served(board, image) as url:
        engine = SerialEngine(deployment, board, PortOptions(url))
        (outputs,) = engine.run(inputs)
    assert np.array_equal(outputs, run_graph(deployment.reference, inputs)[0])
    assert engine.restarts == 0
