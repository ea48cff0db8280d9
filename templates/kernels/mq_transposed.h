/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: which taps of a filter reach an output of a transposed convolution.
 */
#ifndef MQ_TRANSPOSED_H
#define MQ_TRANSPOSED_H

#include "mq_common.h"

/* Input i spreads tap k to place i * stride + k. Taps first, first + stride, ... before end reach the place
 * of an output, each from one input less than the tap before; the others contribute nothing. Where none
 * does, first >= end.
 */
typedef struct {
    int32_t first;
    int32_t end;
    int32_t input; /* that tap `first` reads */
} mq_transposed_taps_t;

/* place: of the output, from where the first input's filter begins. */
static inline mq_transposed_taps_t
mq_transposed_taps(int32_t place, int32_t stride, int32_t taps, int32_t input_size) {
    mq_transposed_taps_t reached;
    reached.first = mq_max(place % stride, place - (input_size - 1) * stride);
    reached.end = mq_min(taps, place + 1);
    reached.input = (place - reached.first) / stride;
    return reached;
}

#endif
