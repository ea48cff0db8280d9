/* SPDX-License-Identifier: 0BSD
 *
 * Netduino Plus 2, on the clock of reset. Registers: RM0090, chapters RCC and GPIO.
 */
#include "port.h"
#include "registers.h"
#include "stm32_gpio.h"

void board_start(void) {
    const uint32_t rcc = 0x40023800u, port_c = 0x40020800u;
    set_bits(rcc + 0x30u, 1u << 2); /* AHB1ENR: GPIOC */
    set_bits(rcc + 0x40u, 1u << 0); /* APB1ENR: TIM2 */
    set_bits(rcc + 0x44u, 1u << 5); /* APB2ENR: USART6 */
    pin_alternate(port_c, 6u, 8u);
    pin_alternate(port_c, 7u, 8u);
}
