/* SPDX-License-Identifier: 0BSD
 *
 * NUCLEO-L4R5ZI at 120 MHz, which takes the boost mode of voltage range 1. Registers: RM0432, chapters
 * FLASH, PWR (with the way to boost mode), RCC and GPIO.
 */
#include "port.h"
#include "registers.h"
#include "stm32_gpio.h"

static const uint32_t rcc = 0x40021000u, pwr = 0x40007000u, flash = 0x40022000u;

static void start_clock(void) {
    set_field(pwr + 0x80u, 1u << 8, 0u);                 /* CR5: R1MODE off is boost */
    REGISTER(flash) = 5u | 1u << 8 | 1u << 9 | 1u << 10; /* ACR: 5 wait states, prefetch, caches */
    wait_for(flash, 0xFu, 5u);
    set_bits(rcc, 1u << 8); /* CR: HSI */
    wait_for(rcc, 1u << 10, 1u << 10);
    REGISTER(rcc + 0x0Cu) = 2u | 1u << 4 | 30u << 8 | 1u << 24; /* PLLCFGR: HSI / 2 * 30 / 2, output R */
    set_bits(rcc, 1u << 24);                                    /* CR: PLL */
    wait_for(rcc, 1u << 25, 1u << 25);
    set_field(rcc + 0x08u, 0xFu << 4, 8u << 4); /* CFGR: half of it for the first microsecond */
    set_field(rcc + 0x08u, 3u, 3u);
    wait_for(rcc + 0x08u, 3u << 2, 3u << 2);
    for (volatile uint32_t i = 0; i < 60u; i++) {
    }
    set_field(rcc + 0x08u, 0xFu << 4, 0u);
}

void board_start(void) {
    const uint32_t port_g = 0x48001800u;
    set_bits(rcc + 0x58u, 1u << 28); /* APB1ENR1: PWR */
    set_bits(rcc + 0x5Cu, 1u << 0);  /* APB1ENR2: LPUART1 */
    set_bits(rcc + 0x4Cu, 1u << 6);  /* AHB2ENR: GPIOG */
    start_clock();
    set_bits(pwr + 0x04u, 1u << 9); /* CR2: IOSV, the supply of port G */
    pin_alternate(port_g, 7u, 8u);
    pin_alternate(port_g, 8u, 8u);
}
