/* SPDX-License-Identifier: 0BSD
 *
 * nRF52840 DK. Registers: nRF52840 Product Specification v1.7, chapters NVMC, CLOCK, APPROTECT, GPIO and
 * UART.
 */
#include "port.h"
#include "registers.h"

void board_start(void) {
    const uint32_t clock = 0x40000000u, uart = 0x40002000u, nvmc = 0x4001E000u, p0 = 0x50000000u;
    REGISTER(clock + 0x558u) = 0x5Au; /* APPROTECT.DISABLE: chips from revision 3 on lock debuggers out */
    REGISTER(nvmc + 0x540u) = 1u;     /* ICACHECNF: instruction cache on */
    REGISTER(clock) = 1u;             /* TASKS_HFCLKSTART: the crystal, for an exact baud rate */
    wait_for(clock + 0x40Cu, 1u << 16 | 1u, 1u << 16 | 1u); /* HFCLKSTAT: it runs */
    REGISTER(p0 + 0x508u) = 1u << 6;                        /* OUTSET: an idle line is high */
    REGISTER(p0 + 0x518u) = 1u << 6;                        /* DIRSET */
    REGISTER(p0 + 0x720u) = 0u;                             /* PIN_CNF[8]: an input */
    REGISTER(uart + 0x50Cu) = 6u;                           /* PSEL.TXD */
    REGISTER(uart + 0x514u) = 8u;                           /* PSEL.RXD */
}
