/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 softmax by a table of exponentials, any CPU. Works in place. ARITHMETIC section 8.
 */
#ifndef MQ_SOFTMAX_TABLE_S8_H
#define MQ_SOFTMAX_TABLE_S8_H

#include "mq_softmax.h"

typedef struct {
    int32_t rows;
    int32_t row_size;
    int32_t table_size; /* 1 to 256 */
} mq_softmax_table_s8_params_t;

/* input, output [rows][row_size]. table [table_size]: exp of minus a difference to the row's maximum, Q0.31;
 * from table_size on it counts for nothing.
 */
MQ_KERNEL void mq_softmax_table_s8(const mq_softmax_table_s8_params_t *params,
                                   const int8_t *input,
                                   const int32_t *table,
                                   int8_t *output) {
    const int32_t row_size = params->row_size;
    const int32_t table_size = params->table_size;
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t largest = INT8_MIN;
        for (int32_t i = 0; i < row_size; i++) {
            largest = mq_max(largest, input[i]);
        }
        uint32_t sum = 0; /* Q12.19 */
        for (int32_t i = 0; i < row_size; i++) {
            const int32_t difference = largest - input[i];
            if (difference < table_size) {
                sum += ((uint32_t)table[difference] + (1u << 11)) >> 12;
            }
        }
        const mq_softmax_scale_t scale = mq_softmax_scale(sum);
        for (int32_t i = 0; i < row_size; i++) {
            const int32_t difference = largest - input[i];
            const int32_t exponential = difference < table_size ? table[difference] : 0;
            output[i] = mq_softmax_output(exponential, scale);
        }
        input += row_size;
        output += row_size;
    }
}

#endif
