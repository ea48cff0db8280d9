/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 functions of one value, any CPU. Work in place.
 */
#ifndef MQ_UNARY_F32_H
#define MQ_UNARY_F32_H

#include "mq_float_functions.h"

/* The values of `function`. */
#define MQ_UNARY_CLAMP 0
#define MQ_UNARY_LEAKY_RELU 1
#define MQ_UNARY_LOGISTIC 2
#define MQ_UNARY_TANH 3
#define MQ_UNARY_EXP 4
#define MQ_UNARY_LOG 5
#define MQ_UNARY_SQRT 6
#define MQ_UNARY_RSQRT 7
#define MQ_UNARY_SIN 8
#define MQ_UNARY_COS 9
#define MQ_UNARY_ROUND 10
#define MQ_UNARY_FLOOR 11
#define MQ_UNARY_CEIL 12
#define MQ_UNARY_SQUARE 13
#define MQ_UNARY_NEG 14
#define MQ_UNARY_ABS 15
#define MQ_UNARY_SIGN 16
#define MQ_UNARY_ELU 17
#define MQ_UNARY_HARD_SWISH 18
#define MQ_UNARY_GELU 19
#define MQ_UNARY_GELU_TANH 20

typedef struct {
    int32_t size;     /* elements */
    int32_t function; /* MQ_UNARY_… */
    float low;        /* of a clamp */
    float high;
    float slope; /* of a leaky relu's negative side */
} mq_unary_f32_params_t;

/* One value; function is a literal. */
MQ_SPECIALISED float mq_unary_f32_of(const mq_unary_f32_params_t *params, int32_t function, float x) {
    switch (function) {
    case MQ_UNARY_CLAMP:
        return mq_clamp_f32(x, params->low, params->high);
    case MQ_UNARY_LEAKY_RELU:
        return x >= 0.0f ? x : x * params->slope;
    case MQ_UNARY_LOGISTIC:
        return mq_logistic_f32(x);
    case MQ_UNARY_TANH:
        return mq_tanh_f32(x);
    case MQ_UNARY_EXP:
        return mq_exp_f32(x);
    case MQ_UNARY_LOG:
        return mq_log_f32(x);
    case MQ_UNARY_SQRT:
        return mq_sqrt_f32(x);
    case MQ_UNARY_RSQRT:
        return mq_rsqrt_f32(x);
    case MQ_UNARY_SIN:
        return mq_sine_f32(x, 0);
    case MQ_UNARY_COS:
        return mq_sine_f32(x, 1);
    case MQ_UNARY_ROUND:
        return mq_round_f32(x);
    case MQ_UNARY_FLOOR:
        return mq_floor_f32(x);
    case MQ_UNARY_CEIL:
        return mq_ceil_f32(x);
    case MQ_UNARY_SQUARE:
        return x * x;
    case MQ_UNARY_NEG:
        return -x;
    case MQ_UNARY_ABS:
        return mq_abs_f32(x);
    case MQ_UNARY_SIGN:
        return mq_sign_f32(x);
    case MQ_UNARY_ELU:
        return x < 0.0f ? mq_expm1_f32(x) : x;
    case MQ_UNARY_HARD_SWISH:
        return x * mq_clamp_f32(x + 3.0f, 0.0f, 6.0f) / 6.0f;
    case MQ_UNARY_GELU:
        return mq_gelu_f32(x);
    default:
        return mq_gelu_tanh_f32(x);
    }
}

MQ_SPECIALISED void
mq_unary_f32_all(const mq_unary_f32_params_t *params, int32_t function, const float *input, float *output) {
    for (int32_t i = 0; i < params->size; i++) {
        output[i] = mq_unary_f32_of(params, function, input[i]);
    }
}

/* input, output [size]. */
MQ_KERNEL void mq_unary_f32(const mq_unary_f32_params_t *params, const float *input, float *output) {
    if (params->function == MQ_UNARY_CLAMP) {
        mq_unary_f32_all(params, MQ_UNARY_CLAMP, input, output);
    } else if (params->function == MQ_UNARY_LEAKY_RELU) {
        mq_unary_f32_all(params, MQ_UNARY_LEAKY_RELU, input, output);
    } else {
        /* Beside these functions, a choice for each value is little where the compiler does not know it. */
        mq_unary_f32_all(params, params->function, input, output);
    }
}

#endif
