/* SPDX-License-Identifier: 0BSD
 *
 * NUCLEO-H743ZI at 400 MHz, supplied by the LDO, with its caches. Registers: RM0433, chapters FLASH, PWR,
 * RCC, GPIO and AXI interconnect; errata: ES0392, 2.2.9.
 */
#include "caches.h"
#include "port.h"
#include "registers.h"
#include "stm32_gpio.h"

static const uint32_t rcc = 0x58024400u, pwr = 0x58024800u, flash = 0x52002000u;

/* Chips of revision Y may read wrong bytes from the AXI SRAM, where all variables are, unless its reads come
 * one at a time. Revisions from V on are right as they are.
 */
static void mend_revision_y(void) {
    if (REGISTER(0x5C001000u) >> 16 < 0x2000u) { /* DBGMCU_IDC: the revision */
        REGISTER(0x51008108u) = 1u;              /* AXI_TARG7_FN_MOD: READ_ISS_OVERRIDE */
    }
}

static void start_power(void) {
    set_field(pwr + 0x0Cu, 7u, 2u); /* CR3: LDO; can be written once after power-on */
    wait_for(pwr + 0x04u, 1u << 13, 1u << 13);
    set_field(pwr + 0x18u, 3u << 14, 3u << 14); /* D3CR: voltage scale 1 */
    wait_for(pwr + 0x18u, 1u << 13, 1u << 13);
}

static void start_clock(void) {
    REGISTER(rcc + 0x28u) = 0u | 8u << 4;       /* PLLCKSELR: HSI / 8 */
    REGISTER(rcc + 0x2Cu) = 3u << 2 | 1u << 16; /* PLLCFGR: input of 8 to 16 MHz, output P */
    REGISTER(rcc + 0x30u) = (100u - 1u) | 1u << 9 | 1u << 16 | 1u << 24; /* PLL1DIVR: * 100 / 2 */
    set_bits(rcc, 1u << 24);                                             /* CR: PLL1 */
    wait_for(rcc, 1u << 25, 1u << 25);
    REGISTER(flash) = 2u | 2u << 4; /* ACR: 2 wait states, for 185 to 210 MHz */
    wait_for(flash, 0x3Fu, 2u | 2u << 4);
    REGISTER(rcc + 0x18u) = 8u | 4u << 4;      /* D1CFGR: AHB 200 MHz, APB3 100 */
    REGISTER(rcc + 0x1Cu) = 4u << 4 | 4u << 8; /* D2CFGR: APB1 and APB2 100 MHz */
    REGISTER(rcc + 0x20u) = 4u << 4;           /* D3CFGR: APB4 100 MHz */
    set_field(rcc + 0x10u, 7u, 3u);            /* CFGR: PLL1 */
    wait_for(rcc + 0x10u, 7u << 3, 3u << 3);
}

void board_start(void) {
    const uint32_t port_d = 0x58020C00u;
    mend_revision_y();
    start_power();
    start_clock();
    enable_caches();
    set_bits(rcc + 0xE0u, 1u << 3);  /* AHB4ENR: GPIOD */
    set_bits(rcc + 0xE8u, 1u << 18); /* APB1LENR: USART3 */
    pin_alternate(port_d, 8u, 7u);
    pin_alternate(port_d, 9u, 7u);
}
