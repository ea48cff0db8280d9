/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 svdf, any CPU; weights float32, half or int8.
 */
#ifndef MQ_SVDF_F32_H
#define MQ_SVDF_F32_H

#include "mq_float_weights.h"

typedef struct {
    int32_t rows;
    int32_t input_size;
    int32_t units;
    int32_t rank;            /* filters of a unit */
    int32_t memory;          /* values that a filter keeps */
    int32_t feature_storage; /* MQ_WEIGHTS_... */
    int32_t time_storage;
    float feature_scale; /* of MQ_WEIGHTS_S8 */
    float time_scale;
    float activation_min;
    float activation_max;
} mq_svdf_f32_params_t;

/* The sum of a unit over the memories of its filters, from `filter` on, which take their new values. */
MQ_KERNEL float mq_svdf_f32_unit(const mq_svdf_f32_params_t *params,
                                 const float *input,
                                 const void *feature,
                                 const void *time,
                                 int32_t filter,
                                 float *state) {
    const int32_t memory = params->memory;
    const int32_t size = params->input_size;
    float acc = 0.0f;
    for (int32_t i = 0; i < params->rank; i++) {
        float newest = 0.0f;
        float sum = 0.0f;
        memmove(state, state + 1, (size_t)(memory - 1) * sizeof *state);
        mq_dot_float(&newest, 1, input, feature, params->feature_storage, filter * size, 0, size);
        state[memory - 1] =
            params->feature_storage == MQ_WEIGHTS_S8 ? newest * params->feature_scale : newest;
        mq_dot_float(&sum, 1, state, time, params->time_storage, filter * memory, 0, memory);
        acc += params->time_storage == MQ_WEIGHTS_S8 ? sum * params->time_scale : sum;
        filter++;
        state += memory;
    }
    return acc;
}

/* input [rows][input_size], feature [units * rank][input_size], time [units * rank][memory], bias [units],
 * output [rows][units]; state [rows][units * rank][memory], changed in place.
 */
MQ_KERNEL void mq_svdf_f32(const mq_svdf_f32_params_t *params,
                           const float *input,
                           const void *feature,
                           const void *time,
                           const float *bias,
                           float *output,
                           float *state) {
    for (int32_t row = 0; row < params->rows; row++) {
        for (int32_t unit = 0; unit < params->units; unit++) {
            const int32_t filter = unit * params->rank;
            const float acc = mq_svdf_f32_unit(params, input, feature, time, filter, state);
            *output++ = mq_clamp_f32(acc + bias[unit], params->activation_min, params->activation_max);
            state += params->rank * params->memory;
        }
        input += params->input_size;
    }
}

#endif
