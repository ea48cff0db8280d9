/* SPDX-License-Identifier: 0BSD
 *
 * Arm PrimeCell UART PL011 with its FIFOs on (RP2040, RP2350). Registers: Arm DDI 0183, section 3.3.
 */
#include "board.h"
#include "uart.h"

#define REGISTER(position) (*(volatile uint32_t *)(BOARD_UART_ADDRESS + (position)))
#define DATA REGISTER(0x00u)
#define FLAGS REGISTER(0x18u)
#define BAUD_INTEGER REGISTER(0x24u)
#define BAUD_FRACTION REGISTER(0x28u)
#define LINE_CONTROL REGISTER(0x2Cu)
#define CONTROL REGISTER(0x30u)

enum { RECEIVE_EMPTY = 1u << 4, TRANSMIT_FULL = 1u << 5 };             /* of FLAGS */
enum { FIFOS = 1u << 4, EIGHT_BITS = 3u << 5 };                        /* of LINE_CONTROL */
enum { UART_ON = 1u << 0, TRANSMITTER = 1u << 8, RECEIVER = 1u << 9 }; /* of CONTROL */

/* The clock over 16 times the baud rate, in 64ths. */
#define DIVIDER ((4u * BOARD_UART_CLOCK_HZ + BOARD_UART_BAUD / 2u) / BOARD_UART_BAUD)

void uart_start(void) {
    CONTROL = 0u;
    BAUD_INTEGER = DIVIDER / 64u;
    BAUD_FRACTION = DIVIDER % 64u;
    LINE_CONTROL = FIFOS | EIGHT_BITS; /* also takes the baud rate over */
    CONTROL = UART_ON | TRANSMITTER | RECEIVER;
}

int32_t uart_read(void) {
    return (FLAGS & RECEIVE_EMPTY) != 0u ? -1 : (int32_t)(DATA & 0xFFu);
}

int32_t uart_write(uint8_t byte) {
    if ((FLAGS & TRANSMIT_FULL) != 0u) {
        return 0;
    }
    DATA = byte;
    return 1;
}
