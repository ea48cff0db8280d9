/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: a border that mirrors what is inside, around up to five axes, any CPU. Bytes, of whatever type.
 */
#ifndef MQ_MIRROR_PAD_S8_H
#define MQ_MIRROR_PAD_S8_H

#include "mq_walk.h"

typedef struct {
    int32_t input_size[5]; /* in elements */
    int32_t before[5];
    int32_t output_size[5];
    int32_t element_bytes;
    int32_t skip_edge; /* 1 if what lies at the edge is not in the mirror */
} mq_mirror_pad_s8_params_t;

/* The input's index that the output's index shows. */
static inline int32_t
mq_mirror_pad_s8_source(const mq_mirror_pad_s8_params_t *params, int32_t axis, int32_t index) {
    const int32_t position = index - params->before[axis];
    const int32_t size = params->input_size[axis];
    if (position < 0) {
        return params->skip_edge - 1 - position;
    }
    return position < size ? position : 2 * size - 1 - params->skip_edge - position;
}

/* input [input_size...], output [output_size...], both of elements. */
MQ_KERNEL void mq_mirror_pad_s8(const mq_mirror_pad_s8_params_t *params, const void *input, void *output) {
    const size_t bytes = (size_t)params->element_bytes;
    const int32_t *size = params->input_size;
    const int32_t inside = params->before[4];
    const int32_t behind = inside + size[4];
    const int32_t rows =
        params->output_size[0] * params->output_size[1] * params->output_size[2] * params->output_size[3];
    int32_t index[4] = {0, 0, 0, 0};
    uint8_t *to = (uint8_t *)output;
    for (int32_t row = 0; row < rows; row++) {
        int32_t start = 0;
        for (int32_t axis = 0; axis < 4; axis++) {
            start = start * size[axis] + mq_mirror_pad_s8_source(params, axis, index[axis]);
        }
        const uint8_t *from = (const uint8_t *)input + (size_t)(start * size[4]) * bytes;
        for (int32_t column = 0; column < inside; column++) {
            memcpy(to, from + (size_t)mq_mirror_pad_s8_source(params, 4, column) * bytes, bytes);
            to += bytes;
        }
        memcpy(to, from, (size_t)size[4] * bytes);
        to += (size_t)size[4] * bytes;
        for (int32_t column = behind; column < params->output_size[4]; column++) {
            memcpy(to, from + (size_t)mq_mirror_pad_s8_source(params, 4, column) * bytes, bytes);
            to += bytes;
        }
        mq_next_row(params->output_size, index);
    }
}

#endif
