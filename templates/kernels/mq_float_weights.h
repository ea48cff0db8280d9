/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: weights of float layers, whatever they are stored as: one accessor, one dot product.
 */
#ifndef MQ_FLOAT_WEIGHTS_H
#define MQ_FLOAT_WEIGHTS_H

#include "mq_float.h"

/* The values of `storage`. */
#define MQ_WEIGHTS_F32 0 /* float */
#define MQ_WEIGHTS_F16 1 /* IEEE half as uint16_t, finite */
#define MQ_WEIGHTS_S8 2  /* int8_t, with a scale for each output, by which its sum is multiplied */

/* Every FPU of the M profile converts halves; GCC's __ARM_FP does not say so of those in single precision. */
#if defined(__GNUC__) && defined(__ARM_FP) && defined(__ARM_ARCH_PROFILE)
#if __ARM_ARCH_PROFILE == 'M'
#define MQ_HALF_IN_HARDWARE
#endif
#endif

/* Half to single, exactly. */
static inline float mq_widened_half(uint16_t half) {
#if defined(MQ_HALF_IN_HARDWARE)
    float x;
    __asm__("vcvtb.f32.f16 %0, %1" : "=t"(x) : "t"((uint32_t)half));
    return x;
#else
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t magnitude = half & 0x7FFFu;
    if (magnitude >= 0x0400u) {
        return mq_f32_of_bits(sign | ((magnitude << 13) + (112u << 23))); /* another bias of the exponent */
    }
    const float x = (float)(int32_t)magnitude * (1.0f / 16777216.0f); /* subnormal, or 0 */
    return mq_f32_of_bits(sign | mq_bits_of_f32(x));
#endif
}

/* Weight `index`; of MQ_WEIGHTS_S8 without its scale. */
MQ_SPECIALISED float mq_weight(const void *weights, int32_t storage, int32_t index) {
    if (storage == MQ_WEIGHTS_F32) {
        return ((const float *)weights)[index];
    }
    if (storage == MQ_WEIGHTS_F16) {
        return mq_widened_half(((const uint16_t *)weights)[index]);
    }
    return (float)((const int8_t *)weights)[index];
}

/* mq_dot_float for one storage, which is a literal. */
MQ_SPECIALISED void mq_dot_stored(float *acc,
                                  int32_t outputs,
                                  const float *x,
                                  const void *weights,
                                  int32_t storage,
                                  int32_t start,
                                  int32_t stride,
                                  int32_t count) {
    float acc0 = acc[0];
    const int32_t end = start + count;
    if (outputs == 1) {
        for (int32_t k = start; k < end; k++) {
            acc0 += *x++ * mq_weight(weights, storage, k);
        }
    } else {
        float acc1 = acc[1];
        float acc2 = acc[2];
        float acc3 = acc[3];
        for (int32_t k = start; k < end; k++) {
            const float value = *x++;
            acc0 += value * mq_weight(weights, storage, k);
            acc1 += value * mq_weight(weights, storage, k + stride);
            acc2 += value * mq_weight(weights, storage, k + 2 * stride);
            acc3 += value * mq_weight(weights, storage, k + 3 * stride);
        }
        acc[1] = acc1;
        acc[2] = acc2;
        acc[3] = acc3;
    }
    acc[0] = acc0;
}

/* acc[i] += sum over k < count of x[k] * weight[start + i * stride + k], for i < outputs.
 * outputs: MQ_DOT_OUTPUTS or 1.
 */
static inline void mq_dot_float(float *acc,
                                int32_t outputs,
                                const float *x,
                                const void *weights,
                                int32_t storage,
                                int32_t start,
                                int32_t stride,
                                int32_t count) {
    if (storage == MQ_WEIGHTS_F32) {
        mq_dot_stored(acc, outputs, x, weights, MQ_WEIGHTS_F32, start, stride, count);
    } else if (storage == MQ_WEIGHTS_F16) {
        mq_dot_stored(acc, outputs, x, weights, MQ_WEIGHTS_F16, start, stride, count);
    } else {
        mq_dot_stored(acc, outputs, x, weights, MQ_WEIGHTS_S8, start, stride, count);
    }
}

/* An output from its sum. scale, bias: of its channel; the scale counts for MQ_WEIGHTS_S8 only. */
static inline float mq_linear_output_f32(
    float acc, int32_t storage, const float *scale, const float *bias, float low, float high) {
    const float sum = storage == MQ_WEIGHTS_S8 ? acc * *scale : acc;
    return mq_clamp_f32(sum + *bias, low, high);
}

#endif
