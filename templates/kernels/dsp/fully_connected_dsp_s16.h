/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: fully connected, int16 activations and int8 weights, eight units at once, for the DSP extension.
 */
#ifndef MQ_FULLY_CONNECTED_DSP_S16_H
#define MQ_FULLY_CONNECTED_DSP_S16_H

#include "mq_dsp_s16.h"

typedef struct {
    int32_t rows;        /* independent input rows */
    int32_t input_size;  /* elements of a row, a multiple of four */
    int32_t output_size; /* outputs of a row */
    int32_t is_short;    /* 1: accumulators fit int32 and an output is one product's upper word */
    int32_t is_int64;    /* else: the accumulator, see mq_s16_output */
    int32_t bias_words;  /* 1 or 2, of each bias */
    int32_t activation_min;
    int32_t activation_max;
} mq_fully_connected_dsp_s16_params_t;

/* input [rows][input_size], output [rows][output_size]; blocks: kernels/dsp/packed_s16.py;
 * bias [output_size][bias_words], multiplier [output_size], shift [output_size], or anything where is_short.
 */
MQ_KERNEL void mq_fully_connected_dsp_s16(const mq_fully_connected_dsp_s16_params_t *params,
                                          const int16_t *input,
                                          const int32_t *blocks,
                                          const int32_t *bias,
                                          const int32_t *multiplier,
                                          const int8_t *shift,
                                          mq_s16_sums_function_t *add_products,
                                          int16_t *output) {
    const mq_s16_dsp_rounding_t rounding = {bias,
                                            multiplier,
                                            shift,
                                            params->is_short,
                                            params->is_int64,
                                            params->bias_words,
                                            params->activation_min,
                                            params->activation_max};
    const int32_t units = params->output_size;
    for (int32_t row = 0; row < params->rows; row++) {
        const int32_t *block = blocks;
        for (int32_t unit = 0; unit < units; unit += 8) {
            const int32_t some = mq_min(units - unit, 8);
            int32_t sums[8] = {0};
            if (params->is_short) {
                memcpy(sums, bias + unit, (size_t)some * sizeof sums[0]);
            }
            add_products(input, block, params->input_size / 4, sums);
            block += 2 * params->input_size;
            for (int32_t i = 0; i < some; i++) {
                *output++ = mq_s16_dsp_output(&rounding, sums[i], unit + i);
            }
        }
        input += params->input_size;
    }
}

#endif
