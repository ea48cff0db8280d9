/* SPDX-License-Identifier: 0BSD
 *
 * Arduino Nano 33 BLE. Registers: nRF52840 Product Specification v1.7, chapters NVMC, CLOCK, GPIO, USBD and
 * UART. The boot loader may have used the UART: it is off while pins are chosen.
 */
#include "port.h"
#include "registers.h"

/* SysTick; ICER and ICPR of the chip's 48 interrupts; USBPULLUP, so that the computer sees it go. */
static void leave_boot_loader(void) {
    const uint32_t nvic = 0xE000E000u, usbd = 0x40027000u;
    REGISTER(nvic + 0x010u) = 0u;
    for (uint32_t i = 0; i < 2u; i++) {
        REGISTER(nvic + 0x180u + 4u * i) = 0xFFFFFFFFu;
        REGISTER(nvic + 0x280u + 4u * i) = 0xFFFFFFFFu;
    }
    REGISTER(usbd + 0x504u) = 0u;
}

void board_start(void) {
    const uint32_t clock = 0x40000000u, uart = 0x40002000u, nvmc = 0x4001E000u, p1 = 0x50000300u;
    leave_boot_loader();
    REGISTER(clock + 0x558u) = 0x5Au; /* APPROTECT.DISABLE: chips from revision 3 on lock debuggers out */
    REGISTER(nvmc + 0x540u) = 1u;     /* ICACHECNF: instruction cache on */
    REGISTER(clock) = 1u;             /* TASKS_HFCLKSTART: the crystal, for an exact baud rate */
    wait_for(clock + 0x40Cu, 1u << 16 | 1u, 1u << 16 | 1u); /* HFCLKSTAT: it runs */
    REGISTER(uart + 0x500u) = 0u;                           /* ENABLE */
    REGISTER(p1 + 0x508u) = 1u << 3;                        /* OUTSET: an idle line is high */
    REGISTER(p1 + 0x518u) = 1u << 3;                        /* DIRSET */
    REGISTER(p1 + 0x728u) = 0u;                             /* PIN_CNF[10]: an input */
    REGISTER(uart + 0x50Cu) = 32u + 3u;                     /* PSEL.TXD */
    REGISTER(uart + 0x514u) = 32u + 10u;                    /* PSEL.RXD */
}
