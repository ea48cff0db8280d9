/* SPDX-License-Identifier: 0BSD
 *
 * A high-pass of one pole, 0.16 Hz: the sample less a mean that follows it slowly.
 */
#include "motion.h"

void motion_filter(motion_t *motion, int16_t sample[IMU_AXES]) {
    for (int axis = 0; axis < IMU_AXES; axis++) {
        const int32_t difference = sample[axis] - motion->sum[axis] / MOTION_MEMORY;
        motion->sum[axis] += difference;
        sample[axis] = (int16_t)difference;
    }
}
