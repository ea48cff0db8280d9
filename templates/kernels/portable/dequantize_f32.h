/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 or uint8 to float32, any CPU, with or without an FPU.
 */
#ifndef MQ_DEQUANTIZE_F32_H
#define MQ_DEQUANTIZE_F32_H

#include "mq_common.h"

typedef struct {
    int32_t size;      /* elements */
    int32_t is_signed; /* 1: int8, 0: uint8 */
    float scale;
    int32_t zero_point;
} mq_dequantize_f32_params_t;

/* input [size] int8 or uint8, output [size] float32. */
MQ_KERNEL void mq_dequantize_f32(const mq_dequantize_f32_params_t *params, const void *input, void *output) {
    const uint8_t *from = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    for (int32_t i = 0; i < params->size; i++) {
        const int32_t q = params->is_signed ? (int32_t)(int8_t)from[i] : (int32_t)from[i];
        const float x = (float)(q - params->zero_point) * params->scale;
        memcpy(to, &x, sizeof x);
        to += sizeof x;
    }
}

#endif
