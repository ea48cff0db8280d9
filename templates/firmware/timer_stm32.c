/* SPDX-License-Identifier: 0BSD
 *
 * A 32-bit general-purpose timer of an STM32 (TIM2, TIM5), counting up without a prescaler; board_start()
 * has turned its clock on. Registers: RM0090, chapter on general-purpose timers.
 */
#include "board.h"
#include "port.h"

#define REGISTER(position) (*(volatile uint32_t *)(BOARD_TIMER_ADDRESS + (position)))
#define CONTROL REGISTER(0x00u)
#define EVENT REGISTER(0x14u)
#define COUNT REGISTER(0x24u)
#define PRESCALER REGISTER(0x28u)
#define RELOAD REGISTER(0x2Cu)

void port_counter_start(void) {
    PRESCALER = 0u;
    RELOAD = 0xFFFFFFFFu;
    EVENT = 1u; /* take both over */
    CONTROL = 1u;
}

uint32_t port_counter(void) {
    return COUNT;
}
