/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: a border of one value around up to four axes, any CPU. Bytes, of whatever type.
 */
#ifndef MQ_PAD_S8_H
#define MQ_PAD_S8_H

#include "mq_common.h"

typedef struct {
    int32_t input_size[4]; /* the last in bytes */
    int32_t before[4];
    int32_t output_size[4];
    int32_t value_bytes; /* 1, or those of an element, 2 or 4, where its bytes differ from each other */
    int32_t value;       /* of the border */
} mq_pad_s8_params_t;

static inline int mq_pad_s8_inside(const mq_pad_s8_params_t *params, int32_t axis, int32_t index) {
    const int32_t position = index - params->before[axis];
    return position >= 0 && position < params->input_size[axis];
}

static inline void mq_pad_s8_fill(const mq_pad_s8_params_t *params, uint8_t *to, size_t bytes) {
    if (params->value_bytes == 1) {
        memset(to, params->value, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i += (size_t)params->value_bytes) {
        memcpy(to + i, &params->value, (size_t)params->value_bytes);
    }
}

/* input [input_size...], output [output_size...]. */
MQ_KERNEL void mq_pad_s8(const mq_pad_s8_params_t *params, const void *input, void *output) {
    const uint8_t *from = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)output;
    const size_t row = (size_t)params->input_size[3];
    const size_t before = (size_t)params->before[3];
    const size_t out_row = (size_t)params->output_size[3];
    for (int32_t i = 0; i < params->output_size[0]; i++) {
        for (int32_t j = 0; j < params->output_size[1]; j++) {
            for (int32_t k = 0; k < params->output_size[2]; k++) {
                if (mq_pad_s8_inside(params, 0, i) && mq_pad_s8_inside(params, 1, j) &&
                    mq_pad_s8_inside(params, 2, k)) {
                    mq_pad_s8_fill(params, to, before);
                    memcpy(to + before, from, row);
                    mq_pad_s8_fill(params, to + before + row, out_row - before - row);
                    from += row;
                } else {
                    mq_pad_s8_fill(params, to, out_row);
                }
                to += out_row;
            }
        }
    }
}

#endif
