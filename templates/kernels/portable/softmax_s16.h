/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int16 softmax by two tables, any CPU. Works in place. ARITHMETIC section 12.
 */
#ifndef MQ_SOFTMAX_S16_H
#define MQ_SOFTMAX_S16_H

#include "mq_common.h"

typedef struct {
    int32_t rows;
    int32_t row_size;
    int32_t multiplier; /* from differences of inputs to steps of the exponentials' table */
    int32_t shift;
} mq_softmax_s16_params_t;

/* Between two of a table's 513 entries, 128 inputs apart. v: of int16. */
MQ_KERNEL int32_t mq_softmax_s16_look_up(const int16_t *table, int32_t v) {
    const int32_t entry = (v >> 7) + 256;
    const int32_t slope = table[entry + 1] - table[entry];
    return table[entry] + ((slope * (v & 127) + 64) >> 7);
}

/* input, output [rows][row_size]; the output's scale is 1/32768. exponentials [513]: exp of -10 to 0,
 * reciprocals [513]: 1 / (1 + x) of 0 to 1, both Q0.15.
 */
MQ_KERNEL void mq_softmax_s16(const mq_softmax_s16_params_t *params,
                              const int16_t *input,
                              const int16_t *exponentials,
                              const int16_t *reciprocals,
                              int16_t *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t largest = INT16_MIN;
        for (int32_t i = 0; i < params->row_size; i++) {
            largest = mq_max(largest, input[i]);
        }
        uint32_t sum = 0; /* at least the largest one's, which is nearly 2^15 */
        for (int32_t i = 0; i < params->row_size; i++) {
            const int32_t steps = mq_requantize(input[i] - largest, params->multiplier, params->shift);
            const int32_t at = mq_clamp(steps + INT16_MAX, INT16_MIN, INT16_MAX);
            const int32_t exponential = mq_softmax_s16_look_up(exponentials, at);
            output[i] = (int16_t)exponential;
            sum += (uint32_t)exponential;
        }
        int32_t right = 31; /* less the headroom of the sum */
        while (sum < 0x80000000u) {
            sum <<= 1;
            right--;
        }
        const int32_t normalized = (int32_t)(((sum >> 1) + (1u << 13)) >> 14) - (1 << 15) - (1 << 16);
        const int32_t reciprocal =
            mq_softmax_s16_look_up(reciprocals, mq_clamp(normalized, INT16_MIN, INT16_MAX));
        for (int32_t i = 0; i < params->row_size; i++) {
            const int32_t y = (output[i] * reciprocal + ((int32_t)1 << (right - 1))) >> right;
            output[i] = (int16_t)mq_clamp(y, 0, INT16_MAX);
        }
        input += params->row_size;
        output += params->row_size;
    }
}

#endif
