/* SPDX-License-Identifier: 0BSD
 *
 * NUCLEO-G0B1RE at 64 MHz. Registers: RM0444, chapters FLASH, RCC and GPIO.
 */
#include "port.h"
#include "registers.h"
#include "stm32_gpio.h"

static const uint32_t rcc = 0x40021000u, flash = 0x40022000u;

static void start_clock(void) {
    set_field(flash, 7u, 2u); /* ACR: 2 wait states */
    set_bits(flash, 1u << 8 | 1u << 9);
    wait_for(flash, 7u, 2u);
    REGISTER(rcc + 0x0Cu) = 2u | 8u << 8 | 1u << 28 | 1u << 29; /* PLLCFGR: HSI * 8 / 2, output R */
    set_bits(rcc, 1u << 24);                                    /* CR: PLL */
    wait_for(rcc, 1u << 25, 1u << 25);
    set_field(rcc + 0x08u, 7u, 2u); /* CFGR: PLL */
    wait_for(rcc + 0x08u, 7u << 3, 2u << 3);
}

void board_start(void) {
    const uint32_t port_a = 0x50000000u;
    start_clock();
    set_bits(rcc + 0x34u, 1u << 0);            /* IOPENR: GPIOA */
    set_bits(rcc + 0x3Cu, 1u << 17 | 1u << 0); /* APBENR1: USART2, TIM2 */
    pin_alternate(port_a, 2u, 1u);
    pin_alternate(port_a, 3u, 1u);
}
