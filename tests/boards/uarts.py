"""UARTs of the chips, as programs see them: always ready to send, and keeping what they send while on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.boards.chips import Chip

MHZ = 1_000_000


@dataclass
class Uart:
    """address: of the UART. sent: every byte that it has sent. coming: what the program has not read yet."""

    address: int
    sent: bytearray = field(default_factory=bytearray)
    coming: deque[int] = field(default_factory=deque)

    def status(self, chip: Chip, address: int) -> int | None:
        """What the word at an address reads as; None if it is no register of the UART's state."""
        return None

    def received(self) -> int:
        """The data register, when it is read."""
        return self.coming.popleft() if self.coming else 0

    def written(self, chip: Chip, address: int, value: int) -> None:
        if address - self.address == self.data and self.is_on(chip):
            self.sent.append(value & 0xFF)

    data = 0

    def word(self, chip: Chip, register: int) -> int:
        return chip.words.get(self.address + register, 0)

    def is_on(self, chip: Chip) -> bool:
        raise NotImplementedError

    def baud(self, chip: Chip) -> float:
        raise NotImplementedError


class OldUsart(Uart):
    """STM32 F1, F4: SR, DR, BRR, CR1."""

    data = 0x04

    def status(self, chip: Chip, address: int) -> int | None:
        if address == self.address:
            return 0xC0 | 0x20 * bool(self.coming)
        return self.received() if address == self.address + 4 else None

    def is_on(self, chip: Chip) -> bool:
        return self.word(chip, 0x0C) & 0x2008 == 0x2008

    def baud(self, chip: Chip) -> float:
        return chip.uart_hz() / self.word(chip, 0x08)


class NewUsart(Uart):
    """STM32 F7, G0, H7, L4, U5: CR1 at 0, BRR at 0x0C, ISR at 0x1C, TDR at 0x28."""

    data = 0x28
    scale = 1

    def status(self, chip: Chip, address: int) -> int | None:
        if address == self.address + 0x1C:
            return 0xC0 | 0x20 * bool(self.coming)
        return self.received() if address == self.address + 0x24 else None

    def is_on(self, chip: Chip) -> bool:
        return self.word(chip, 0) & 9 == 9

    def baud(self, chip: Chip) -> float:
        return self.scale * chip.uart_hz() / self.word(chip, 0x0C)


class LowPowerUart(NewUsart):
    scale = 256


class NordicUart(Uart):
    """TXDRDY comes after a byte, not before the first."""

    data = 0x51C

    def status(self, chip: Chip, address: int) -> int | None:
        if address == self.address + 0x108:
            return int(bool(self.coming) and self.word(chip, 0) == 1)
        return self.received() if address == self.address + 0x518 else None

    def written(self, chip: Chip, address: int, value: int) -> None:
        super().written(chip, address, value)
        if address == self.address + self.data:
            chip.words[self.address + 0x11C] = 1

    def is_on(self, chip: Chip) -> bool:
        return self.word(chip, 0x500) == 4 and self.word(chip, 0x008) == 1

    def baud(self, chip: Chip) -> float:
        return self.word(chip, 0x524) * 16 * MHZ / 2**32


class Pl011(Uart):
    def status(self, chip: Chip, address: int) -> int | None:
        if address == self.address + 0x18:
            return 0x80 | 0x10 * (not self.coming)
        return self.received() if address == self.address else None

    def is_on(self, chip: Chip) -> bool:
        return self.word(chip, 0x30) & 0x101 == 0x101 and self.word(chip, 0x2C) & 0x70 == 0x70

    def baud(self, chip: Chip) -> float:
        return chip.uart_hz() / 16 / (self.word(chip, 0x24) + self.word(chip, 0x28) / 64)


class KinetisUart(Uart):
    data = 7

    def status(self, chip: Chip, address: int) -> int | None:
        if address == self.address + 4:
            return 0x80 | 0x20 * bool(self.coming)
        return self.received() << 24 if address == self.address + 7 else None

    def is_on(self, chip: Chip) -> bool:
        return bool(self.word(chip, 0) >> 24 & 8)

    def baud(self, chip: Chip) -> float:
        word = self.word(chip, 0)
        return (
            chip.uart_hz()
            / 16
            / ((word & 0x1F) * 256 + (word >> 8 & 0xFF) + (self.word(chip, 8) >> 16 & 0x1F) / 32)
        )
