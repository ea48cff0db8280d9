/* SPDX-License-Identifier: 0BSD
 *
 * LPUART of the STM32 families that stm32_usart.h names. Its divider is in 256ths (RM0432, chapter
 * LPUART).
 */
#include "stm32_usart.h"

void uart_start(void) {
    usart_start((uint32_t)((256u * (uint64_t)BOARD_UART_CLOCK_HZ + BOARD_UART_BAUD / 2u) / BOARD_UART_BAUD));
}
