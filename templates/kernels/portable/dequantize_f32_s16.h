/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 to float32, any CPU, with or without an FPU.
 */
#ifndef MQ_DEQUANTIZE_F32_S16_H
#define MQ_DEQUANTIZE_F32_S16_H

#include "mq_common.h"

typedef struct {
    int32_t size; /* elements */
    float scale;
} mq_dequantize_f32_s16_params_t;

/* input [size] int16, output [size] float32. */
MQ_KERNEL void
mq_dequantize_f32_s16(const mq_dequantize_f32_s16_params_t *params, const void *input, void *output) {
    const uint8_t *from = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    for (int32_t i = 0; i < params->size; i++) {
        int16_t q;
        memcpy(&q, from, sizeof q);
        const float x = (float)q * params->scale;
        memcpy(to, &x, sizeof x);
        from += sizeof q;
        to += sizeof x;
    }
}

#endif
