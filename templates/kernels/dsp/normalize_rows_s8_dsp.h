/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: layer normalization of int8 rows, by the steps of mq_normalize.h (Cortex-M4, M7, M33).
 */
#ifndef MQ_NORMALIZE_ROWS_S8_DSP_H
#define MQ_NORMALIZE_ROWS_S8_DSP_H

#include "mq_dsp.h"
#include "mq_normalize.h"

typedef struct {
    int32_t rows;
    int32_t size;            /* of a row */
    int32_t mean_multiplier; /* 0: no mean is taken off */
    int32_t mean_shift;
    int32_t centre_left;
    int32_t centre_multiplier;
    int32_t centre_right;
    int32_t square_right;
    int32_t variance_multiplier;
    int32_t variance_shift;
    int32_t operand_multiplier; /* from the variance, 15 bits up, to what epsilon is added to */
    int32_t operand_shift;
    int32_t epsilon;
    int32_t bounded_multiplier;
    int32_t bounded_shift;
    int32_t root_multiplier;
    int32_t root_shift;
    int32_t normalized_right;
    int32_t scaled_right;       /* gamma's */
    int32_t shifted_multiplier; /* beta's */
    int32_t shifted_right;
    int32_t zero_point; /* of the input */
    int32_t left;       /* how far inputs are shifted before their mean is taken off */
    int32_t output_right;
    int32_t output_zero_point;
} mq_normalize_rows_s8_dsp_params_t;

/* The sum of a row. */
static inline int32_t mq_normalize_sum_dsp(const int8_t *input, int32_t size) {
    const uint32_t ones = mq_pair(1, 1);
    const int8_t *end = input + (size & ~3);
    int32_t sum = 0;
    for (; input < end; input += 4) {
        const uint32_t bytes = mq_load_word(input);
        sum = mq_smlad(mq_sxtb16(bytes), ones, sum);
        sum = mq_smlad(mq_sxtb16_ror8(bytes), ones, sum);
    }
    for (int32_t i = 0; i < (size & 3); i++) {
        sum += input[i];
    }
    return sum;
}

/* mq_requantize(x, multiplier, -right) of x / 2, right from 1 on. */
static inline int32_t
mq_normalize_requantize_dsp(int32_t x, int32_t multiplier, int32_t half, int32_t right) {
    return mq_ssat16(mq_smmlar(x, multiplier, half + (x >> 31)) >> right);
}

/* Centres [size] of a row, and the sum of their squares, each rescaled. mean: with the zero_point, shifted.
 */
static inline int32_t mq_normalize_centres_dsp(const mq_normalize_rows_s8_dsp_params_t *params,
                                               const int8_t *input,
                                               int32_t mean,
                                               int16_t *centres) {
    const int8_t *end = input + params->size;
    const int32_t left = params->left;
    const int32_t up = params->centre_left + 1;
    const int32_t multiplier = params->centre_multiplier;
    const int32_t right = params->centre_right;
    const int32_t half = (int32_t)1 << (right - 1);
    const int32_t square_right = params->square_right;
    const int32_t square_half = mq_normalize_half(square_right);
    int32_t squares = 0;
    while (input < end) {
        const int32_t x = *input++ * ((int32_t)1 << left) - mean;
        const int32_t centre = mq_normalize_requantize_dsp(x * ((int32_t)1 << up), multiplier, half, right);
        squares += mq_ssat16((centre * centre + square_half) >> square_right);
        *centres++ = (int16_t)centre;
    }
    return squares;
}

/* Centres over the deviation, times gamma, in place. */
static inline void mq_normalize_scale_dsp(const mq_normalize_rows_s8_dsp_params_t *params,
                                          int16_t *centres,
                                          int32_t inverse,
                                          const int16_t *gamma) {
    const int16_t *end = centres + params->size;
    const int32_t right = params->normalized_right;
    const int32_t half = mq_normalize_half(right);
    const int32_t scaled_right = params->scaled_right;
    const int32_t scaled_half = mq_normalize_half(scaled_right);
    while (centres < end) {
        const int32_t y = mq_ssat16(mq_normalize_shift(*centres * inverse, right, half));
        *centres++ = (int16_t)mq_ssat16(mq_normalize_shift(y * *gamma++, scaled_right, scaled_half));
    }
}

/* What was scaled, and beta, as int8. */
static inline void mq_normalize_outputs_dsp(const mq_normalize_rows_s8_dsp_params_t *params,
                                            const int16_t *scaled,
                                            const int16_t *beta,
                                            int8_t *output) {
    const int16_t *end = scaled + params->size;
    const int32_t multiplier = params->shifted_multiplier;
    const int32_t right = params->shifted_right;
    const int32_t half = (int32_t)1 << (right - 1);
    const int32_t output_right = params->output_right;
    const int32_t output_half =
        mq_normalize_half(output_right) + params->output_zero_point * ((int32_t)1 << output_right);
    while (scaled < end) {
        const int32_t sum = (*scaled++ + *beta++) * ((int32_t)1 << 15);
        const int32_t y = mq_normalize_requantize_dsp(sum, multiplier, half, right);
        *output++ = (int8_t)mq_ssat8(mq_normalize_shift(y, output_right, output_half));
    }
}

/* input, output [rows][size]; gamma, beta [size]; scratch: int16 [size], where the centres are meanwhile. May
 * run in place. output_right: of mq_normalize_shift.
 */
MQ_KERNEL void mq_normalize_rows_s8_dsp(const mq_normalize_rows_s8_dsp_params_t *params,
                                        const int8_t *input,
                                        const int16_t *gamma,
                                        const int16_t *beta,
                                        void *scratch,
                                        int8_t *output) {
    const mq_normalize_root_t root = MQ_NORMALIZE_ROOT(params);
    const int32_t size = params->size;
    const int32_t factor = (int32_t)1 << params->left;
    for (int32_t row = 0; row < params->rows; row++) {
        const int32_t sum = (mq_normalize_sum_dsp(input, size) - size * params->zero_point) * factor;
        const int32_t mean =
            mq_normalize_clamp(mq_requantize(sum, params->mean_multiplier, params->mean_shift));
        const int32_t squares =
            mq_normalize_centres_dsp(params, input, params->zero_point * factor + mean, scratch);
        mq_normalize_scale_dsp(params, scratch, mq_normalize_inverse(root, squares), gamma);
        mq_normalize_outputs_dsp(params, scratch, beta, output);
        input += size;
        output += size;
    }
}

#endif
