/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: any function of one byte, any CPU.
 */
#ifndef MQ_LOOKUP_S8_H
#define MQ_LOOKUP_S8_H

#include "mq_common.h"

typedef struct {
    int32_t size; /* elements */
} mq_lookup_s8_params_t;

/* input [size], int8 or uint8. output [size], int8, uint8 or bool. table [256]: the output's byte for
 * every input's byte. May run in place.
 */
MQ_KERNEL void
mq_lookup_s8(const mq_lookup_s8_params_t *params, const void *input, const uint8_t *table, void *output) {
    const uint8_t *from = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    int32_t left = params->size;
    for (; left >= 4; left -= 4) {
        const uint8_t a = table[from[0]];
        const uint8_t b = table[from[1]];
        const uint8_t c = table[from[2]];
        const uint8_t d = table[from[3]];
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
        from += 4;
        to += 4;
    }
    for (; left > 0; left--) {
        *to++ = table[*from++];
    }
}

#endif
