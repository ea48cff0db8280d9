/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 fully connected or 1x1 convolution, for Cortex-M3 and later, with little flash.
 * No scratch.
 */
#ifndef MQ_POINTWISE_BYTES_S8_ARMV7M_H
#define MQ_POINTWISE_BYTES_S8_ARMV7M_H

#include "mq_armv7m_dot.h"

typedef struct {
    int32_t rows; /* independent input rows: pixels of a convolution */
    int32_t table_bytes;
    int32_t runs; /* from here on as in mq_armv7m_dot_t */
    int32_t run_length;
    int32_t output_channels;
    int32_t low_start;
    int32_t rounds_away;
    int32_t shift;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
} mq_pointwise_bytes_s8_armv7m_params_t;

/* input [rows][run_length], output [rows][output_channels]. */
MQ_KERNEL void mq_pointwise_bytes_s8_armv7m(const mq_pointwise_bytes_s8_armv7m_params_t *params,
                                            const int8_t *input,
                                            const int32_t *table,
                                            mq_armv7m_dot_function_t *function,
                                            int8_t *output) {
    const mq_armv7m_dot_t dot = {
        params->rows,
        params->run_length,
        0,
        params->table_bytes,
        params->runs,
        params->run_length,
        params->output_channels,
        params->low_start,
        {params->rounds_away, params->shift, params->output_zero_point, params->activation_min,
         params->activation_max},
    };
    function(input, table, output, &dot);
}

#endif
