/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 depthwise convolution over one axis on Helium. 16 channels at once: four steps after each
 * other are interleaved into words, and all outputs computed.
 */
#ifndef MQ_DEPTHWISE_CONV_1D_S8_MVE_H
#define MQ_DEPTHWISE_CONV_1D_S8_MVE_H

#include "mq_mve.h"

typedef struct {
    int32_t steps; /* of the input */
    int32_t channels;
    int32_t padding; /* steps */
    int32_t words;
    int32_t input_zero_point;
    int32_t tile;
    int32_t tile_words;
    int32_t outputs;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_depthwise_conv_1d_s8_mve_params_t;

/* The words of 16 channels that have any of the input. Steps outside the input are `outside`. */
static inline void mq_depthwise_conv_1d_s8_mve_fill(const mq_depthwise_conv_1d_s8_mve_params_t *params,
                                                    const int8_t *input,
                                                    const int8_t *outside,
                                                    int8_t *words,
                                                    mq_mve_interleave_function_t *interleave) {
    int32_t count = 1;
    for (int32_t word = 0; word < params->words; word += count) {
        const int8_t *rows[4];
        const int32_t step = 4 * word - params->padding;
        if (step >= params->steps) {
            break;
        }
        for (int32_t i = 0; i < 4; i++) {
            const int32_t at = mq_mve_opaque(step + i);
            rows[i] = at < 0 || at >= params->steps ? outside : input + at * params->channels;
        }
        count = step < 0 ? 1 : mq_max(mq_min((params->steps - step) / 4, params->words - word), 1);
        interleave(rows, words, count, 4 * params->channels);
        words += count * 4 * MQ_MVE_VECTOR;
    }
}

/* input [steps][channels], output [outputs][channels]. packed: see kernels/mve/patches.py. */
MQ_KERNEL void mq_depthwise_conv_1d_s8_mve(const mq_depthwise_conv_1d_s8_mve_params_t *params,
                                           const int8_t *input,
                                           const int8_t *packed,
                                           mq_mve_interleave_function_t *interleave,
                                           mq_mve_patches_function_t *patches,
                                           int8_t *scratch,
                                           int8_t *output) {
    const mq_mve_patches_t shape = {
        1,
        params->tile,
        params->tile_words,
        params->outputs,
        MQ_MVE_VECTOR,
        0,
        params->channels,
        params->outputs * params->channels,
        {params->output_zero_point, params->activation_min, params->activation_max},
    };
    int8_t *buffer = scratch + MQ_MVE_VECTOR;
    memset(scratch, params->input_zero_point, (size_t)(MQ_MVE_VECTOR + params->words * 4 * MQ_MVE_VECTOR));
    for (int32_t first = 0; first < params->channels; first += MQ_MVE_VECTOR) {
        /* The last 16 may have some that are done already. */
        const int32_t done = mq_max(first - (params->channels - MQ_MVE_VECTOR), 0);
        mq_depthwise_conv_1d_s8_mve_fill(params, input + first - done, scratch, buffer, interleave);
        patches(buffer + 4 * done, output + first, packed + first * MQ_MVE_CHANNEL_BYTES, 1,
                MQ_MVE_VECTOR - done, &shape);
    }
}

#endif
