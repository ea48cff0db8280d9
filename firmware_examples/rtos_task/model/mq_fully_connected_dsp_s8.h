/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 fully connected with byte-interleaved weights, for the DSP extension.
 */
#ifndef MQ_FULLY_CONNECTED_DSP_S8_H
#define MQ_FULLY_CONNECTED_DSP_S8_H

#include "mq_dsp_linear.h"

typedef struct {
    int32_t pairs;        /* of inputs of a row; the assembly for all shapes reads this and three more */
    int32_t input_size;   /* elements of a row, a multiple of four */
    int32_t output_bytes; /* of a row, in whole blocks */
    int32_t shift;        /* of requantization */
    int32_t block;        /* units of a block: 4 or 8 */
    int32_t rows;         /* independent input rows */
    int32_t output_size;  /* outputs of a row */
    int32_t has_steps;
    int32_t low;
    int32_t high;
    int32_t slow_channels; /* channels that plain C computes, and what it takes */
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_fully_connected_dsp_s8_params_t;

/* All outputs of `rows` rows of x. blocks: kernels/dsp/linear.py. output: whole blocks a row. */
typedef void mq_fully_connected_dsp_s8_function_t(const int8_t *x,
                                                  const int32_t *blocks,
                                                  int8_t *output,
                                                  int32_t rows,
                                                  const mq_fully_connected_dsp_s8_params_t *params);

MQ_TWIN void mq_fully_connected_dsp_s8_twin(const int8_t *x,
                                            const int32_t *blocks,
                                            int8_t *output,
                                            int32_t rows,
                                            const mq_fully_connected_dsp_s8_params_t *params) {
    for (int32_t row = 0; row < rows; row++) {
        const int32_t *block = blocks;
        for (int32_t unit = 0; unit < params->output_size; unit += params->block) {
            int32_t acc[8] = {0};
            memcpy(acc, block, (size_t)params->block * sizeof acc[0]);
            block += params->block;
            for (int32_t k = 0; k < params->input_size; k += 2) {
                const uint32_t bytes = mq_load_word(x + k / 4 * 4);
                const uint32_t pair = k % 4 == 0 ? mq_sxtb16(bytes) : mq_sxtb16_ror8(bytes);
                for (int32_t i = 0; i < params->block; i += 4) {
                    mq_dsp_products(acc + i, pair, block[0], block[1]);
                    block += 2;
                }
            }
            for (int32_t i = 0; i < params->block; i += 4) {
                block = mq_dsp_requantize(acc + i, block, params->shift, params->has_steps, params->low,
                                          params->high, output);
                output += 4;
            }
        }
        x += params->input_size;
    }
}

/* The slow channels of a row: channel, start, multiplier, shift and weights of each. */
MQ_KERNEL void mq_fully_connected_dsp_s8_slow(const mq_fully_connected_dsp_s8_params_t *params,
                                              const int8_t *x,
                                              const int32_t *slow,
                                              int8_t *output) {
    for (int32_t i = 0; i < params->slow_channels; i++) {
        int32_t acc = slow[1];
        for (int32_t k = 0; k < params->input_size; k++) {
            acc = mq_mac(acc, x[k], slow[4 + k]);
        }
        output[slow[0]] = mq_requantize_to_int8(acc, slow[2], slow[3], params->output_zero_point,
                                                params->activation_min, params->activation_max);
        slow += 4 + params->input_size;
    }
}

/* input [rows][input_size], output [rows][output_size]. scratch: a row of outputs in whole blocks. */
MQ_KERNEL void mq_fully_connected_dsp_s8(const mq_fully_connected_dsp_s8_params_t *params,
                                         const int8_t *input,
                                         const int32_t *blocks,
                                         const int32_t *slow_channels,
                                         int8_t *scratch,
                                         mq_fully_connected_dsp_s8_function_t *sweep,
                                         int8_t *output) {
    if (params->output_size % 4 == 0 && params->slow_channels == 0) {
        sweep(input, blocks, output, params->rows, params);
        return;
    }
    for (int32_t row = 0; row < params->rows; row++) {
        if (params->output_size % 4 == 0) {
            sweep(input, blocks, output, 1, params);
        } else {
            sweep(input, blocks, scratch, 1, params);
            mq_dsp_unstage(output, scratch, params->output_size, 1);
        }
        mq_fully_connected_dsp_s8_slow(params, input, slow_channels, output);
        input += params->input_size;
        output += params->output_size;
    }
}

#endif
