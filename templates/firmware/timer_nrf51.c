/* SPDX-License-Identifier: 0BSD
 *
 * nRF51 TIMER0 at 16 MHz, 32 bits (the other timers of the nRF51 have 16). Registers: nRF51 Series
 * Reference Manual v3.0, section 19.
 */
#include "board.h"
#include "port.h"

#define REGISTER(position) (*(volatile uint32_t *)(BOARD_TIMER_ADDRESS + (position)))
#define TASKS_START REGISTER(0x000u)
#define TASKS_CLEAR REGISTER(0x00Cu)
#define TASKS_CAPTURE_0 REGISTER(0x040u)
#define MODE REGISTER(0x504u)
#define BITMODE REGISTER(0x508u)
#define PRESCALER REGISTER(0x510u)
#define CC_0 REGISTER(0x540u)

void port_counter_start(void) {
    MODE = 0u;
    BITMODE = 3u;
    PRESCALER = 0u;
    TASKS_CLEAR = 1u;
    TASKS_START = 1u;
}

uint32_t port_counter(void) {
    TASKS_CAPTURE_0 = 1u;
    return CC_0;
}
