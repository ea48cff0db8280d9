/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 to int16 or int16 to int8, from one scale to another, any CPU.
 */
#ifndef MQ_QUANTIZE_S16_H
#define MQ_QUANTIZE_S16_H

#include "mq_common.h"

typedef struct {
    int32_t size;   /* elements */
    int32_t widens; /* 1: int8 to int16, 0: int16 to int8 */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} mq_quantize_s16_params_t;

/* input, output [size]. */
MQ_KERNEL void mq_quantize_s16(const mq_quantize_s16_params_t *params, const void *input, void *output) {
    for (int32_t i = 0; i < params->size; i++) {
        const int32_t q = params->widens ? ((const int8_t *)input)[i] : ((const int16_t *)input)[i];
        const int32_t y = mq_requantize(q - params->input_zero_point, params->multiplier, params->shift) +
                          params->output_zero_point;
        if (params->widens) {
            ((int16_t *)output)[i] = (int16_t)mq_clamp(y, INT16_MIN, INT16_MAX);
        } else {
            ((int8_t *)output)[i] = (int8_t)mq_clamp(y, INT8_MIN, INT8_MAX);
        }
    }
}

#endif
