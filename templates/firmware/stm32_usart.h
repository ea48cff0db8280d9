/* SPDX-License-Identifier: 0BSD
 *
 * USART and LPUART of STM32 F0, F3, F7, G0, G4, H7, L0, L4, L5, U5, which differ in the baud rate only.
 * Registers: RM0432, chapters USART and LPUART.
 */
#ifndef STM32_USART_H
#define STM32_USART_H

#include "board.h"
#include "uart.h"

typedef struct {
    volatile uint32_t control_1, control_2, control_3, divider, guard, time_out, request;
    volatile uint32_t status, clear, received, transmit;
} usart_t;

#define USART ((usart_t *)BOARD_UART_ADDRESS)

enum { USART_ENABLE = 1u << 0, USART_RECEIVER = 1u << 2, USART_TRANSMITTER = 1u << 3 }; /* of control_1 */
enum { USART_OVERRUN = 1u << 3, USART_RECEIVED = 1u << 5, USART_EMPTY = 1u << 7 };      /* of status */

static inline void usart_start(uint32_t divider) {
    USART->control_1 = 0u;
    USART->divider = divider;
    USART->control_1 = USART_ENABLE | USART_RECEIVER | USART_TRANSMITTER;
}

int32_t uart_read(void) {
    const uint32_t status = USART->status;
    USART->clear = status & USART_OVERRUN;
    return (status & USART_RECEIVED) != 0u ? (int32_t)(USART->received & 0xFFu) : -1;
}

int32_t uart_write(uint8_t byte) {
    if ((USART->status & USART_EMPTY) == 0u) {
        return 0;
    }
    USART->transmit = byte;
    return 1;
}

#endif
