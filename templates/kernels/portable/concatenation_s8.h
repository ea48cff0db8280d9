/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: up to ten inputs one after the other along an axis, any CPU. Bytes, of whatever type.
 */
#ifndef MQ_CONCATENATION_S8_H
#define MQ_CONCATENATION_S8_H

#include "mq_common.h"

typedef struct {
    int32_t rows;      /* the product of the sizes before the axis */
    int32_t count;     /* inputs */
    int32_t sizes[10]; /* bytes that each input gives to a row; 0 beyond count */
} mq_concatenation_s8_params_t;

/* input_k [rows][sizes[k]], output [rows][sum of sizes]. Inputs beyond count are not read. */
MQ_KERNEL void mq_concatenation_s8(const mq_concatenation_s8_params_t *params,
                                   const void *input_0,
                                   const void *input_1,
                                   const void *input_2,
                                   const void *input_3,
                                   const void *input_4,
                                   const void *input_5,
                                   const void *input_6,
                                   const void *input_7,
                                   const void *input_8,
                                   const void *input_9,
                                   void *output) {
    const void *const inputs[10] = {input_0, input_1, input_2, input_3, input_4,
                                    input_5, input_6, input_7, input_8, input_9};
    uint8_t *to = (uint8_t *)output;
    for (int32_t row = 0; row < params->rows; row++) {
        for (int32_t k = 0; k < params->count; k++) {
            const size_t size = (size_t)params->sizes[k];
            memcpy(to, (const uint8_t *)inputs[k] + (size_t)row * size, size);
            to += size;
        }
    }
}

#endif
