/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 logistic or tanh, between the entries of one table, any CPU. ARITHMETIC section 12.
 */
#ifndef MQ_SIGMOID_S16_H
#define MQ_SIGMOID_S16_H

#include "mq_common.h"

typedef struct {
    int32_t size;       /* elements */
    int32_t multiplier; /* to steps of 1 / 12288; up to 16 bits */
    int32_t shift;      /* to the right */
    int32_t is_tanh;    /* 0: logistic */
} mq_sigmoid_s16_params_t;

/* input, output [size]; the output's scale is 1/32768. table [256]: sigmoid(i / 24) in Q0.16. In place, too.
 */
MQ_KERNEL void mq_sigmoid_s16(const mq_sigmoid_s16_params_t *params,
                              const int16_t *input,
                              const uint16_t *table,
                              int16_t *output) {
    const int32_t half = params->shift > 0 ? (int32_t)1 << (params->shift - 1) : 0;
    const int32_t bits = params->is_tanh ? 8 : 9; /* of the argument between two entries */
    const int32_t limit = params->is_tanh ? 0xFFFF << 8 : 0x7FFF << 10;
    for (int32_t i = 0; i < params->size; i++) {
        const int32_t x = (input[i] * params->multiplier + half) >> params->shift;
        const int32_t size = x < 0 ? -x : x;
        const int32_t entry = size >> bits;
        int32_t y = limit;
        if (entry < 255) {
            const int32_t part = size & (((int32_t)1 << bits) - 1);
            y = ((int32_t)table[entry] << bits) + part * (table[entry + 1] - table[entry]);
        }
        if (params->is_tanh) {
            const int32_t one = (int32_t)1 << 23;
            y = (x >= 0 ? y - one + 128 : one - y + 127) >> 8;
        } else {
            const int32_t one = (int32_t)1 << 25;
            y = (x >= 0 ? y + 512 : one - y + 511) >> 10;
        }
        output[i] = (int16_t)y;
    }
}

#endif
