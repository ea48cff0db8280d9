/* SPDX-License-Identifier: 0BSD
 *
 * BBC micro:bit v1. Registers: nRF51 Series Reference Manual v3.0, chapters CLOCK, GPIO and UART.
 */
#include "port.h"
#include "registers.h"

void board_start(void) {
    const uint32_t clock = 0x40000000u, uart = 0x40002000u, gpio = 0x50000000u;
    REGISTER(clock) = 1u;               /* TASKS_HFCLKSTART: the crystal, for an exact baud rate */
    REGISTER(gpio + 0x508u) = 1u << 24; /* OUTSET: an idle line is high */
    REGISTER(gpio + 0x518u) = 1u << 24; /* DIRSET */
    REGISTER(uart + 0x50Cu) = 24u;      /* PSELTXD */
    REGISTER(uart + 0x514u) = 25u;      /* PSELRXD */
}
