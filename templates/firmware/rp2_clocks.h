/* SPDX-License-Identifier: 0BSD
 *
 * Clocks of RP2040 and RP2350, whose registers are alike at other addresses: the crystal of 12 MHz through
 * PLL_SYS, for core and peripherals. RP2040 Datasheet, chapters Clocks, XOSC and PLL.
 */
#ifndef RP2_CLOCKS_H
#define RP2_CLOCKS_H

#include "registers.h"

/* Addresses; then 12 MHz * feedback / divider_1 / divider_2 is the clock. */
typedef struct {
    uint32_t xosc, clocks, pll, feedback, divider_1, divider_2;
} rp2_clocks_t;

static inline void start_crystal(uint32_t xosc) {
    REGISTER(xosc + 0x0Cu) = 47u;           /* STARTUP: 1 ms, in 256 cycles of 12 MHz */
    REGISTER(xosc) = 0xAA0u | 0xFABu << 12; /* CTRL: 1 to 15 MHz, on */
    wait_for(xosc + 0x04u, 1u << 31, 1u << 31);
}

static inline void start_pll(const rp2_clocks_t *of) {
    REGISTER(of->pll) = 1u; /* CS: the crystal's clock as it is */
    REGISTER(of->pll + 0x08u) = of->feedback;
    set_field(of->pll + 0x04u, 1u << 0 | 1u << 5, 0u); /* PWR: PLL and VCO on */
    wait_for(of->pll, 1u << 31, 1u << 31);
    REGISTER(of->pll + 0x0Cu) = of->divider_1 << 16 | of->divider_2 << 12;
    set_field(of->pll + 0x04u, 1u << 3, 0u); /* PWR: dividers on */
}

static inline void start_clocks(const rp2_clocks_t *of) {
    start_crystal(of->xosc);
    set_field(of->clocks + 0x3Cu, 1u, 0u); /* CLK_SYS_CTRL: from clk_ref while the PLL starts */
    wait_for(of->clocks + 0x44u, 3u, 1u);
    set_field(of->clocks + 0x30u, 3u, 2u); /* CLK_REF_CTRL: the crystal */
    wait_for(of->clocks + 0x38u, 1u << 2, 1u << 2);
    start_pll(of);
    set_field(of->clocks + 0x3Cu, 7u << 5, 0u); /* CLK_SYS_CTRL: PLL_SYS behind the second switch */
    set_field(of->clocks + 0x3Cu, 1u, 1u);
    wait_for(of->clocks + 0x44u, 3u, 2u);
    REGISTER(of->clocks + 0x48u) = 1u << 11; /* CLK_PERI_CTRL: on, from clk_sys */
}

#endif
