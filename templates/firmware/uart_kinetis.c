/* SPDX-License-Identifier: 0BSD
 *
 * UART of NXP Kinetis K. Registers of 8 bits: K64 Reference Manual rev. 4, chapter UART.
 */
#include "board.h"
#include "uart.h"

typedef struct {
    volatile uint8_t baud_high, baud_low, control_1, control_2, status_1, status_2, control_3, data;
    volatile uint8_t match[2], control_4;
} kinetis_uart_t;

#define UART ((kinetis_uart_t *)BOARD_UART_ADDRESS)

enum { RECEIVER = 1u << 2, TRANSMITTER = 1u << 3 }; /* of control_2 */
enum { RECEIVED = 1u << 5, EMPTY = 1u << 7 };       /* of status_1 */

/* The clock over 16 times the baud rate, in 32nds. */
#define DIVIDER ((2u * BOARD_UART_CLOCK_HZ + BOARD_UART_BAUD / 2u) / BOARD_UART_BAUD)

void uart_start(void) {
    UART->control_2 = 0u;
    UART->control_1 = 0u;
    UART->baud_high = (uint8_t)(DIVIDER / 32u >> 8);
    UART->baud_low = (uint8_t)(DIVIDER / 32u & 0xFFu);
    UART->control_4 = (uint8_t)(DIVIDER % 32u);
    UART->control_2 = RECEIVER | TRANSMITTER;
}

/* Reading data after status_1 clears an overrun, too. */
int32_t uart_read(void) {
    return (UART->status_1 & RECEIVED) != 0u ? (int32_t)UART->data : -1;
}

int32_t uart_write(uint8_t byte) {
    if ((UART->status_1 & EMPTY) == 0u) {
        return 0;
    }
    UART->data = byte;
    return 1;
}
