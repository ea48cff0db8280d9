/* SPDX-License-Identifier: 0BSD
 *
 * SysTick: 24 bits, counting down, from the core's clock or, where BOARD_TIMER_HZ is another, from the
 * reference that the chip gives it. Its interrupt makes 32 bits of it where board.h says so. Registers:
 * Armv6-M B3.3.
 */
#include "board.h"
#include "port.h"

typedef struct {
    volatile uint32_t control, reload, value;
} systick_t;

#define SYSTICK ((systick_t *)BOARD_TIMER_ADDRESS)
#define LARGEST 0xFFFFFFu

enum { ENABLE = 1, INTERRUPT = 2, CORE_CLOCK = 4 };

#if BOARD_TIMER_BITS == 24

void port_counter_start(void) {
    SYSTICK->reload = LARGEST;
    SYSTICK->value = 0u;
    SYSTICK->control = ENABLE | (BOARD_TIMER_HZ == BOARD_CLOCK_HZ ? CORE_CLOCK : 0);
}

uint32_t port_counter(void) {
    return LARGEST - SYSTICK->value;
}

#else

static volatile uint32_t turns;

void SysTick_Handler(void);

/* A program with a SysTick_Handler of its own has no counter beyond 24 bits. */
__attribute__((weak)) void SysTick_Handler(void) {
    turns++;
}

void port_counter_start(void) {
    SYSTICK->reload = LARGEST;
    SYSTICK->value = 0u;
    SYSTICK->control = ENABLE | INTERRUPT | (BOARD_TIMER_HZ == BOARD_CLOCK_HZ ? CORE_CLOCK : 0);
}

uint32_t port_counter(void) {
    uint32_t turn, count;
    do {
        turn = turns;
        count = LARGEST - SYSTICK->value;
    } while (turn != turns);
    return turn << 24 | count;
}

#endif
