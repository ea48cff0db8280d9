/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 fully connected for cores that multiply 32 bits by 32 to 32 and no faster than that:
 * two outputs share each product. Scratch: a row of input as words.
 */
#ifndef MQ_FULLY_CONNECTED_BYTES_S8_H
#define MQ_FULLY_CONNECTED_BYTES_S8_H

#include "mq_common.h"
#include "mq_short_requantization.h"

/* What the function for a row is told. Assembly reads the first three fields; the rest is in it. */
typedef struct {
    const int32_t *end; /* of the weights */
    int32_t bytes;      /* of x */
    int32_t start;      /* of each sum: -128 * sum(x) */
    int32_t taps;
    mq_short_requantization_t form;
} mq_thumb1_byte_row_t;

/* output [units] from x [taps]. weights: for four units a word for each tap, weights + 128 as bytes, then
 * the units' constants.
 */
typedef void mq_thumb1_byte_row_function_t(const int32_t *x,
                                           const int32_t *weights,
                                           int8_t *output,
                                           const mq_thumb1_byte_row_t *walk);

typedef struct {
    int32_t rows;
    int32_t input_size;
    int32_t output_size;
    int32_t digits; /* from here on: mq_short_requantization_t */
    int32_t digit_bits;
    int32_t shift;
    int32_t is_signed;
    int32_t origin;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_fully_connected_bytes_s8_params_t;

MQ_TWIN void mq_thumb1_byte_row_twin(const int32_t *x,
                                     const int32_t *weights,
                                     int8_t *output,
                                     const mq_thumb1_byte_row_t *walk) {
    while (weights != walk->end) {
        const int32_t *constants = weights + walk->taps;
        for (int32_t unit = 0; unit < 4; unit++) {
            int32_t acc = walk->start;
            for (int32_t tap = 0; tap < walk->taps; tap++) {
                acc = mq_mac(acc, x[tap], (weights[tap] >> (8 * unit)) & 255);
            }
            *output++ = mq_short_requantize(&walk->form, constants, acc);
            constants += mq_short_constants(&walk->form);
        }
        weights = constants;
    }
}

/* input [rows][input_size], output [rows][output_size]. scratch: input_size words. */
MQ_KERNEL void mq_fully_connected_bytes_s8(const mq_fully_connected_bytes_s8_params_t *params,
                                           const int8_t *input,
                                           const int32_t *weights,
                                           mq_thumb1_byte_row_function_t *row_function,
                                           int8_t *scratch,
                                           int8_t *output) {
    int32_t *x = (int32_t *)(void *)scratch;
    mq_thumb1_byte_row_t walk;
    walk.bytes = params->input_size * 4;
    walk.taps = params->input_size;
    walk.form = MQ_SHORT_FORM(params);
    walk.end = weights + params->output_size / 4 * (walk.taps + 4 * mq_short_constants(&walk.form));
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < params->input_size; i++) {
            x[i] = *input++;
            sum += x[i];
        }
        walk.start = -128 * sum;
        row_function(x, weights, output, &walk);
        output += params->output_size;
    }
}

#endif
