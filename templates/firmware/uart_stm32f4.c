/* SPDX-License-Identifier: 0BSD
 *
 * USART of STM32 F1, F2, F4 and L1. Registers: RM0090, chapter USART.
 */
#include "board.h"
#include "uart.h"

typedef struct {
    volatile uint32_t status, data, divider, control_1;
} usart_t;

#define USART ((usart_t *)BOARD_UART_ADDRESS)

enum { RECEIVED = 1u << 5, EMPTY = 1u << 7 };                            /* of status */
enum { RECEIVER = 1u << 2, TRANSMITTER = 1u << 3, USART_ON = 1u << 13 }; /* of control_1 */

void uart_start(void) {
    USART->control_1 = 0u;
    USART->divider = (BOARD_UART_CLOCK_HZ + BOARD_UART_BAUD / 2u) / BOARD_UART_BAUD;
    USART->control_1 = USART_ON | RECEIVER | TRANSMITTER;
}

/* Reading data after status clears an overrun, too. */
int32_t uart_read(void) {
    return (USART->status & RECEIVED) != 0u ? (int32_t)(USART->data & 0xFFu) : -1;
}

int32_t uart_write(uint8_t byte) {
    if ((USART->status & EMPTY) == 0u) {
        return 0;
    }
    USART->data = byte;
    return 1;
}
