/* SPDX-License-Identifier: 0BSD
 *
 * Raspberry Pi Pico at 125 MHz. Registers: RP2040 Datasheet, chapters RESETS and GPIO; rp2_clocks.h has
 * the clocks.
 */
#include "port.h"
#include "registers.h"
#include "rp2_clocks.h"

void board_start(void) {
    const uint32_t resets = 0x4000C000u, io_bank = 0x40014000u;
    const uint32_t needed =
        1u << 5 | 1u << 8 | 1u << 12 | 1u << 22; /* IO_BANK0, PADS_BANK0, PLL_SYS, UART0 */
    const rp2_clocks_t clocks = {0x40024000u, 0x40008000u, 0x40028000u, 125u, 6u, 2u};
    set_field(resets, needed, 0u);
    wait_for(resets + 0x08u, needed & ~(1u << 22), needed & ~(1u << 22)); /* UART0 has no clock yet */
    start_clocks(&clocks);
    wait_for(resets + 0x08u, needed, needed);
    REGISTER(io_bank + 0x04u) = 2u; /* GPIO0_CTRL: UART0 TX */
    REGISTER(io_bank + 0x0Cu) = 2u; /* GPIO1_CTRL: UART0 RX */
}
