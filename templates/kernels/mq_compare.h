/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: relations of two values. The generator makes the other ones by swapping the operands, or by
 * negating.
 */
#ifndef MQ_COMPARE_H
#define MQ_COMPARE_H

/* The values of `relation`; the last two are of conditions (bool) only. */
#define MQ_EQUAL 0
#define MQ_GREATER 1
#define MQ_GREATER_EQUAL 2
#define MQ_BOTH 3
#define MQ_EITHER 4

/* 1 or 0. a, b: numbers of one type, without side effects. Nothing but "not equal" holds of NaN. */
#define MQ_HOLDS(relation, a, b) \
    ((relation) == MQ_EQUAL ? (a) == (b) : (relation) == MQ_GREATER ? (a) > (b) : (a) >= (b))

#endif
