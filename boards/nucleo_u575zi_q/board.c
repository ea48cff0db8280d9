/* SPDX-License-Identifier: 0BSD
 *
 * NUCLEO-U575ZI-Q at 160 MHz, which takes the booster of the core's supply, with its instruction cache.
 * Registers: RM0456, chapters FLASH, ICACHE, PWR, RCC and GPIO.
 */
#include "port.h"
#include "registers.h"
#include "stm32_gpio.h"

static const uint32_t rcc = 0x46020C00u, pwr = 0x46020800u, flash = 0x40022000u, icache = 0x40030400u;

static void start_power(void) {
    set_bits(rcc, 1u << 8); /* CR: HSI */
    wait_for(rcc, 1u << 10, 1u << 10);
    set_bits(pwr + 0x0Cu, 3u << 16); /* VOSR: range 1 */
    wait_for(pwr + 0x0Cu, 1u << 15, 1u << 15);
    REGISTER(rcc + 0x28u) =
        2u | 3u << 2 | 1u << 18;     /* PLL1CFGR: HSI, 8 to 16 MHz, output R; it feeds the booster */
    set_bits(pwr + 0x0Cu, 1u << 18); /* VOSR: booster */
    wait_for(pwr + 0x0Cu, 1u << 14, 1u << 14);
}

static void start_clock(void) {
    REGISTER(rcc + 0x34u) = (20u - 1u) | 1u << 9 | 1u << 16 | 1u << 24; /* PLL1DIVR: * 20 / 2 */
    set_bits(rcc, 1u << 24);                                            /* CR: PLL1 */
    wait_for(rcc, 1u << 25, 1u << 25);
    set_field(flash, 0xFu, 4u); /* ACR: 4 wait states */
    wait_for(flash, 0xFu, 4u);
    set_field(rcc + 0x20u, 0xFu, 8u); /* CFGR2: half of it for the first microsecond */
    set_field(rcc + 0x1Cu, 3u, 3u);   /* CFGR1: PLL1 */
    wait_for(rcc + 0x1Cu, 3u << 2, 3u << 2);
    for (volatile uint32_t i = 0; i < 80u; i++) {
    }
    set_field(rcc + 0x20u, 0xFu, 0u);
}

void board_start(void) {
    const uint32_t port_a = 0x42020000u;
    set_bits(rcc + 0x94u, 1u << 2); /* AHB3ENR: PWR */
    start_power();
    start_clock();
    set_bits(icache, 1u);            /* CR: on */
    set_bits(rcc + 0x8Cu, 1u << 0);  /* AHB2ENR1: GPIOA */
    set_bits(rcc + 0xA4u, 1u << 14); /* APB2ENR: USART1 */
    pin_alternate(port_a, 9u, 7u);
    pin_alternate(port_a, 10u, 7u);
}
