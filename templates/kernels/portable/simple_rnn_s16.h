/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: simple recurrent layer of int16 activations, any CPU.
 */
#ifndef MQ_SIMPLE_RNN_S16_H
#define MQ_SIMPLE_RNN_S16_H

#include "mq_gates_s16.h"

typedef struct {
    int32_t steps;
    int32_t input_size;
    int32_t units;
    int32_t output_step; /* from one step of the output to the next: units; 0 where only the last is kept */
    int32_t starts_anew; /* 1: the hidden state is 0 before the run */
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t bias_words; /* 1 or 2, of each bias */
    int32_t narrow;     /* 1: sums without the bias fit int32 */
    int32_t recurrent_bias_words;
    int32_t recurrent_narrow;
} mq_simple_rnn_s16_params_t;

/* input [steps][input_size], output [steps][units] or [units], hidden [units], which is changed in place.
 * weights, bias, multiplier and shift, and those of the recurrent sums: a row a unit, see
 * mq_gates_s16_product_t. scratch: int32 [units], int16 [units].
 */
MQ_KERNEL void mq_simple_rnn_s16(const mq_simple_rnn_s16_params_t *params,
                                 const int16_t *input,
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
                                 int16_t *output) {
    const int32_t units = params->units;
    const mq_gates_s16_layer_t layer = {
        units,
        {params->input_size, weights, bias, multiplier, shift, params->bias_words, params->narrow},
        {units, recurrent_weights, recurrent_bias, recurrent_multiplier, recurrent_shift,
         params->recurrent_bias_words, params->recurrent_narrow},
        params->output_multiplier,
        params->output_shift,
        table};
    int32_t *sums = (int32_t *)(void *)scratch;
    int16_t *first = (int16_t *)(void *)(sums + units);
    const int16_t *before = first;
    mq_gates_s16_start(&layer, params->starts_anew, hidden, first);
    for (int32_t step = 0; step < params->steps; step++) {
        mq_simple_rnn_s16_step(&layer, input, before, sums, hidden, output);
        before = output;
        input += params->input_size;
        output += params->output_step;
    }
}

#endif
