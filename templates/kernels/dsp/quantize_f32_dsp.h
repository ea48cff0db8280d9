/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 to int8 or uint8 with an FPU (Cortex-M4, M7, M33).
 */
#ifndef MQ_QUANTIZE_F32_DSP_H
#define MQ_QUANTIZE_F32_DSP_H

#include "mq_dsp.h"

typedef struct {
    int32_t size; /* elements */
    float scale;
    int32_t zero_point;
    int32_t output_min; /* of the output's type */
    int32_t output_max;
} mq_quantize_f32_dsp_params_t;

/* Twice the ratio without its fraction, limited to [-2048, 2047]; 0 for NaN. */
static inline int32_t mq_quantize_f32_dsp_halves(float ratio) {
#if MQ_HAS_DSP && defined(__ARM_FP)
    /* To fixed point with one fractional bit: towards zero, saturating, NaN to 0. */
    float halves;
    int32_t limited;
    __asm__("vcvt.s32.f32 %0, %0, #1" : "=t"(halves) : "0"(ratio));
    __asm__("vmov %0, %1\n\tssat %0, #12, %0" : "=r"(limited) : "t"(halves));
    return limited;
#else
    if (!(ratio > -1024.0f)) {
        return ratio <= -1024.0f ? -2048 : 0;
    }
    return ratio >= 1023.5f ? 2047 : (int32_t)(2.0f * ratio);
#endif
}

/* input [size] float32, output [size] int8 or uint8. May run in place. */
MQ_KERNEL void
mq_quantize_f32_dsp(const mq_quantize_f32_dsp_params_t *params, const void *input, void *output) {
    const uint8_t *from = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    for (int32_t i = 0; i < params->size; i++) {
        float x;
        memcpy(&x, from, sizeof x);
        from += sizeof x;
        /* Halves away from zero: one more where it is not negative, then half of that, rounded down. */
        const int32_t halves = mq_quantize_f32_dsp_halves(x / params->scale);
        const int32_t q = ((halves + 1 + (halves >> 31)) >> 1) + params->zero_point;
        to[i] = (uint8_t)mq_clamp(q, params->output_min, params->output_max);
    }
}

#endif
