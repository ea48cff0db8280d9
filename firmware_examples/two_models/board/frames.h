/* SPDX-License-Identifier: 0BSD
 *
 * Frames over the UART (uart.h): a block of bytes with a CRC-32, between two zero bytes. What is lost or
 * damaged on the line is noticed, and the next frame is found again. docs/SERIAL_PROTOCOL.md.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_CRC_BYTES 4u

/* Waits for the end of a frame. buffer: room for its bytes and their CRC. Returns how many bytes there are
 * without the CRC; 0 if they are damaged, or too many.
 */
size_t frame_receive(uint8_t *buffer, size_t capacity);

/* buffer: the bytes, and behind them room for the CRC, which is put there. */
void frame_send(uint8_t *buffer, size_t bytes);

#endif
