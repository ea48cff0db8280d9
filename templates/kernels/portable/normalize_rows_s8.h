/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: layer normalization of int8 rows, by the steps of mq_normalize.h, any CPU.
 */
#ifndef MQ_NORMALIZE_ROWS_S8_H
#define MQ_NORMALIZE_ROWS_S8_H

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
    int32_t output_multiplier;
    int32_t output_right;
    int32_t output_zero_point;
} mq_normalize_rows_s8_params_t;

/* Centres [size] of a row, and the sum of their squares, each rescaled. */
static inline int32_t mq_normalize_rows_s8_centres(const mq_normalize_rows_s8_params_t *params,
                                                   const int8_t *input,
                                                   int32_t mean,
                                                   int16_t *centres) {
    const mq_normalize_step_t step = mq_normalize_step(params->centre_multiplier, params->centre_right);
    const int32_t right = params->square_right;
    const int32_t half = mq_normalize_half(right);
    const int32_t up = params->centre_left;
    const int32_t left = params->left;
    int32_t squares = 0;
    for (int32_t i = 0; i < params->size; i++) {
        const int32_t x = (input[i] * ((int32_t)1 << left) - mean) * ((int32_t)1 << up);
        const int32_t centre = mq_normalize_clamp(mq_normalize_requantize(x, step));
        squares += mq_min((centre * centre + half) >> right, INT16_MAX);
        centres[i] = (int16_t)centre;
    }
    return squares;
}

/* Centres over the deviation, times gamma, and beta. */
static inline void mq_normalize_rows_s8_outputs(const mq_normalize_rows_s8_params_t *params,
                                                const int16_t *centres,
                                                int32_t inverse,
                                                const int16_t *gamma,
                                                const int16_t *beta,
                                                int8_t *output) {
    const int32_t normalized_right = params->normalized_right;
    const int32_t normalized_half = mq_normalize_half(normalized_right);
    const int32_t scaled_right = params->scaled_right;
    const int32_t scaled_half = mq_normalize_half(scaled_right);
    const mq_normalize_step_t shifted = mq_normalize_step(params->shifted_multiplier, params->shifted_right);
    const mq_normalize_step_t narrow = mq_normalize_step(params->output_multiplier, params->output_right);
    const int32_t zero_point = params->output_zero_point;
    for (int32_t i = 0; i < params->size; i++) {
        int32_t y = mq_normalize_shift(centres[i] * inverse, normalized_right, normalized_half);
        y = mq_normalize_shift(mq_normalize_clamp(y) * gamma[i], scaled_right, scaled_half);
        y = (mq_normalize_clamp(y) + beta[i]) * ((int32_t)1 << 14);
        y = mq_normalize_clamp(mq_normalize_requantize(y, shifted));
        y = mq_normalize_requantize(y, narrow) + zero_point;
        output[i] = (int8_t)mq_clamp(y, INT8_MIN, INT8_MAX);
    }
}

/* input, output [rows][size]; gamma, beta [size]; scratch: int16 [size], where the centres are meanwhile. May
 * run in place.
 */
MQ_KERNEL void mq_normalize_rows_s8(const mq_normalize_rows_s8_params_t *params,
                                    const int8_t *input,
                                    const int16_t *gamma,
                                    const int16_t *beta,
                                    void *scratch,
                                    int8_t *output) {
    const mq_normalize_root_t root = MQ_NORMALIZE_ROOT(params);
    const int32_t size = params->size;
    const int32_t left = params->left;
    int16_t *centres = scratch;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < size; i++) {
            sum += input[i];
        }
        sum = (sum - size * params->zero_point) * ((int32_t)1 << left);
        const int32_t mean =
            mq_normalize_clamp(mq_requantize(sum, params->mean_multiplier, params->mean_shift));
        const int32_t squares = mq_normalize_rows_s8_centres(
            params, input, params->zero_point * ((int32_t)1 << left) + mean, centres);
        mq_normalize_rows_s8_outputs(params, centres, mq_normalize_inverse(root, squares), gamma, beta,
                                     output);
        input += size;
        output += size;
    }
}

#endif
