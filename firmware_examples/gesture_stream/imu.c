/* SPDX-License-Identifier: 0BSD
 *
 * The physical model, in integers, so that it is the same in training and on every chip. An accelerometer
 * feels
 *
 * - gravity, 1000 units, along axes that a tilted hand turns; the tilt wanders by up to 20 degrees;
 * - the hand's tremor of 9 Hz, and the sensor's own noise;
 * - the hand's motion. A swipe goes from rest to rest along x: its acceleration is one period of a sine
 * (cycloidal motion). A circle is turned once in the plane of x and z: a vector of constant length that
 * turns. A shake goes to and fro along y, 5 times a second, swelling and fading.
 *
 * Each takes 20 % more or less time than usual, is 30 % stronger or weaker, and swipes and circles go either
 * way.
 */
#include "imu.h"

#define HERTZ(f) ((uint32_t)((f) * 67108864u)) /* a step of the angle per sample: 2**32 / 64 */
#define LARGEST_TILT 350

static uint32_t next_random(imu_t *imu) {
    uint32_t x = imu->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return imu->random = x;
}

/* Uniform in [-limit, limit]. */
static int32_t uniform(imu_t *imu, int32_t limit) {
    return (int32_t)(next_random(imu) % (uint32_t)(2 * limit + 1)) - limit;
}

/* A sine of that amplitude: two parabolas. */
static int32_t sine(uint32_t angle, int32_t amplitude) {
    const int32_t x = (int32_t)(angle >> 17) - 16384; /* half a turn is 16384 */
    const int32_t y = x < 0 ? x * (16384 + x) : x * (16384 - x);
    return -(y >> 12) * amplitude / 16384;
}

void imu_start(imu_t *imu, uint32_t seed) {
    imu->random = seed * 2654435761u + 1u;
    imu->tilt[0] = uniform(imu, LARGEST_TILT);
    imu->tilt[1] = uniform(imu, LARGEST_TILT);
    imu->tremor = 0;
    (void)imu_perform(imu, GESTURE_NONE);
}

int32_t imu_perform(imu_t *imu, int32_t gesture) {
    static const int32_t durations[GESTURES] = {96, 32, 48, 60};
    static const int32_t strengths[GESTURES] = {0, 900, 700, 800};
    imu->gesture = gesture;
    imu->time = 0;
    imu->duration = durations[gesture] * (100 + uniform(imu, 20)) / 100;
    imu->strength = strengths[gesture] * (100 + uniform(imu, 30)) / 100;
    imu->sign = (next_random(imu) & 256u) != 0u ? 1 : -1;
    return imu->duration;
}

static void add_motion(imu_t *imu, int32_t *felt) {
    const uint32_t angle = UINT32_MAX / (uint32_t)imu->duration * (uint32_t)imu->time;
    if (imu->time++ >= imu->duration) {
        return;
    }
    switch (imu->gesture) {
    case GESTURE_SWIPE:
        felt[0] += imu->sign * sine(angle, imu->strength);
        break;
    case GESTURE_CIRCLE:
        felt[0] += sine(angle + 0x40000000u, imu->strength);
        felt[2] += imu->sign * sine(angle, imu->strength);
        break;
    case GESTURE_SHAKE:
        felt[1] += sine(HERTZ(5) * (uint32_t)imu->time, sine(angle / 2u, imu->strength));
        break;
    default:
        break;
    }
}

void imu_read(imu_t *imu, int16_t sample[IMU_AXES]) {
    for (int i = 0; i < 2; i++) {
        const int32_t tilt = imu->tilt[i] + uniform(imu, 4);
        imu->tilt[i] = tilt < -LARGEST_TILT ? -LARGEST_TILT : tilt > LARGEST_TILT ? LARGEST_TILT : tilt;
    }
    const int32_t x = imu->tilt[0] * 1000 / 1024, y = imu->tilt[1] * 1000 / 1024;
    int32_t felt[IMU_AXES] = {x, y, 1000 - (x * x + y * y) / 2000};
    add_motion(imu, felt);
    imu->tremor += HERTZ(9);
    for (int axis = 0; axis < IMU_AXES; axis++) {
        const int32_t tremor = sine(imu->tremor + (uint32_t)axis * 1000000000u, 20);
        sample[axis] = (int16_t)(felt[axis] + tremor + uniform(imu, 20) + uniform(imu, 20));
    }
}
