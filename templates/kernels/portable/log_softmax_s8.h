/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: int8 logarithm of softmax in integers, any CPU. Works in place. ARITHMETIC section 22.
 */
#ifndef MQ_LOG_SOFTMAX_S8_H
#define MQ_LOG_SOFTMAX_S8_H

#include "mq_softmax.h"

typedef struct {
    int32_t rows;
    int32_t row_size;
    int32_t multiplier; /* from differences of inputs to Q5.26 */
    int32_t shift;
    int32_t smallest_difference; /* below it an exponential is 0 */
    int32_t inverse_multiplier;  /* from Q5.26 to differences of inputs */
    int32_t inverse_shift;
} mq_log_softmax_s8_params_t;

/* How far a positive number can be shifted to the left. */
MQ_KERNEL int32_t mq_log_headroom(int32_t x) {
    int32_t headroom = 0;
    while (x < (int32_t)1 << 30) {
        x *= 2;
        headroom++;
    }
    return headroom;
}

/* ln(x) in Q5.26, x at least 1 in Q12.19. The twin of fixed_point.log_of_at_least_one. */
MQ_KERNEL int32_t mq_log_of_at_least_one(int32_t x) {
    const int32_t sqrt_half = 1518500250; /* these in Q0.31 */
    const int32_t sqrt_sqrt_half = 1805811301;
    const int32_t ln_2 = 1488522236;
    const int32_t quarter = (int32_t)1 << 23; /* in Q6.25, as the powers are */
    const int32_t whole = mq_log_headroom(x);
    const int32_t halved = mq_high_mul(x << whole, sqrt_half);
    const int32_t first = halved >= (int32_t)1 << 30 ? INT32_MAX : halved * 2;
    const int32_t scaled = mq_log_headroom(mq_high_mul(x, sqrt_half));
    const int32_t second = scaled > whole ? INT32_MAX : x << scaled;
    const int32_t r = mq_min(first, second);
    const int32_t one = (int32_t)1 << 25;
    const int32_t power = mq_max((11 - whole) * one + quarter, (12 - scaled) * one - quarter);
    const int32_t p = (int32_t)(((uint32_t)r + (uint32_t)sqrt_sqrt_half + 1u) >> 1);
    const int32_t q = (r - sqrt_sqrt_half) * 2;
    const int32_t square = mq_high_mul(q, q);
    const int32_t numerator = mq_high_mul(q, r) + mq_high_mul(mq_high_mul(q, square), 117049297);
    const int32_t denominator =
        mq_high_mul(p, 1057819769 + q + mq_high_mul(square, 127690142)) + mq_high_mul(q, 638450708);
    const int32_t quotient = mq_high_mul(mq_rounding_divide_by_power_of_two(numerator, 6),
                                         mq_softmax_one_over_one_plus(denominator));
    return (mq_high_mul(power, ln_2) + quotient) * 2;
}

/* input, output [rows][row_size]; the output's scale is 1/16, its zero_point 127. */
MQ_KERNEL void
mq_log_softmax_s8(const mq_log_softmax_s8_params_t *params, const int8_t *input, int8_t *output) {
    for (int32_t row = 0; row < params->rows; row++) {
        int32_t largest = INT8_MIN;
        for (int32_t i = 0; i < params->row_size; i++) {
            largest = mq_max(largest, input[i]);
        }
        int32_t sum = 0; /* Q12.19 */
        for (int32_t i = 0; i < params->row_size; i++) {
            if (input[i] - largest >= params->smallest_difference) {
                const int32_t scaled = mq_requantize(input[i] - largest, params->multiplier, params->shift);
                sum += mq_rounding_divide_by_power_of_two(mq_softmax_exp(scaled), 12);
            }
        }
        const int32_t logarithm = mq_log_of_at_least_one(sum);
        const int32_t below =
            mq_max(params->smallest_difference - 1,
                   mq_requantize(INT32_MIN + logarithm, params->inverse_multiplier, params->inverse_shift));
        for (int32_t i = 0; i < params->row_size; i++) {
            int32_t y = INT8_MIN;
            if (input[i] - largest > below) {
                const int32_t scaled = mq_requantize(input[i] - largest, params->multiplier, params->shift);
                y = mq_rounding_divide_by_power_of_two(scaled - logarithm, 22) + INT8_MAX;
            }
            output[i] = (int8_t)mq_clamp(y, INT8_MIN, INT8_MAX);
        }
        input += params->row_size;
        output += params->row_size;
    }
}

#endif
