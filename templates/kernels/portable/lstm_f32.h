/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: float32 LSTM layer, any CPU; weights float32, half or int8.
 */
#ifndef MQ_LSTM_F32_H
#define MQ_LSTM_F32_H

#include "mq_float_functions.h"
#include "mq_float_weights.h"

typedef struct {
    int32_t steps;
    int32_t input_size;
    int32_t units;
    int32_t starts_anew; /* 1: every run begins with states of 0 */
    int32_t sequences;   /* 0: the output is the last step alone */
    int32_t storage;     /* MQ_WEIGHTS_... */
    float cell_clip;     /* largest |cell state|; may be infinite */
} mq_lstm_f32_params_t;

/* What each of a unit's four gates takes. scale [8], of MQ_WEIGHTS_S8: of each gate's weights, then of its
 * recurrent weights.
 */
MQ_KERNEL void mq_lstm_f32_gates(const mq_lstm_f32_params_t *params,
                                 const float *x,
                                 const float *before,
                                 const void *weights,
                                 const void *recurrent_weights,
                                 const float *scale,
                                 const float *bias,
                                 int32_t unit,
                                 float *gate) {
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float recurrent[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    mq_dot_float(sum, MQ_DOT_OUTPUTS, x, weights, params->storage, 4 * unit * params->input_size,
                 params->input_size, params->input_size);
    mq_dot_float(recurrent, MQ_DOT_OUTPUTS, before, recurrent_weights, params->storage,
                 4 * unit * params->units, params->units, params->units);
    for (int32_t i = 0; i < 4; i++) {
        const int32_t is_scaled = params->storage == MQ_WEIGHTS_S8;
        gate[i] = (is_scaled ? sum[i] * scale[i] + recurrent[i] * scale[4 + i] : sum[i] + recurrent[i]) +
                  bias[4 * unit + i];
    }
}

/* input [steps][input_size], output [steps][units], or [units]; states hidden and cell [units], changed in
 * place. weights [units][4][input_size], recurrent_weights [units][4][units], bias [units][4], scale [8].
 */
MQ_KERNEL void mq_lstm_f32(const mq_lstm_f32_params_t *params,
                           const float *input,
                           const void *weights,
                           const void *recurrent_weights,
                           const float *scale,
                           const float *bias,
                           float *output,
                           float *hidden,
                           float *cell) {
    const int32_t units = params->units;
    const float *before = hidden;
    for (int32_t unit = 0; params->starts_anew && unit < units; unit++) {
        hidden[unit] = 0.0f;
        cell[unit] = 0.0f;
    }
    for (int32_t step = 0; step < params->steps; step++) {
        for (int32_t unit = 0; unit < units; unit++) {
            float gate[4];
            mq_lstm_f32_gates(params, input, before, weights, recurrent_weights, scale, bias, unit, gate);
            const float kept = mq_logistic_f32(gate[1]) * cell[unit];
            const float state = kept + mq_logistic_f32(gate[0]) * mq_tanh_f32(gate[2]);
            cell[unit] = mq_clamp_f32(state, -params->cell_clip, params->cell_clip);
            output[unit] = mq_logistic_f32(gate[3]) * mq_tanh_f32(cell[unit]);
        }
        input += params->input_size;
        if (params->sequences) {
            before = output;
            output += units;
        } else {
            memcpy(hidden, output, (size_t)units * sizeof *hidden);
        }
    }
    if (params->sequences) {
        memcpy(hidden, before, (size_t)units * sizeof *hidden);
    }
}

#endif
