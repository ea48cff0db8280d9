/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: hybrid layers. Their float input is quantized to int8 as it comes, so that sums are of integers.
 * The reference computes the same float32 operations in the same order: the same bits. ARITHMETIC section 14.
 */
#ifndef MQ_HYBRID_H
#define MQ_HYBRID_H

#include "mq_float.h"

/* real = scale * (q - zero_point) */
typedef struct {
    float scale;
    int32_t zero_point;
} mq_hybrid_quant_t;

/* Halves away from zero, limited to int8; NaN gives -128. */
static inline int32_t mq_hybrid_round(float x) {
    if (!(x > -128.0f)) {
        return INT8_MIN;
    }
    if (x > 127.0f) {
        return INT8_MAX;
    }
    return (int32_t)(x + (x < 0.0f ? -0.5f : 0.5f));
}

/* Scale and zero_point for a range that holds 0. The zero_point is found from the end that is nearer to 0. */
static inline mq_hybrid_quant_t mq_hybrid_quant(float low, float high, int32_t asymmetric) {
    mq_hybrid_quant_t quant = {1.0f, 0};
    if (low == high) {
        return quant;
    }
    if (!asymmetric) {
        quant.scale = (-low > high ? -low : high) / 127.0f;
        return quant;
    }
    quant.scale = (high - low) / 255.0f;
    const float from_low = -low / quant.scale;
    const float from_high = high / quant.scale;
    quant.zero_point =
        mq_hybrid_round(128.0f + from_low < 127.0f + from_high ? from_low - 128.0f : 127.0f - from_high);
    return quant;
}

/* Those of count values, and of 0. */
static inline mq_hybrid_quant_t mq_hybrid_quant_of(const float *input, int32_t count, int32_t asymmetric) {
    float low = 0.0f;
    float high = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        low = input[i] < low ? input[i] : low;
        high = input[i] > high ? input[i] : high;
    }
    return mq_hybrid_quant(low, high, asymmetric);
}

/* output[i], int8, from input[i], for i < count. output may begin where input does. */
static inline mq_hybrid_quant_t
mq_hybrid_quantize(const float *input, int32_t count, int32_t asymmetric, int8_t *output) {
    const mq_hybrid_quant_t quant = mq_hybrid_quant_of(input, count, asymmetric);
    const float inverse = 1.0f / quant.scale;
    const float zero_point = (float)quant.zero_point;
    for (int32_t i = 0; i < count; i++) {
        output[i] = (int8_t)mq_hybrid_round(input[i] * inverse + zero_point);
    }
    return quant;
}

/* The same less the zero_point, as int16: what sums are of. */
static inline mq_hybrid_quant_t
mq_hybrid_steps(const float *input, int32_t count, int32_t asymmetric, int16_t *output) {
    const mq_hybrid_quant_t quant = mq_hybrid_quant_of(input, count, asymmetric);
    const float inverse = 1.0f / quant.scale;
    const float zero_point = (float)quant.zero_point;
    for (int32_t i = 0; i < count; i++) {
        const int16_t step = (int16_t)(mq_hybrid_round(input[i] * inverse + zero_point) - quant.zero_point);
        memcpy(output + i, &step, sizeof step); /* where floats may be that are yet to be read */
    }
    return quant;
}

/* An output from its sum. scale, bias: of its channel. */
static inline float
mq_hybrid_output(int32_t acc, mq_hybrid_quant_t quant, float scale, float bias, float low, float high) {
    return mq_clamp_f32((float)acc * (quant.scale * scale) + bias, low, high);
}

#endif
