/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: logistic and tanh of 16 bits, between the entries of one table. ARITHMETIC section 12.
 */
#ifndef MQ_SIGMOID_H
#define MQ_SIGMOID_H

#include "mq_common.h"

/* The function at x steps of 1 / 12288, as int16 of scale 1/32768. table [256]: sigmoid(i / 24) in Q0.16.
 * is_tanh: 0: logistic.
 */
static inline int32_t mq_sigmoid_value(int32_t x, const uint16_t *table, int32_t is_tanh) {
    const int32_t bits = is_tanh ? 8 : 9; /* of the argument between two entries */
    const int32_t size = x < 0 ? -x : x;
    const int32_t entry = size >> bits;
    int32_t y = is_tanh ? 0xFFFF << 8 : 0x7FFF << 10;
    if (entry < 255) {
        const int32_t part = size & (((int32_t)1 << bits) - 1);
        y = ((int32_t)table[entry] << bits) + part * (table[entry + 1] - table[entry]);
    }
    if (is_tanh) {
        const int32_t one = (int32_t)1 << 23;
        return (x >= 0 ? y - one + 128 : one - y + 127) >> 8;
    }
    const int32_t one = (int32_t)1 << 25;
    return (x >= 0 ? y + 512 : one - y + 511) >> 10;
}

#endif
