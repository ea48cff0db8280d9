/* SPDX-License-Identifier: 0BSD
 *
 * CMSDK APB UART: one byte of buffer in each direction. Registers: Arm DDI 0479, section 4.3.
 */
#include "board.h"
#include "uart.h"

typedef struct {
    volatile uint32_t data, state, control, interrupt, divider;
} cmsdk_uart_t;

#define UART ((cmsdk_uart_t *)BOARD_UART_ADDRESS)

enum { TRANSMIT_FULL = 1, RECEIVE_FULL = 2 }; /* of state */
enum { TRANSMIT = 1, RECEIVE = 2 };           /* of control */

void uart_start(void) {
    UART->control = 0u;
    UART->divider = BOARD_UART_CLOCK_HZ / BOARD_UART_BAUD;
    UART->control = TRANSMIT | RECEIVE;
}

int32_t uart_read(void) {
    return (UART->state & RECEIVE_FULL) != 0u ? (int32_t)(UART->data & 0xFFu) : -1;
}

int32_t uart_write(uint8_t byte) {
    if ((UART->state & TRANSMIT_FULL) != 0u) {
        return 0;
    }
    UART->data = byte;
    return 1;
}
