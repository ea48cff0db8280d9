/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 to int16, any CPU, with or without an FPU.
 */
#ifndef MQ_QUANTIZE_F32_S16_H
#define MQ_QUANTIZE_F32_S16_H

#include "mq_quantize_f32.h"

typedef struct {
    int32_t size; /* elements */
    float scale;
} mq_quantize_f32_s16_params_t;

/* input [size] float32, output [size] int16. May run in place. */
MQ_KERNEL void
mq_quantize_f32_s16(const mq_quantize_f32_s16_params_t *params, const void *input, void *output) {
    const uint8_t *from = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    for (int32_t i = 0; i < params->size; i++) {
        float x;
        memcpy(&x, from, sizeof x);
        const int16_t q = (int16_t)mq_clamp(mq_round_ratio(x, params->scale), INT16_MIN, INT16_MAX);
        memcpy(to, &q, sizeof q);
        from += sizeof x;
        to += sizeof q;
    }
}

#endif
