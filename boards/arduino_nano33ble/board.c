/* SPDX-License-Identifier: 0BSD
 *
 * Arduino Nano 33 BLE. Registers: nRF52840 Product Specification v1.7, chapters NVMC, CLOCK, GPIO and
 * UART. The boot loader may have used the UART: it is off while pins are chosen.
 */
#include "port.h"
#include "registers.h"

void board_start(void) {
    const uint32_t clock = 0x40000000u, uart = 0x40002000u, nvmc = 0x4001E000u, p1 = 0x50000300u;
    REGISTER(nvmc + 0x540u) = 1u; /* ICACHECNF: instruction cache on */
    REGISTER(clock) = 1u;         /* TASKS_HFCLKSTART: the crystal, for an exact baud rate */
    wait_for(clock + 0x100u, 1u, 1u);
    REGISTER(uart + 0x500u) = 0u;        /* ENABLE */
    REGISTER(p1 + 0x508u) = 1u << 3;     /* OUTSET: an idle line is high */
    REGISTER(p1 + 0x518u) = 1u << 3;     /* DIRSET */
    REGISTER(p1 + 0x728u) = 0u;          /* PIN_CNF[10]: an input */
    REGISTER(uart + 0x50Cu) = 32u + 3u;  /* PSEL.TXD */
    REGISTER(uart + 0x514u) = 32u + 10u; /* PSEL.RXD */
}
