/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 fully connected on Helium.
 */
#ifndef MQ_FULLY_CONNECTED_S8_MVE_H
#define MQ_FULLY_CONNECTED_S8_MVE_H

#include "mq_mve.h"

#define MQ_FULLY_CONNECTED_S8_MVE_GROUP 8

/* multiplier: 0 if channels have their own. */
typedef struct {
    int32_t rows;
    int32_t input_size;
    int32_t output_size;
    int32_t multiplier;
    int32_t shift;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_fully_connected_s8_mve_params_t;

/* One row. packed: see kernels/mve/fully_connected_s8_mve.py. */
typedef void mq_fully_connected_s8_mve_function_t(const int8_t *input,
                                                  int8_t *output,
                                                  const int8_t *packed,
                                                  const mq_fully_connected_s8_mve_params_t *params);

MQ_TWIN void mq_fully_connected_s8_mve_twin(const int8_t *input,
                                            int8_t *output,
                                            const int8_t *packed,
                                            const mq_fully_connected_s8_mve_params_t *params) {
    const mq_mve_output_t place = {params->output_zero_point, params->activation_min, params->activation_max};
    const int32_t group = MQ_FULLY_CONNECTED_S8_MVE_GROUP;
    const int32_t vectors = (params->input_size + MQ_MVE_VECTOR - 1) / MQ_MVE_VECTOR;
    const int32_t last = mq_max(params->input_size - MQ_MVE_VECTOR, 0);
    const int32_t shared = params->multiplier != 0;
    for (int32_t channel = 0; channel < params->output_size; channel++) {
        const int32_t lane = channel % group;
        const int8_t *weights = packed + 4 * group;
        const int8_t *scales = weights + vectors * group * MQ_MVE_VECTOR + (lane % 2 * 4 + lane / 2) * 4;
        int32_t acc = mq_mve_word(packed + 4 * lane);
        for (int32_t vector = 0; vector < vectors; vector++) {
            acc = mq_mve_dot(acc, input + mq_min(vector * MQ_MVE_VECTOR, last),
                             weights + (vector * group + lane) * MQ_MVE_VECTOR,
                             mq_min(params->input_size, MQ_MVE_VECTOR));
        }
        output[channel] = mq_mve_requantize(acc, shared ? params->multiplier : mq_mve_word(scales),
                                            shared ? params->shift : mq_mve_word(scales + 4 * group), place);
        if (lane == group - 1) {
            packed = weights + (vectors * MQ_MVE_VECTOR + (shared ? 0 : 8)) * group;
        }
    }
}

/* input [rows][input_size], output [rows][output_size]. */
MQ_KERNEL void mq_fully_connected_s8_mve(const mq_fully_connected_s8_mve_params_t *params,
                                         const int8_t *input,
                                         const int8_t *packed,
                                         mq_fully_connected_s8_mve_function_t *channels,
                                         int8_t *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        channels(input, output, packed, params);
        input += params->input_size;
        output += params->output_size;
    }
}

#endif
