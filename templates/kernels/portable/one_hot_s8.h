/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: one value where indices are, another elsewhere, any CPU. Elements of whatever type.
 */
#ifndef MQ_ONE_HOT_S8_H
#define MQ_ONE_HOT_S8_H

#include "mq_common.h"

typedef struct {
    int32_t outer; /* sizes of the indices before and behind the new axis */
    int32_t depth; /* the new axis */
    int32_t inner;
    int32_t element_bytes;
} mq_one_hot_s8_params_t;

/* indices [outer][inner], output [outer][depth][inner]; on, off: an element each. */
MQ_KERNEL void mq_one_hot_s8(const mq_one_hot_s8_params_t *params,
                             const int32_t *indices,
                             const void *on,
                             const void *off,
                             void *output) {
    uint8_t *to = (uint8_t *)output;
    const size_t bytes = (size_t)params->element_bytes;
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t place = 0; place < params->depth; place++) {
            for (int32_t inner = 0; inner < params->inner; inner++) {
                memcpy(to, indices[inner] == place ? on : off, bytes);
                to += bytes;
            }
        }
        indices += params->inner;
    }
}

#endif
