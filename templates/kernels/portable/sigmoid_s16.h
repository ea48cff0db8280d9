/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 logistic or tanh, between the entries of one table, any CPU. ARITHMETIC section 12.
 */
#ifndef MQ_SIGMOID_S16_H
#define MQ_SIGMOID_S16_H

#include "mq_sigmoid.h"

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
    for (int32_t i = 0; i < params->size; i++) {
        const int32_t x = (input[i] * params->multiplier + half) >> params->shift;
        output[i] = (int16_t)mq_sigmoid_value(x, table, params->is_tanh);
    }
}

#endif
