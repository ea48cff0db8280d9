/* SPDX-License-Identifier: 0BSD
 *
 * System timer of an Arm SSE-300 subsystem: the low word of its 64-bit counter, which runs at
 * BOARD_TIMER_HZ once enabled. Registers: Arm 101773 (SSE-300 TRM), system counter and timer frames.
 */
#include "board.h"
#include "port.h"

#define COUNTER_CONTROL (*(volatile uint32_t *)0x58100000u)
#define COUNT_LOW (*(volatile uint32_t *)BOARD_TIMER_ADDRESS)

void port_counter_start(void) {
    COUNTER_CONTROL = 1u;
}

uint32_t port_counter(void) {
    return COUNT_LOW;
}
