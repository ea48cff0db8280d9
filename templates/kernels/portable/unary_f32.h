/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 functions of one value, any CPU. Work in place.
 */
#ifndef MQ_UNARY_F32_H
#define MQ_UNARY_F32_H

#include "mq_float.h"

/* The values of `function`. */
#define MQ_UNARY_CLAMP 0
#define MQ_UNARY_LEAKY_RELU 1
#define MQ_UNARY_LOGISTIC 2
#define MQ_UNARY_TANH 3

typedef struct {
    int32_t size;     /* elements */
    int32_t function; /* MQ_UNARY_… */
    float low;        /* of a clamp */
    float high;
    float slope; /* of a leaky relu's negative side */
} mq_unary_f32_params_t;

static inline float mq_logistic_f32(float x) {
    const float decay = mq_exp_f32(x < 0.0f ? x : -x);
    return (x < 0.0f ? decay : 1.0f) / (1.0f + decay);
}

static inline float mq_tanh_f32(float x) {
    const float magnitude = x < 0.0f ? -x : x;
    if (magnitude < 0.625f) {
        /* An odd polynomial: (1 - e) / (1 + e) would lose what two nearly equal numbers have in common. */
        const float z = x * x;
        float p = -0.005714678f;
        p = p * z + 0.020648565f;
        p = p * z + -0.05374291f;
        p = p * z + 0.13331485f;
        p = p * z + -0.33333284f;
        return x + x * (z * p);
    }
    const float decay = mq_exp_f32(-2.0f * magnitude);
    const float y = (1.0f - decay) / (1.0f + decay);
    return x < 0.0f ? -y : y;
}

/* One value; function is a literal. */
MQ_SPECIALISED float mq_unary_f32_of(const mq_unary_f32_params_t *params, int32_t function, float x) {
    if (function == MQ_UNARY_CLAMP) {
        return mq_clamp_f32(x, params->low, params->high);
    }
    if (function == MQ_UNARY_LEAKY_RELU) {
        return x >= 0.0f ? x : x * params->slope;
    }
    return function == MQ_UNARY_LOGISTIC ? mq_logistic_f32(x) : mq_tanh_f32(x);
}

MQ_SPECIALISED void
mq_unary_f32_all(const mq_unary_f32_params_t *params, int32_t function, const float *input, float *output) {
    for (int32_t i = 0; i < params->size; i++) {
        output[i] = mq_unary_f32_of(params, function, input[i]);
    }
}

/* input, output [size]. */
MQ_KERNEL void mq_unary_f32(const mq_unary_f32_params_t *params, const float *input, float *output) {
    switch (params->function) {
    case MQ_UNARY_CLAMP:
        mq_unary_f32_all(params, MQ_UNARY_CLAMP, input, output);
        break;
    case MQ_UNARY_LEAKY_RELU:
        mq_unary_f32_all(params, MQ_UNARY_LEAKY_RELU, input, output);
        break;
    case MQ_UNARY_LOGISTIC:
        mq_unary_f32_all(params, MQ_UNARY_LOGISTIC, input, output);
        break;
    default:
        mq_unary_f32_all(params, MQ_UNARY_TANH, input, output);
        break;
    }
}

#endif
