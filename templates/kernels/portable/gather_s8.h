/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: entries of a table, by their indices, any CPU. Bytes, of whatever type.
 */
#ifndef MQ_GATHER_S8_H
#define MQ_GATHER_S8_H

#include "mq_common.h"

typedef struct {
    int32_t batches; /* of tables, each with its own indices */
    int32_t blocks;  /* of a table, from each of which the same entries are read */
    int32_t count;   /* entries that are read of each block */
    int32_t block_bytes;
    int32_t entry_bytes;
    int32_t depth;    /* indices of one entry */
    int32_t sizes[5]; /* indices are limited to 0 ... size - 1 */
    int32_t steps[5]; /* bytes from one index to the next */
} mq_gather_s8_params_t;

/* Where in a block the entry is that `index` [depth] names: always inside. */
static inline int32_t mq_gather_s8_position(const mq_gather_s8_params_t *params, const int32_t *index) {
    int32_t position = 0;
    for (int32_t axis = 0; axis < params->depth; axis++) {
        const int32_t last = params->sizes[axis] - 1;
        const int32_t limited = index[axis] < 0 ? 0 : index[axis] > last ? last : index[axis];
        position += limited * params->steps[axis];
    }
    return position;
}

/* table [batches][blocks][block_bytes], indices [batches][count][depth],
 * output [batches][blocks][count][entry_bytes].
 */
MQ_KERNEL void
mq_gather_s8(const mq_gather_s8_params_t *params, const void *table, const int32_t *indices, void *output) {
    const uint8_t *from = (const uint8_t *)table;
    uint8_t *to = (uint8_t *)output;
    const size_t entry_bytes = (size_t)params->entry_bytes;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t block = 0; block < params->blocks; block++) {
            for (int32_t i = 0; i < params->count; i++) {
                memcpy(to, from + mq_gather_s8_position(params, indices + i * params->depth), entry_bytes);
                to += entry_bytes;
            }
            from += params->block_bytes;
        }
        indices += params->count * params->depth;
    }
}

#endif
