/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 sum or difference of two operands of one shape, by a table for each, for
 * Cortex-M3 and later.
 */
#ifndef MQ_ADD_S8_ARMV7M_H
#define MQ_ADD_S8_ARMV7M_H

#include "mq_common.h"

typedef struct {
    int32_t size;  /* elements */
    int32_t shift; /* fractional bits of the tables */
    int32_t activation_min;
    int32_t activation_max;
} mq_add_s8_armv7m_params_t;

/* The tables have an operand's share of the output for each of its bytes: index (uint8_t)value. The
 * function in assembly knows the params already.
 */
typedef struct {
    const int32_t *first_table;
    const int32_t *second_table;
    mq_add_s8_armv7m_params_t params;
} mq_armv7m_add_t;

typedef void mq_armv7m_add_function_t(const int8_t *first,
                                      const int8_t *second,
                                      int8_t *output,
                                      const mq_armv7m_add_t *add);

MQ_TWIN void
mq_armv7m_add_twin(const int8_t *first, const int8_t *second, int8_t *output, const mq_armv7m_add_t *add) {
    for (int32_t i = 0; i < add->params.size; i++) {
        const int32_t sum = add->first_table[(uint8_t)first[i]] + add->second_table[(uint8_t)second[i]];
        output[i] = (int8_t)mq_clamp(sum >> add->params.shift, add->params.activation_min,
                                     add->params.activation_max);
    }
}

/* An operand may lie where the output does. */
MQ_KERNEL void mq_add_s8_armv7m(const mq_add_s8_armv7m_params_t *params,
                                const int8_t *first,
                                const int8_t *second,
                                const int32_t *first_table,
                                const int32_t *second_table,
                                mq_armv7m_add_function_t *function,
                                int8_t *output) {
    const mq_armv7m_add_t add = {first_table, second_table, *params};
    function(first, second, output, &add);
}

#endif
