/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 gated recurrent units, four factors at once (Cortex-M4, M7, M33).
 */
#ifndef MQ_GRU_S8_DSP_H
#define MQ_GRU_S8_DSP_H

#include "mq_gates_s8.h"

typedef struct {
    int32_t steps;
    int32_t input_size;
    int32_t units;
    int32_t output_step; /* from one step of the output to the next: units; 0 where only the last is kept */
    int32_t starts_anew; /* 1: the hidden state is 0 before the run */
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t output_zero_point;
    int32_t reset_after; /* 1: the reset gate scales a sum, 0: the hidden state */
} mq_gru_s8_dsp_params_t;

/* input [steps][input_size], output [steps][units] or [units], hidden [units], which is changed in place.
 * weights, bias, multiplier and shift, and those of the recurrent sums: rows of the update gate, the reset
 * gate and the candidate, see mq_gates_s8_product_t. scratch: int32 [4 * units], int8 [2 * units].
 */
MQ_KERNEL void mq_gru_s8_dsp(const mq_gru_s8_dsp_params_t *params,
                             const int8_t *input,
                             const int8_t *weights,
                             const int32_t *bias,
                             const int32_t *multiplier,
                             const int8_t *shift,
                             const int8_t *recurrent_weights,
                             const int32_t *recurrent_bias,
                             const int32_t *recurrent_multiplier,
                             const int8_t *recurrent_shift,
                             const uint16_t *table,
                             int8_t *scratch,
                             int16_t *hidden,
                             int8_t *output) {
    const mq_gates_s8_layer_t layer = {
        params->units,
        {params->input_size, weights, bias, multiplier, shift},
        {params->units, recurrent_weights, recurrent_bias, recurrent_multiplier, recurrent_shift},
        {params->output_multiplier, params->output_shift, params->output_zero_point},
        table};
    mq_gru_s8_run(&layer, params->reset_after, params->starts_anew, params->steps, params->output_step, input,
                  scratch, hidden, output, 1);
}

#endif
