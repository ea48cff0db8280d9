"""Clocks and gates of the chips, as start-up code sees them: what reads as what after which writes.

Each model is written from the chip's reference manual, and knows nothing of boards/: a program that waits for
what the chip would not say waits for ever, and what is written to a peripheral without a clock is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tests.boards.uarts import MHZ, Uart


class Chip:
    """Registers by word. gates: address of a peripheral → register and bit that give it a clock."""

    reset: ClassVar[Mapping[int, int]] = {}
    gates: ClassVar[Mapping[int, tuple[int, int]]] = {}
    #: Wait states of flash that the chip must have been told of at the speed it runs at.
    least_wait_states = 0

    def __init__(self, uart: Uart) -> None:
        self.words = dict(self.reset)
        self.uart = uart

    def read(self, address: int, size: int) -> int:
        if not self.has_clock(address):
            return 0
        word = self.uart.status(self, address)
        word = self.status(address & ~3, self.words.get(address & ~3, 0)) if word is None else word
        return word >> 8 * (address & 3) & (1 << 8 * size) - 1

    def write(self, address: int, size: int, value: int) -> None:
        if self.has_clock(address):
            shift, mask = 8 * (address & 3), (1 << 8 * size) - 1
            self.words[address & ~3] = (
                self.words.get(address & ~3, 0) & ~(mask << shift) | (value & mask) << shift
            )
            self.uart.written(self, address, value & mask)

    def has_clock(self, address: int) -> bool:
        gate = self.gates.get(address & ~0x3FF) or self.gates.get(address & ~0xFFF)
        return gate is None or bool(self.words.get(gate[0], 0) >> gate[1] & 1)

    def status(self, address: int, word: int) -> int:
        """What a register reads as: bits that say that something is ready."""
        return word

    def bits(self, address: int, first: int, count: int) -> int:
        return self.words.get(address, 0) >> first & (1 << count) - 1

    def core_hz(self) -> float:
        raise NotImplementedError

    def uart_hz(self) -> float:
        return self.core_hz()

    def wait_states(self) -> int:
        return self.least_wait_states


def _apb(code: int) -> int:
    """PPRE of all STM32: 1, or 2 to 16 from 100 on."""
    return 1 if code < 4 else 2 << code - 4


def _ahb(code: int) -> int:
    """HPRE: 1, or 2 to 512 from 1000 on; there is no 32."""
    return 1 if code < 8 else (2, 4, 8, 16, 64, 128, 256, 512)[code - 8]


class Stm32F1(Chip):
    reset: ClassVar[Mapping[int, int]] = {0x40021000: 0x83}
    gates: ClassVar[Mapping[int, tuple[int, int]]] = {
        0x40013800: (0x40021018, 14),
        0x40010800: (0x40021018, 2),
    }

    def core_hz(self) -> float:
        assert self.bits(0x40021004, 0, 2) == 0
        return 8 * MHZ


class Stm32F4(Chip):
    """F405, F446, F746."""

    reset: ClassVar[Mapping[int, int]] = {0x40023800: 0x83, 0x40023804: 0x24003010, 0x40007000: 0xC000}
    gates: ClassVar[Mapping[int, tuple[int, int]]] = {
        0x40020000: (0x40023830, 0),
        0x40020400: (0x40023830, 1),
        0x40020800: (0x40023830, 2),
        0x40007000: (0x40023840, 28),
        0x40004400: (0x40023840, 17),
        0x40011000: (0x40023844, 4),
        0x40011400: (0x40023844, 5),
    }
    on_apb2 = False

    def status(self, address: int, word: int) -> int:
        if address == 0x40023800:
            return word & ~(1 << 25) | (word >> 24 & 1) << 25
        if address == 0x40023808:
            return word & ~0xC | (word & 3) << 2
        if address == 0x40007004:
            return self.words.get(0x40007000, 0) & 3 << 16
        return word

    def core_hz(self) -> float:
        source = self.bits(0x40023808, 0, 2)
        assert source in (0, 2)
        pll = 0x40023804
        divider = 2 * self.bits(pll, 16, 2) + 2
        hz = 16 * MHZ / self.bits(pll, 0, 6) * self.bits(pll, 6, 9) / divider if source else 16 * MHZ
        if source:
            assert self.bits(pll, 30, 2) == 0 and self.bits(pll, 28, 2) == 2, "F405, F746: reserved; F446: R"
            assert self.bits(pll, 22, 1) == 0 and 1 <= 16 / self.bits(pll, 0, 6) <= 2
            assert self.bits(0x40007000, 16, 2) == 3 and self.bits(0x40007000, 14, 2) == 3, (
                "over-drive, scale 1"
            )
        return hz / _ahb(self.bits(0x40023808, 4, 4))

    def uart_hz(self) -> float:
        return self.core_hz() / _apb(self.bits(0x40023808, 13 if self.on_apb2 else 10, 3))

    def wait_states(self) -> int:
        return self.bits(0x40023C00, 0, 4)


class Stm32F405(Stm32F4):
    on_apb2 = True


class Stm32F446(Stm32F4):
    least_wait_states = 5


class Stm32F746(Stm32F4):
    on_apb2 = True
    least_wait_states = 7


class Stm32L4(Chip):
    """L4+: HSI and PLL; port G has no supply before IOSV."""

    reset: ClassVar[Mapping[int, int]] = {
        0x40021000: 0x63,
        0x4000_7000: 0x200,
        0x40007080: 0x100,
        0x48001800: 0xFFFFFFFF,
    }
    gates: ClassVar[Mapping[int, tuple[int, int]]] = {
        0x40008000: (0x4002105C, 0),
        0x40007000: (0x40021058, 28),
        0x48001800: (0x4002104C, 6),
    }
    least_wait_states = 5

    def has_clock(self, address: int) -> bool:
        is_port_g = address & ~0x3FF == 0x48001800
        return super().has_clock(address) and (not is_port_g or bool(self.bits(0x40007004, 9, 1)))

    def status(self, address: int, word: int) -> int:
        if address == 0x40021000:
            return word & ~(1 << 25 | 1 << 10) | (word >> 24 & 1) << 25 | (word >> 8 & 1) << 10
        return word & ~0xC | (word & 3) << 2 if address == 0x40021008 else word

    def core_hz(self) -> float:
        pll, config = 0x4002100C, 0x40021008
        assert self.bits(config, 0, 2) == 3 and self.bits(pll, 0, 2) == 2 and self.bits(pll, 24, 1) == 1
        entry = 16 * MHZ / (self.bits(pll, 4, 4) + 1)
        hz = entry * self.bits(pll, 8, 7) / (2 * self.bits(pll, 25, 2) + 2) / _ahb(self.bits(config, 4, 4))
        assert hz <= 80 * MHZ or self.bits(0x40007080, 8, 1) == 0, "boost mode"
        return hz

    def uart_hz(self) -> float:
        return self.core_hz() / _apb(self.bits(0x40021008, 8, 3))

    def wait_states(self) -> int:
        return self.bits(0x40022000, 0, 4)


class Stm32G0(Chip):
    reset: ClassVar[Mapping[int, int]] = {0x40021000: 0x500, 0x50000000: 0xEBFFFFFF}
    gates: ClassVar[Mapping[int, tuple[int, int]]] = {
        0x40004400: (0x4002103C, 17),
        0x40000000: (0x4002103C, 0),
        0x50000000: (0x40021034, 0),
    }
    least_wait_states = 2

    def status(self, address: int, word: int) -> int:
        if address == 0x40021000:
            return word & ~(1 << 25) | (word >> 24 & 1) << 25
        return word & ~0x38 | (word & 7) << 3 if address == 0x40021008 else word

    def core_hz(self) -> float:
        pll = 0x4002100C
        assert self.bits(0x40021008, 0, 3) == 2 and self.bits(pll, 0, 2) == 2 and self.bits(pll, 28, 1) == 1
        vco = 16 * MHZ / (self.bits(pll, 4, 3) + 1) * self.bits(pll, 8, 7)
        return vco / (self.bits(pll, 29, 3) + 1) / _ahb(self.bits(0x40021008, 8, 4))

    def wait_states(self) -> int:
        return self.bits(0x40022000, 0, 3)


class Stm32H7(Chip):
    """Of revision Y, whose AXI SRAM must be told to read one word at a time (ES0392, 2.2.9).

    The supply is set for good by the first write of CR3.
    """

    reset: ClassVar[Mapping[int, int]] = {
        0x5C001000: 0x10036450,
        0x58024400: 0x83 | 4,
        0x5802480C: 6,
        0x58024818: 0x4000,
        0x58020C00: 0xFFFFFFFF,
    }
    gates: ClassVar[Mapping[int, tuple[int, int]]] = {
        0x40004800: (0x580244E8, 18),
        0x58020C00: (0x580244E0, 3),
    }
    least_wait_states = 2

    def status(self, address: int, word: int) -> int:
        if address == 0x58024400:
            return word & ~(1 << 25) | (word >> 24 & 1) << 25
        if address == 0x58024410:
            return word & ~0x38 | (word & 7) << 3
        if address == 0x58024804:
            return (1 << 13) * (self.bits(0x5802480C, 0, 3) == 2)
        return word | 1 << 13 if address == 0x58024818 else word

    def core_hz(self) -> float:
        assert self.bits(0x51008108, 0, 1) == 1, "reads of the AXI SRAM"
        assert self.bits(0x58024410, 0, 3) == 3 and self.bits(0x58024428, 0, 2) == 0
        assert self.bits(0x5802442C, 16, 1) == 1 and self.bits(0x58024818, 14, 2) == 3, (
            "P on, voltage scale 1"
        )
        entry = 64 * MHZ / self.bits(0x58024428, 4, 6)
        assert 8 * MHZ <= entry <= 16 * MHZ and self.bits(0x5802442C, 2, 2) == 3
        vco = entry * (self.bits(0x58024430, 0, 9) + 1)
        assert 192 * MHZ <= vco <= 836 * MHZ
        return vco / (self.bits(0x58024430, 9, 7) + 1) / _ahb(self.bits(0x58024418, 8, 4))

    def uart_hz(self) -> float:
        ahb = self.core_hz() / _ahb(self.bits(0x58024418, 0, 4))
        assert ahb <= 200 * MHZ
        return ahb / _apb(self.bits(0x5802441C, 4, 3))

    def wait_states(self) -> int:
        return self.bits(0x52002000, 0, 4)


class Stm32U5(Chip):
    """The booster is ready only if PLL1 has a source."""

    reset: ClassVar[Mapping[int, int]] = {0x46020C00: 0x35, 0x4602080C: 0x8000, 0x42020000: 0xABFFFFFF}
    gates: ClassVar[Mapping[int, tuple[int, int]]] = {
        0x40013800: (0x46020CA4, 14),
        0x42020000: (0x46020C8C, 0),
        0x46020800: (0x46020C94, 2),
    }
    least_wait_states = 4

    def status(self, address: int, word: int) -> int:
        if address == 0x46020C00:
            return word & ~(1 << 25 | 1 << 10) | (word >> 24 & 1) << 25 | (word >> 8 & 1) << 10
        if address == 0x46020C1C:
            return word & ~0xC | (word & 3) << 2
        if address == 0x4602080C:
            boosts = word >> 18 & 1 and self.bits(0x46020C28, 0, 2) != 0
            return word & ~(3 << 14) | 1 << 15 | bool(boosts) << 14
        return word

    def core_hz(self) -> float:
        pll = 0x46020C28
        assert self.bits(0x46020C1C, 0, 2) == 3 and self.bits(pll, 0, 2) == 2 and self.bits(pll, 18, 1) == 1
        entry = 16 * MHZ / (self.bits(pll, 8, 4) + 1)
        assert entry >= 8 * MHZ and self.bits(pll, 2, 2) == 3
        hz = entry * (self.bits(0x46020C34, 0, 9) + 1) / (self.bits(0x46020C34, 24, 7) + 1)
        assert self.bits(0x4602080C, 16, 2) == 3 and self.bits(0x4602080C, 18, 1) == 1, "range 1, booster"
        return hz / _ahb(self.bits(0x46020C20, 0, 4))

    def uart_hz(self) -> float:
        return self.core_hz() / _apb(self.bits(0x46020C20, 8, 3))

    def wait_states(self) -> int:
        return self.bits(0x40022000, 0, 4)


class Nordic(Chip):
    def status(self, address: int, word: int) -> int:
        return 0x10001 * self.bits(0x40000000, 0, 1) if address == 0x4000040C else word

    def core_hz(self) -> float:
        assert self.bits(0x40000000, 0, 1) == 1, "the crystal"
        assert self.words.get(0x40000558) == 0x5A, "debuggers are locked out"
        return 64 * MHZ

    def uart_hz(self) -> float:
        return 16 * MHZ


class Rp2(Chip):
    """Resets, crystal, PLL_SYS and the two switches of clk_sys, at the addresses of the chip."""

    resets, xosc, clocks, pll, uart_reset = 0x4000C000, 0x40024000, 0x40008000, 0x40028000, 22
    peripherals: ClassVar[Mapping[int, int]] = {0x40014000: 5, 0x4001C000: 8, 0x40028000: 12, 0x40034000: 22}

    def __init__(self, uart: Uart) -> None:
        super().__init__(uart)
        self.words |= {self.resets: 0x1FFFFFFF, self.pll + 4: 0x2D}

    def has_clock(self, address: int) -> bool:
        bit = self.peripherals.get(address & ~0xFFF)
        return bit is None or not self.bits(self.resets, bit, 1)

    def status(self, address: int, word: int) -> int:
        if address == self.resets + 8:
            uart_waits = not self.bits(self.clocks + 0x48, 11, 1)
            return ~self.words[self.resets] & 0x1FFFFFFF & ~(uart_waits << self.uart_reset)
        if address == self.xosc + 4:
            return (1 << 31) * (self.bits(self.xosc, 12, 12) == 0xFAB)
        if address == self.clocks + 0x38:
            return 1 << self.bits(self.clocks + 0x30, 0, 2)
        if address == self.clocks + 0x44:
            return 1 << self.bits(self.clocks + 0x3C, 0, 1)
        if address == self.pll:
            return word | (1 << 31) * (self.bits(self.pll + 4, 0, 6) & 0x21 == 0)
        return word

    def core_hz(self) -> float:
        assert self.bits(self.clocks + 0x30, 0, 2) == 2 and self.bits(self.clocks + 0x3C, 0, 1) == 1
        assert self.bits(self.clocks + 0x3C, 5, 3) == 0 and self.bits(self.pll + 4, 0, 6) & 0x29 == 0
        vco = 12 * MHZ / self.bits(self.pll, 0, 6) * self.bits(self.pll + 8, 0, 12)
        assert 750 * MHZ <= vco <= 1600 * MHZ
        return vco / self.bits(self.pll + 12, 16, 3) / self.bits(self.pll + 12, 12, 3)


class Rp2350(Rp2):
    resets, xosc, clocks, pll, uart_reset = 0x40020000, 0x40048000, 0x40010000, 0x40050000, 26
    peripherals: ClassVar[Mapping[int, int]] = {0x40028000: 6, 0x40038000: 9, 0x40050000: 14, 0x40070000: 26}


class Kinetis(Chip):
    """MCG, SIM; the watchdog takes its control word only after both keys."""

    reset: ClassVar[Mapping[int, int]] = {0x40064000: 0x8004, 0x40052000: 0x01D3, 0x40048044: 0x00110000}
    gates: ClassVar[Mapping[int, tuple[int, int]]] = {
        0x4006A000: (0x40048034, 10),
        0x4004A000: (0x40048038, 10),
    }

    def __init__(self, uart: Uart) -> None:
        super().__init__(uart)
        self.keys: list[int] = []

    def write(self, address: int, size: int, value: int) -> None:
        if address == 0x4005200E:
            self.keys.append(value)
        elif address != 0x40052000 or self.keys[-2:] == [0xC520, 0xD928]:
            super().write(address, size, value)

    def status(self, address: int, word: int) -> int:
        if address != 0x40064004:
            return word
        c1, has_pll = self.bits(0x40064000, 0, 8), self.bits(0x40064004, 8 + 6, 1)
        clock = c1 >> 6 if c1 >> 6 else (3 if has_pll else 0)
        return word & 0xFFFF | (clock << 2 | (c1 >> 2 & 1) << 4 | has_pll << 5 | has_pll << 6) << 16

    def core_hz(self) -> float:
        assert self.bits(0x40064000, 0, 8) >> 6 == 0 and self.bits(0x40064004, 14, 1) == 1
        assert self.bits(0x40052000, 0, 1) == 0, "the watchdog is off"
        entry = 50 * MHZ / (self.bits(0x40064004, 0, 5) + 1)
        assert 2 * MHZ <= entry <= 4 * MHZ
        pll = entry * (self.bits(0x40064004, 8, 5) + 24)
        bus, flash = (pll / (self.bits(0x40048044, first, 4) + 1) for first in (24, 16))
        assert bus <= 60 * MHZ and flash <= 25 * MHZ
        return pll / (self.bits(0x40048044, 28, 4) + 1)
