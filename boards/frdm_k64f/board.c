/* SPDX-License-Identifier: 0BSD
 *
 * FRDM-K64F at 120 MHz, from the 50 MHz of the Ethernet chip. Registers: K64 Reference Manual rev. 4,
 * chapters PORT, SIM, WDOG and MCG (with the way to its mode PEE).
 */
#include "port.h"
#include "registers.h"

#define REGISTER_8(address) (*(volatile uint8_t *)(address))
#define REGISTER_16(address) (*(volatile uint16_t *)(address))

static const uint32_t mcg = 0x40064000u, sim = 0x40047000u;

/* Both keys must come within 20 cycles of the bus, before the watchdog resets the chip. */
static void stop_watchdog(void) {
    const uint32_t wdog = 0x40052000u;
    REGISTER_16(wdog + 0x0Eu) = 0xC520u; /* UNLOCK */
    REGISTER_16(wdog + 0x0Eu) = 0xD928u;
    __asm__ volatile("nop\n\tnop");
    REGISTER_16(wdog) = 0x01D2u; /* STCTRLH: as after reset, but off */
}

static void wait_for_status(uint8_t mask, uint8_t value) {
    while ((REGISTER_8(mcg + 6u) & mask) != value) {
    }
}

static void start_clock(void) {
    REGISTER(sim + 0x1044u) = 0x01240000u; /* CLKDIV1: core / 1, bus / 2, FlexBus / 3, flash / 5 */
    REGISTER_8(mcg + 1u) = 0xA0u;          /* C2: an external clock above 8 MHz */
    REGISTER_8(mcg + 0u) = 0xB0u;          /* C1: that clock; by 1280 for the FLL */
    wait_for_status(0x1Cu, 0x08u);
    REGISTER_8(mcg + 4u) = 19u;         /* C5: by 20 for the PLL */
    REGISTER_8(mcg + 5u) = 0x40u | 24u; /* C6: PLL, by 48 up */
    wait_for_status(0x60u, 0x60u);
    REGISTER_8(mcg + 0u) = 0x30u; /* C1: the PLL's clock */
    wait_for_status(0x0Cu, 0x0Cu);
}

void board_start(void) {
    const uint32_t port_b = 0x4004A000u;
    stop_watchdog();
    start_clock();
    set_bits(sim + 0x1034u, 1u << 10);  /* SCGC4: UART0 */
    set_bits(sim + 0x1038u, 1u << 10);  /* SCGC5: PORTB */
    REGISTER(port_b + 0x40u) = 3u << 8; /* PCR16: UART0 RX */
    REGISTER(port_b + 0x44u) = 3u << 8; /* PCR17: UART0 TX */
}
