/* SPDX-License-Identifier: 0BSD
 *
 * The cycle counter of the core's DWT, for Cortex-M3 and later. Registers: Armv7-M C1.6.5 (DEMCR) and
 * C1.8 (DWT_CTRL, DWT_CYCCNT); the lock: its appendix on CoreSight.
 */
#include "board.h"
#include "port.h"

#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DWT_CTRL (*(volatile uint32_t *)BOARD_TIMER_ADDRESS)
#define DWT_CYCCNT (*(volatile uint32_t *)(BOARD_TIMER_ADDRESS + 4u))
#define DWT_LAR (*(volatile uint32_t *)(BOARD_TIMER_ADDRESS + 0xFB0u))

void port_counter_start(void) {
    DEMCR |= 1u << 24;     /* TRCENA: the DWT is on */
    DWT_LAR = 0xC5ACCE55u; /* unlocked, where the chip has a lock (some Cortex-M7) */
    DWT_CYCCNT = 0u;
    DWT_CTRL |= 1u; /* CYCCNTENA */
}

uint32_t port_counter(void) {
    return DWT_CYCCNT;
}
