/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 as another type, and other types as float32, any CPU.
 */
#ifndef MQ_CAST_F32_H
#define MQ_CAST_F32_H

#include "mq_cast.h"

typedef struct {
    int32_t size; /* elements */
    int32_t from; /* MQ_CAST_… */
    int32_t to;
    float low; /* the least and the largest float that truncates to what `to` holds */
    float high;
    int64_t lowest; /* what is beyond them is limited to these */
    int64_t highest;
} mq_cast_f32_params_t;

/* Truncated towards zero, limited; NaN gives 0. */
static inline int64_t mq_cast_f32_whole(const mq_cast_f32_params_t *params, float x) {
    if (x > params->high) {
        return params->highest;
    }
    if (x < params->low) {
        return params->lowest;
    }
    return x >= params->low ? (int64_t)x : 0;
}

/* input, output [size]. */
MQ_KERNEL void mq_cast_f32(const mq_cast_f32_params_t *params, const void *input, void *output) {
    const uint8_t *x = (const uint8_t *)input;
    uint8_t *y = (uint8_t *)output;
    for (int32_t i = 0; i < params->size; i++) {
        float real;
        if (params->from == MQ_CAST_FLOAT32) {
            memcpy(&real, x, sizeof real);
        } else {
            real = (float)mq_cast_load(x, params->from);
        }
        if (params->to == MQ_CAST_FLOAT32) {
            memcpy(y, &real, sizeof real);
        } else if (params->to == MQ_CAST_BOOL) {
            *y = real != 0.0f ? 1u : 0u;
        } else {
            mq_cast_store(y, params->to, mq_cast_f32_whole(params, real));
        }
        x += mq_cast_bytes(params->from);
        y += mq_cast_bytes(params->to);
    }
}

#endif
