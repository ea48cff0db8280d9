/* SPDX-License-Identifier: 0BSD
 *
 * CMSDK APB timer: 32 bits, counting down, reloading. Registers: Arm DDI 0479, section 4.4.
 */
#include "board.h"
#include "port.h"

typedef struct {
    volatile uint32_t control, value, reload, interrupt;
} cmsdk_timer_t;

#define TIMER ((cmsdk_timer_t *)BOARD_TIMER_ADDRESS)

void port_counter_start(void) {
    TIMER->control = 0u;
    TIMER->reload = 0xFFFFFFFFu;
    TIMER->value = 0xFFFFFFFFu;
    TIMER->control = 1u;
}

uint32_t port_counter(void) {
    return ~TIMER->value;
}
