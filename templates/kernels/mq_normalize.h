/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: the steps of a layer normalization in int16. Each has the bits of the operator that it stands
 * for: QUANTIZE, MEAN, SUB, MUL, ADD, RSQRT. ARITHMETIC section 28.
 */
#ifndef MQ_NORMALIZE_H
#define MQ_NORMALIZE_H

#include "mq_inverse_sqrt.h"

/* How the inverse of a deviation comes about. */
typedef struct {
    int32_t variance_multiplier;
    int32_t variance_shift;
    int32_t operand_multiplier;
    int32_t operand_shift;
    int32_t epsilon;
    int32_t bounded_multiplier;
    int32_t bounded_shift;
    int32_t root_multiplier;
    int32_t root_shift;
} mq_normalize_root_t;

#define MQ_NORMALIZE_ROOT(params) \
    ((mq_normalize_root_t){(params)->variance_multiplier, (params)->variance_shift, \
                           (params)->operand_multiplier, (params)->operand_shift, (params)->epsilon, \
                           (params)->bounded_multiplier, (params)->bounded_shift, (params)->root_multiplier, \
                           (params)->root_shift})

static inline int32_t mq_normalize_clamp(int32_t x) {
    return mq_clamp(x, INT16_MIN, INT16_MAX);
}

/* One step: mq_requantize(x, multiplier, -right). half, sign: as mq_normalize_step sets them. */
typedef struct {
    int32_t multiplier;
    int32_t right;
    int32_t half;
    int32_t sign;
} mq_normalize_step_t;

static inline mq_normalize_step_t mq_normalize_step(int32_t multiplier, int32_t right) {
    const int32_t half = (int32_t)(((uint32_t)1 << right) >> 1);
    const mq_normalize_step_t step = {multiplier, right, half, right == 0 ? 0 : -1};
    return step;
}

/* |x| < 2^30. Halves away from zero: where the product is 0, the sign makes no difference. */
static inline int32_t mq_normalize_requantize(int32_t x, mq_normalize_step_t step) {
    const int32_t high = (int32_t)(((int64_t)(x * 2) * step.multiplier + INT64_C(0x80000000)) >> 32);
    return (high + step.half + ((x >> 31) & step.sign)) >> step.right;
}

/* mq_requantize(x, 2^30, 1 - right), right from 2 on, |x| <= 2^30: both roundings at once. */
static inline int32_t mq_normalize_shift(int32_t x, int32_t right, int32_t half) {
    return (x + half - 2 * (int32_t)((uint32_t)x >> 31)) >> right;
}

/* The half of mq_normalize_shift. */
static inline int32_t mq_normalize_half(int32_t right) {
    return ((int32_t)1 << (right - 1)) + 1;
}

/* 1 / the deviation of a row whose squares have that sum. */
MQ_KERNEL int32_t mq_normalize_inverse(mq_normalize_root_t root, int32_t squares) {
    const int32_t fraction_bits = 20; /* of an integer's root */
    const int32_t variance =
        mq_normalize_clamp(mq_requantize(squares, root.variance_multiplier, root.variance_shift));
    const int32_t operand =
        mq_requantize(variance * ((int32_t)1 << 15), root.operand_multiplier, root.operand_shift);
    const int32_t bounded = mq_normalize_clamp(
        mq_requantize(operand + root.epsilon, root.bounded_multiplier, root.bounded_shift));
    if (bounded <= 0) {
        return INT16_MAX;
    }
    const mq_inverse_sqrt_t inverse = mq_inverse_sqrt(bounded);
    const int32_t y = mq_requantize(1, inverse.multiplier, inverse.shift + fraction_bits);
    return mq_normalize_clamp(mq_requantize(y, root.root_multiplier, root.root_shift));
}

#endif
