/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 simple recurrent layer, any CPU; weights float32, half or int8.
 */
#ifndef MQ_SIMPLE_RNN_F32_H
#define MQ_SIMPLE_RNN_F32_H

#include "mq_gates_f32.h"

typedef struct {
    int32_t steps;
    int32_t input_size;
    int32_t units;
    int32_t output_step; /* from one step of the output to the next: units; 0 where only the last is kept */
    int32_t starts_anew; /* 1: the hidden state is 0 before the run */
    int32_t storage;     /* MQ_WEIGHTS_… */
    int32_t recurrent_storage; /* MQ_WEIGHTS_… */
} mq_simple_rnn_f32_params_t;

/* One step: hidden [units] before and after it. sums [units]. */
static inline void mq_simple_rnn_f32_step(const mq_gates_f32_product_t *product,
                                          const mq_gates_f32_product_t *recurrent,
                                          const float *x,
                                          float *sums,
                                          float *hidden) {
    mq_gates_f32_sums(sums, recurrent->size, product, 0, x, 0);
    mq_gates_f32_sums(sums, recurrent->size, recurrent, 0, hidden, 1);
    for (int32_t unit = 0; unit < recurrent->size; unit++) {
        hidden[unit] = mq_tanh_f32(sums[unit]);
    }
}

/* input [steps][input_size], output [steps][units] or [units], hidden [units], which is changed in place.
 * weights, scale and bias, and those of the recurrent sums: a row a unit, see mq_gates_f32_product_t.
 * scratch: float [units].
 */
MQ_KERNEL void mq_simple_rnn_f32(const mq_simple_rnn_f32_params_t *params,
                                 const float *input,
                                 const void *weights,
                                 const float *scale,
                                 const float *bias,
                                 const void *recurrent_weights,
                                 const float *recurrent_scale,
                                 const float *recurrent_bias,
                                 int8_t *scratch,
                                 float *hidden,
                                 float *output) {
    const int32_t units = params->units;
    const mq_gates_f32_product_t product = {params->input_size, params->storage, weights, scale, bias};
    const mq_gates_f32_product_t recurrent = {units, params->recurrent_storage, recurrent_weights,
                                              recurrent_scale, recurrent_bias};
    float *sums = (float *)(void *)scratch;
    mq_gates_f32_start(hidden, units, params->starts_anew);
    for (int32_t step = 0; step < params->steps; step++) {
        mq_simple_rnn_f32_step(&product, &recurrent, input, sums, hidden);
        memcpy(output, hidden, (size_t)units * sizeof *hidden);
        input += params->input_size;
        output += params->output_step;
    }
}

#endif
