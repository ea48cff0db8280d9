/* SPDX-License-Identifier: 0BSD
 *
 * USART of the STM32 families that stm32_usart.h names, 16 times oversampled.
 */
#include "stm32_usart.h"

void uart_start(void) {
    usart_start((BOARD_UART_CLOCK_HZ + BOARD_UART_BAUD / 2u) / BOARD_UART_BAUD);
}
