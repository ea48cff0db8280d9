/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 gated recurrent units, any CPU; weights float32, half or int8.
 */
#ifndef MQ_GRU_F32_H
#define MQ_GRU_F32_H

#include "mq_gates_f32.h"

typedef struct {
    int32_t steps;
    int32_t input_size;
    int32_t units;
    int32_t output_step; /* from one step of the output to the next: units; 0 where only the last is kept */
    int32_t starts_anew; /* 1: the hidden state is 0 before the run */
    int32_t storage;     /* MQ_WEIGHTS_… */
    int32_t recurrent_storage; /* MQ_WEIGHTS_… */
    int32_t reset_after;       /* 1: the reset gate scales a sum, 0: the hidden state */
} mq_gru_f32_params_t;

/* One step: hidden [units] before and after it. sums [5 * units]: update gate, reset gate, candidate, what
 * the reset gate scales, and the hidden state that it has scaled.
 */
static inline void mq_gru_f32_step(const mq_gates_f32_product_t *product,
                                   const mq_gates_f32_product_t *recurrent,
                                   int32_t reset_after,
                                   const float *x,
                                   float *sums,
                                   float *hidden) {
    const int32_t units = recurrent->size;
    float *inner = sums + 3 * units;
    float *reset = sums + 4 * units;
    mq_gates_f32_sums(sums, 3 * units, product, 0, x, 0);
    mq_gates_f32_sums(sums, 2 * units, recurrent, 0, hidden, 1);
    for (int32_t unit = 0; unit < units; unit++) {
        sums[units + unit] = mq_logistic_f32(sums[units + unit]);
        reset[unit] = sums[units + unit] * hidden[unit];
    }
    mq_gates_f32_sums(inner, units, recurrent, 2 * units, reset_after ? hidden : reset, 0);
    for (int32_t unit = 0; unit < units; unit++) {
        const float scaled = reset_after ? sums[units + unit] * inner[unit] : inner[unit];
        const float candidate = mq_tanh_f32(sums[2 * units + unit] + scaled);
        const float update = mq_logistic_f32(sums[unit]);
        hidden[unit] = update * hidden[unit] + (1.0f - update) * candidate;
    }
}

/* input [steps][input_size], output [steps][units] or [units], hidden [units], which is changed in place.
 * weights, scale and bias, and those of the recurrent sums: rows of the update gate, the reset gate and the
 * candidate, see mq_gates_f32_product_t. scratch: float [5 * units].
 */
MQ_KERNEL void mq_gru_f32(const mq_gru_f32_params_t *params,
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
        mq_gru_f32_step(&product, &recurrent, params->reset_after, input, sums, hidden);
        memcpy(output, hidden, (size_t)units * sizeof *hidden);
        input += params->input_size;
        output += params->output_step;
    }
}

#endif
