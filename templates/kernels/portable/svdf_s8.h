/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: svdf of int8 activations, any CPU.
 */
#ifndef MQ_SVDF_S8_H
#define MQ_SVDF_S8_H

#include "mq_svdf.h"

typedef struct {
    int32_t rows;
    int32_t input_size;
    int32_t filters;
    int32_t rank;   /* filters of a unit */
    int32_t memory; /* values that a filter keeps */
    int32_t wide;   /* 1: state and time weights are int16 */
    int32_t input_zero_point;
    int32_t state_zero_point;
    int32_t output_zero_point;
    int32_t value_multiplier; /* of a filter's sum, to the state's scale */
    int32_t value_shift;
    int32_t multiplier; /* of a unit's sum */
    int32_t shift;
} mq_svdf_s8_params_t;

/* input [rows][input_size], output [rows][filters / rank]; state [rows][filters][memory], changed in place.
 * feature, time, bias: see mq_svdf_layer_t.
 */
MQ_KERNEL void mq_svdf_s8(const mq_svdf_s8_params_t *params,
                          const int8_t *input,
                          const int8_t *feature,
                          const void *time,
                          const int32_t *bias,
                          int8_t *output,
                          void *state) {
    const mq_svdf_layer_t layer = MQ_SVDF_LAYER(params, feature, time, bias);
    mq_svdf_rows(&layer, params->rows, input, output, state, 0);
}

#endif
