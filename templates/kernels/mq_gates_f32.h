/* SPDX-License-Identifier: 0BSD
 *
 * mcu_quant: the sums of float recurrent layers.
 */
#ifndef MQ_GATES_F32_H
#define MQ_GATES_F32_H

#include "mq_float_functions.h"
#include "mq_float_weights.h"

/* One product of all sums: weights [rows][size], stored as MQ_WEIGHTS_… says; scale, bias [rows]. */
typedef struct {
    int32_t size;
    int32_t storage;
    const void *weights;
    const float *scale;
    const float *bias;
} mq_gates_f32_product_t;

/* sums[i], or (adds) what is added to it, of the rows from `first` on. */
static inline void mq_gates_f32_sums(float *sums,
                                     int32_t count,
                                     const mq_gates_f32_product_t *product,
                                     int32_t first,
                                     const float *x,
                                     int32_t adds) {
    const int32_t size = product->size;
    int32_t outputs;
    for (int32_t row = first; row < first + count; row += outputs) {
        float acc[MQ_DOT_OUTPUTS] = {0.0f, 0.0f, 0.0f, 0.0f};
        outputs = first + count - row < MQ_DOT_OUTPUTS ? 1 : MQ_DOT_OUTPUTS;
        mq_dot_float(acc, outputs, x, product->weights, product->storage, row * size, size, size);
        for (int32_t i = 0; i < outputs; i++) {
            const float sum = mq_linear_output_f32(acc[i], product->storage, product->scale + row + i,
                                                   product->bias + row + i, -INFINITY, INFINITY);
            *sums = sum + (adds ? *sums : 0.0f);
            sums++;
        }
    }
}

/* Before the first step: hidden [units] is 0 (starts_anew) or stays. */
static inline void mq_gates_f32_start(float *hidden, int32_t units, int32_t starts_anew) {
    for (int32_t unit = 0; starts_anew && unit < units; unit++) {
        hidden[unit] = 0.0f;
    }
}

#endif
