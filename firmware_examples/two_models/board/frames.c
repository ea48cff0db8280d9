/* SPDX-License-Identifier: 0BSD
 *
 * Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999) takes the zeros out of a frame, so that zero
 * can mean its end: the bytes are cut where a zero is; each piece goes with its length plus 1 before it,
 * instead of the zero behind it. Pieces have up to 254 bytes; after one of 254 there was no zero.
 */
#include "frames.h"

#include "uart.h"

#define LONGEST_PIECE 254u

/* The CRC-32 of IEEE 802.3, as zlib has it: four bits at a time, by a table of 16 words. */
static uint32_t crc32(const uint8_t *bytes, size_t count) {
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
        0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
        0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        crc = table[crc & 15u] ^ (crc >> 4);
        crc = table[crc & 15u] ^ (crc >> 4);
    }
    return ~crc;
}

static uint8_t receive(void) {
    int32_t byte;
    while ((byte = uart_read()) < 0) {
    }
    return (uint8_t)byte;
}

static void send(uint8_t byte) {
    while (!uart_write(byte)) {
    }
}

static int is_whole(const uint8_t *buffer, size_t count) {
    if (count <= FRAME_CRC_BYTES) {
        return 0;
    }
    const uint8_t *const end = buffer + count - FRAME_CRC_BYTES;
    const uint32_t expected =
        (uint32_t)end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 | (uint32_t)end[3] << 24;
    return crc32(buffer, count - FRAME_CRC_BYTES) == expected;
}

size_t frame_receive(uint8_t *buffer, size_t capacity) {
    size_t count = 0;   /* bytes that would be in the buffer; it may be more than there is room for */
    uint32_t piece = 0; /* bytes of the piece that are still to come */
    int zero = 0,
        started = 0; /* whether a zero is between the piece and the next; whether there is any byte */
    for (;;) {
        uint8_t byte = receive();
        if (byte == 0u) {
            if (!started) {
                continue;
            }
            return piece == 0u && count <= capacity && is_whole(buffer, count) ? count - FRAME_CRC_BYTES : 0u;
        }
        const int store = piece != 0u || zero;
        if (piece != 0u) {
            piece--;
        } else {
            piece = byte - 1u;
            zero = byte != LONGEST_PIECE + 1u;
            byte = 0u;
        }
        if (store) {
            if (count < capacity) {
                buffer[count] = byte;
            }
            count++;
        }
        started = 1;
    }
}

void frame_send(uint8_t *buffer, size_t bytes) {
    const uint32_t crc = crc32(buffer, bytes);
    for (size_t i = 0; i < FRAME_CRC_BYTES; i++) {
        buffer[bytes + i] = (uint8_t)(crc >> (8u * i));
    }
    const size_t count = bytes + FRAME_CRC_BYTES;
    send(0u);
    for (size_t at = 0;;) {
        size_t piece = 0;
        while (piece < LONGEST_PIECE && at + piece < count && buffer[at + piece] != 0u) {
            piece++;
        }
        send((uint8_t)(piece + 1u));
        for (size_t i = 0; i < piece; i++) {
            send(buffer[at + i]);
        }
        at += piece;
        if (at == count) {
            break;
        }
        at += piece < LONGEST_PIECE;
    }
    send(0u);
}
