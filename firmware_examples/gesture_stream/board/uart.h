/* SPDX-License-Identifier: 0BSD
 *
 * The board's UART, byte by byte and polled: 8 data bits, no parity, one stop bit, BOARD_UART_BAUD
 * (board.h). uart_<family>.c has these three functions for the chips of a family.
 */
#ifndef UART_H
#define UART_H

#include <stdint.h>

/* Clock, pins, baud rate; transmitter and receiver on. */
void uart_start(void);

/* The byte that has come, 0 to 255; -1 if none has. Never waits. */
int32_t uart_read(void);

/* 1 if the byte was taken; 0 while there is no room for it. Never waits. */
int32_t uart_write(uint8_t byte);

#endif
