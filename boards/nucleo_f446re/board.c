/* SPDX-License-Identifier: 0BSD
 *
 * NUCLEO-F446RE at 180 MHz, which takes over-drive. Registers: RM0390, chapters FLASH, PWR (with the way
 * to over-drive), RCC and GPIO.
 */
#include "port.h"
#include "registers.h"
#include "stm32_gpio.h"

static const uint32_t rcc = 0x40023800u, pwr = 0x40007000u, flash = 0x40023C00u;

static void start_clock(void) {
    REGISTER(rcc + 0x04u) = 8u | 180u << 6 | 2u << 24 | 2u << 28; /* PLLCFGR: HSI / 8 * 180 / 2 */
    set_bits(rcc, 1u << 24);                                      /* CR: PLL */
    set_bits(pwr, 1u << 16);                                      /* CR: over-drive */
    wait_for(pwr + 0x04u, 1u << 16, 1u << 16);
    set_bits(pwr, 1u << 17);
    wait_for(pwr + 0x04u, 1u << 17, 1u << 17);
    wait_for(rcc, 1u << 25, 1u << 25);
    REGISTER(flash) = 5u | 1u << 8 | 1u << 9 | 1u << 10; /* ACR: 5 wait states, prefetch, caches */
    wait_for(flash, 0xFu, 5u);
    REGISTER(rcc + 0x08u) = 5u << 10 | 4u << 13; /* CFGR: APB1 is a quarter, APB2 half */
    set_bits(rcc + 0x08u, 2u);
    wait_for(rcc + 0x08u, 3u << 2, 2u << 2);
}

void board_start(void) {
    const uint32_t port_a = 0x40020000u;
    set_bits(rcc + 0x30u, 1u << 0);             /* AHB1ENR: GPIOA */
    set_bits(rcc + 0x40u, 1u << 28 | 1u << 17); /* APB1ENR: PWR, USART2 */
    start_clock();
    pin_alternate(port_a, 2u, 7u);
    pin_alternate(port_a, 3u, 7u);
}
