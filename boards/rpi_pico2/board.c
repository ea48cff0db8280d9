/* SPDX-License-Identifier: 0BSD
 *
 * Raspberry Pi Pico 2 at 150 MHz. Registers: RP2350 Datasheet, chapters RESETS and GPIO; rp2_clocks.h has
 * the clocks.
 */
#include "port.h"
#include "registers.h"
#include "rp2_clocks.h"

void board_start(void) {
    const uint32_t resets = 0x40020000u, io_bank = 0x40028000u, pads = 0x40038000u;
    const uint32_t needed =
        1u << 6 | 1u << 9 | 1u << 14 | 1u << 26; /* IO_BANK0, PADS_BANK0, PLL_SYS, UART0 */
    const rp2_clocks_t clocks = {0x40048000u, 0x40010000u, 0x40050000u, 125u, 5u, 2u};
    set_field(resets, needed, 0u);
    wait_for(resets + 0x08u, needed & ~(1u << 26), needed & ~(1u << 26)); /* UART0 has no clock yet */
    start_clocks(&clocks);
    wait_for(resets + 0x08u, needed, needed);
    REGISTER(io_bank + 0x04u) = 2u;                      /* GPIO0_CTRL: UART0 TX */
    REGISTER(io_bank + 0x0Cu) = 2u;                      /* GPIO1_CTRL: UART0 RX */
    set_field(pads + 0x04u, 1u << 8 | 1u << 6, 1u << 6); /* GPIO0: not isolated */
    set_field(pads + 0x08u, 1u << 8 | 1u << 6, 1u << 6); /* GPIO1: not isolated, input on */
}
