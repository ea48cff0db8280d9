/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 to int16 by one factor for values from 0 on and another below, any CPU.
 */
#ifndef MQ_RESCALE_S16_H
#define MQ_RESCALE_S16_H

#include "mq_common.h"

typedef struct {
    int32_t size;       /* elements */
    int32_t multiplier; /* of inputs that are not negative */
    int32_t shift;
    int32_t negative_multiplier; /* of the others */
    int32_t negative_shift;
    int32_t negative_sign; /* 1 or -1: of the factor of negative inputs */
    int32_t is_magnitude;  /* 1: inputs count without their sign */
    int32_t output_min;
    int32_t output_max;
} mq_rescale_s16_params_t;

/* input [size], output [size]. May run in place. */
MQ_KERNEL void mq_rescale_s16(const mq_rescale_s16_params_t *params, const int16_t *input, int16_t *output) {
    for (int32_t i = 0; i < params->size; i++) {
        const int32_t x = params->is_magnitude && input[i] < 0 ? -input[i] : input[i];
        const int32_t y = x >= 0 ? mq_requantize(x, params->multiplier, params->shift)
                                 : params->negative_sign *
                                       mq_requantize(x, params->negative_multiplier, params->negative_shift);
        output[i] = (int16_t)mq_clamp(y, params->output_min, params->output_max);
    }
}

#endif
