/* SPDX-License-Identifier: 0BSD
 *
 * 32F746GDISCOVERY at 216 MHz, which takes over-drive, with its caches. Registers: RM0385, chapters FLASH,
 * PWR (with the way to over-drive), RCC and GPIO.
 */
#include "caches.h"
#include "port.h"
#include "registers.h"
#include "stm32_gpio.h"

static const uint32_t rcc = 0x40023800u, pwr = 0x40007000u, flash = 0x40023C00u;

static void start_clock(void) {
    /* PLLCFGR: HSI / 8 * 216 / 2; bits 28 to 31 keep their value of reset */
    REGISTER(rcc + 0x04u) = 8u | 216u << 6 | 9u << 24 | 2u << 28;
    set_bits(rcc, 1u << 24); /* CR: PLL */
    set_bits(pwr, 1u << 16); /* CR1: over-drive */
    wait_for(pwr + 0x04u, 1u << 16, 1u << 16);
    set_bits(pwr, 1u << 17);
    wait_for(pwr + 0x04u, 1u << 17, 1u << 17);
    wait_for(rcc, 1u << 25, 1u << 25);
    REGISTER(flash) = 7u | 1u << 8 | 1u << 9; /* ACR: 7 wait states, prefetch, accelerator */
    wait_for(flash, 0xFu, 7u);
    REGISTER(rcc + 0x08u) = 5u << 10 | 4u << 13; /* CFGR: APB1 is a quarter, APB2 half */
    set_bits(rcc + 0x08u, 2u);
    wait_for(rcc + 0x08u, 3u << 2, 2u << 2);
}

void board_start(void) {
    const uint32_t port_a = 0x40020000u, port_b = 0x40020400u;
    set_bits(rcc + 0x30u, 1u << 1 | 1u << 0); /* AHB1ENR: GPIOA, GPIOB */
    set_bits(rcc + 0x40u, 1u << 28);          /* APB1ENR: PWR */
    set_bits(rcc + 0x44u, 1u << 4);           /* APB2ENR: USART1 */
    start_clock();
    enable_caches();
    pin_alternate(port_a, 9u, 7u);
    pin_alternate(port_b, 7u, 7u);
}
