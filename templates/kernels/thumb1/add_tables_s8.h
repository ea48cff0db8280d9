/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 sum by tables of the operands, no multiplication.
 */
#ifndef MQ_ADD_TABLES_S8_H
#define MQ_ADD_TABLES_S8_H

#include "mq_common.h"

/* Assembly reads the first four fields; the shift is in it. */
typedef struct {
    int32_t elements;
    const int32_t *first_table;
    const int32_t *second_table;
    const int8_t *table; /* output for a sum >> shift of 0 */
    int32_t shift;
} mq_thumb1_sum_t;

typedef void mq_thumb1_sum_function_t(const int8_t *first,
                                      const int8_t *second,
                                      int8_t *output,
                                      const mq_thumb1_sum_t *walk);

typedef struct {
    int32_t elements;
    int32_t shift;
    int32_t table_lowest; /* sum >> shift of the table's first output; at most 0 */
} mq_add_tables_s8_params_t;

MQ_TWIN void
mq_thumb1_sum_twin(const int8_t *first, const int8_t *second, int8_t *output, const mq_thumb1_sum_t *walk) {
    for (int32_t i = 0; i < walk->elements; i++) {
        const int32_t sum = walk->first_table[(uint8_t)first[i]] + walk->second_table[(uint8_t)second[i]];
        output[i] = walk->table[sum >> walk->shift];
    }
}

/* first, second, output [elements]. Either operand may lie where the output does. */
MQ_KERNEL void mq_add_tables_s8(const mq_add_tables_s8_params_t *params,
                                const int8_t *first,
                                const int8_t *second,
                                const int32_t *first_table,
                                const int32_t *second_table,
                                const int8_t *table,
                                mq_thumb1_sum_function_t *sum,
                                int8_t *output) {
    mq_thumb1_sum_t walk;
    walk.elements = params->elements;
    walk.first_table = first_table;
    walk.second_table = second_table;
    walk.table = table - params->table_lowest;
    walk.shift = params->shift;
    sum(first, second, output, &walk);
}

#endif
