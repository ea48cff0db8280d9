/* SPDX-License-Identifier: 0BSD
 *
 * STM32VLDISCOVERY, on the clock of reset. Registers: RM0041, chapters RCC and GPIO.
 */
#include "port.h"
#include "registers.h"

void board_start(void) {
    const uint32_t rcc = 0x40021000u, port_a = 0x40010800u;
    set_bits(rcc + 0x18u, 1u << 14 | 1u << 2); /* APB2ENR: USART1, port A */
    set_field(port_a + 0x04u, 0xFu << 4,
              0xBu << 4); /* CRH: PA9 is an alternate output; PA10 is an input already */
}
