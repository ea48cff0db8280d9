/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: integers and conditions as another integer type, any CPU.
 */
#ifndef MQ_CAST_INTEGER_H
#define MQ_CAST_INTEGER_H

#include "mq_cast.h"

typedef struct {
    int32_t size; /* elements */
    int32_t from; /* MQ_CAST_… */
    int32_t to;
} mq_cast_integer_params_t;

/* input, output [size]. */
MQ_KERNEL void mq_cast_integer(const mq_cast_integer_params_t *params, const void *input, void *output) {
    const uint8_t *x = (const uint8_t *)input;
    uint8_t *y = (uint8_t *)output;
    for (int32_t i = 0; i < params->size; i++) {
        mq_cast_store(y, params->to, mq_cast_load(x, params->from));
        x += mq_cast_bytes(params->from);
        y += mq_cast_bytes(params->to);
    }
}

#endif
