/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: going through an output of five axes while operands that broadcast follow.
 */
#ifndef MQ_WALK_H
#define MQ_WALK_H

#include "mq_common.h"

/* Step `index`, a row's place along the four outer axes, to the next row. sizes: outermost first.
 * Returns the axis that moved on by one; the axes behind it are back at 0. An operand moves by its
 * steps[axis], which the generator worked out, so that no row costs a division.
 */
static inline int32_t mq_next_row(const int32_t *sizes, int32_t *index) {
    int32_t axis = 3;
    while (axis > 0 && index[axis] + 1 == sizes[axis]) {
        index[axis] = 0;
        axis--;
    }
    index[axis]++;
    return axis;
}

#endif
