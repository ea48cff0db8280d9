/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: 1 / sqrt of int16 values, any CPU.
 */
#ifndef MQ_RSQRT_S16_H
#define MQ_RSQRT_S16_H

#include "mq_inverse_sqrt.h"

typedef struct {
    int32_t size;          /* elements */
    int32_t fraction_bits; /* of the integer's root, before the scales' share */
    int32_t multiplier;    /* the scales' share, fraction_bits aside */
    int32_t shift;
} mq_rsqrt_s16_params_t;

/* input [size], output [size]. May run in place. From 0 down the output is the largest that there is. */
MQ_KERNEL void mq_rsqrt_s16(const mq_rsqrt_s16_params_t *params, const int16_t *input, int16_t *output) {
    for (int32_t i = 0; i < params->size; i++) {
        int32_t y = INT16_MAX;
        if (input[i] > 0) {
            const mq_inverse_sqrt_t inverse = mq_inverse_sqrt(input[i]);
            const int32_t root = mq_requantize(1, inverse.multiplier, inverse.shift + params->fraction_bits);
            y = mq_clamp(mq_requantize(root, params->multiplier, params->shift), INT16_MIN, INT16_MAX);
        }
        output[i] = (int16_t)y;
    }
}

#endif
