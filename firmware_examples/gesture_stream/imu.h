/* SPDX-License-Identifier: 0BSD
 *
 * An accelerometer in a hand that makes gestures, simulated: in a product, your driver takes this file's
 * place.
 */
#ifndef IMU_H
#define IMU_H

#include <stdint.h>

/* Samples in a second. One unit is 1/1000 of the acceleration of gravity. */
#define IMU_HZ 64
#define IMU_AXES 3

typedef enum { GESTURE_NONE, GESTURE_SWIPE, GESTURE_CIRCLE, GESTURE_SHAKE, GESTURES } gesture_t;

typedef struct {
    uint32_t random;
    int32_t tilt[2];  /* of the hand, 1/1024 rad, about y and x */
    uint32_t tremor;  /* the angle of the tremor, 2**32 is a turn */
    int32_t gesture;  /* what the hand does */
    int32_t time;     /* samples since that began */
    int32_t duration; /* samples that it takes */
    int32_t strength; /* of the acceleration */
    int32_t sign;     /* to the right or to the left, 1 or -1 */
} imu_t;

void imu_start(imu_t *imu, uint32_t seed);

/* Begin a gesture; GESTURE_NONE is a rest. Returns the number of samples that it takes. */
int32_t imu_perform(imu_t *imu, int32_t gesture);

void imu_read(imu_t *imu, int16_t sample[IMU_AXES]);

#endif
