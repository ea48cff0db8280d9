/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: rows of a state move on, and new ones take the place behind them, any CPU. Bytes, of
 * whatever type.
 */
#ifndef MQ_SLIDE_S8_H
#define MQ_SLIDE_S8_H

#include "mq_common.h"

typedef struct {
    int32_t outer; /* the product of the sizes before the axis of the rows */
    int32_t kept;  /* bytes of the rows that stay, for each of these */
    int32_t added; /* bytes of the new rows */
} mq_slide_s8_params_t;

/* input [outer][added], rows [outer][kept + added]: in place. */
MQ_KERNEL void mq_slide_s8(const mq_slide_s8_params_t *params, const void *input, void *rows) {
    const uint8_t *from = (const uint8_t *)input;
    uint8_t *to = (uint8_t *)rows;
    const size_t kept = (size_t)params->kept;
    const size_t added = (size_t)params->added;
    for (int32_t i = 0; i < params->outer; i++) {
        memmove(to, to + added, kept);
        memcpy(to + kept, from, added);
        to += kept + added;
        from += added;
    }
}

#endif
