/* SPDX-License-Identifier: 0BSD
 *
 * UART of nRF51 and nRF52, without DMA: six bytes of buffer in, one out. Registers: nRF51 Series Reference
 * Manual v3.0 and nRF52840 Product Specification v1.7, chapter UART. board_start() has selected the pins.
 */
#include "board.h"
#include "uart.h"

#define REGISTER(position) (*(volatile uint32_t *)(BOARD_UART_ADDRESS + (position)))
#define TASKS_STARTRX REGISTER(0x000u)
#define TASKS_STARTTX REGISTER(0x008u)
#define EVENTS_RXDRDY REGISTER(0x108u)
#define EVENTS_TXDRDY REGISTER(0x11Cu)
#define ENABLE REGISTER(0x500u)
#define RXD REGISTER(0x518u)
#define TXD REGISTER(0x51Cu)
#define BAUDRATE REGISTER(0x524u)

/* BAUDRATE is the rate as a fraction of 16 MHz, in units of 2^-32; its low 12 bits are not there. */
#define FRACTION ((uint32_t)((((uint64_t)BOARD_UART_BAUD << 32) / 16000000u + 0x800u) & 0xFFFFF000u))

static int32_t is_sending;

void uart_start(void) {
    BAUDRATE = FRACTION;
    ENABLE = 4u;
    EVENTS_RXDRDY = 0u;
    EVENTS_TXDRDY = 0u;
    is_sending = 0;
    TASKS_STARTTX = 1u;
    TASKS_STARTRX = 1u;
}

int32_t uart_read(void) {
    if (EVENTS_RXDRDY == 0u) {
        return -1;
    }
    EVENTS_RXDRDY = 0u;
    return (int32_t)(RXD & 0xFFu);
}

int32_t uart_write(uint8_t byte) {
    if (is_sending && EVENTS_TXDRDY == 0u) {
        return 0;
    }
    EVENTS_TXDRDY = 0u;
    TXD = byte;
    is_sending = 1;
    return 1;
}
