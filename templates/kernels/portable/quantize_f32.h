/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 to int8 or uint8, any CPU, with or without an FPU.
 */
#ifndef MQ_QUANTIZE_F32_H
#define MQ_QUANTIZE_F32_H

#include "mq_common.h"

typedef struct {
    int32_t size; /* elements */
    float scale;
    int32_t zero_point;
    int32_t output_min; /* of the output's type */
    int32_t output_max;
} mq_quantize_f32_params_t;

/* x / scale, halves away from zero, as far as it matters: to [-2^17, 2^17]. NaN gives 0. */
static inline int32_t mq_round_ratio(float x, float scale) {
    const float ratio = x / scale;
    if (ratio >= 131072.0f) {
        return 131072;
    }
    if (ratio <= -131072.0f) {
        return -131072;
    }
    if (!(ratio > -131072.0f)) {
        return 0; /* NaN: C does not define its conversion */
    }
    const int32_t whole = (int32_t)ratio;
    const float rest = ratio - (float)whole; /* exact */
    return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

/* input [size] float32, output [size] int8 or uint8. May run in place. */
MQ_KERNEL void mq_quantize_f32(const mq_quantize_f32_params_t *params, const void *input, void *output) {
    const uint8_t *from = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    for (int32_t i = 0; i < params->size; i++) {
        float x;
        memcpy(&x, from, sizeof x);
        from += sizeof x;
        const int32_t q = mq_round_ratio(x, params->scale) + params->zero_point;
        to[i] = (uint8_t)mq_clamp(q, params->output_min, params->output_max);
    }
}

#endif
