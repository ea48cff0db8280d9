/* SPDX-License-Identifier: 0BSD
 *
 * What the model sees of an acceleration: without gravity, which changes slowly.
 */
#ifndef MOTION_H
#define MOTION_H

#include "imu.h"

/* The acceleration's mean in the last second or so, times MOTION_MEMORY. Begin with zeros. */
typedef struct {
    int32_t sum[IMU_AXES];
} motion_t;

#define MOTION_MEMORY 64

/* In place. */
void motion_filter(motion_t *motion, int16_t sample[IMU_AXES]);

#endif
