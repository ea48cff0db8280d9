/* SPDX-License-Identifier: 0BSD
 *
 * Recognize gestures in a stream of accelerations: 64 samples a second go into a ring, and four times a
 * second the model looks at the last second of them.
 *
 * Files: imu.c (the simulated accelerometer and the hand that holds it), motion.c (takes gravity out), model/
 * (generated).
 */
#include "board.h"
#include "gesture.h"
#include "imu.h"
#include "motion.h"
#include "port.h"

#include <string.h>

#define HOP 16
#define RING (4 * HOP)
#define PERFORMED 12
/* What the output of the likeliest gesture must be, 0.8, to be believed. */
#define SURE ((int32_t)(0.8f / GESTURE_OUTPUT_0_SCALE) + GESTURE_OUTPUT_0_ZERO_POINT)

/* The model that this was written for. */
typedef char input_is_a_hop[GESTURE_INPUT_0_ELEMENTS == HOP * IMU_AXES ? 1 : -1];
typedef char output_is_a_gesture[GESTURE_OUTPUT_0_ELEMENTS == GESTURES ? 1 : -1];

static const char *const names[GESTURES] = {"none", "swipe", "circle", "shake"};

static uint8_t arena[GESTURE_ARENA_BYTES] __attribute__((aligned(GESTURE_ARENA_ALIGN)));

/* What the model keeps of the samples before: with --stream it takes those of a hop alone. */
static uint8_t state[GESTURE_STATE_BYTES] __attribute__((aligned(GESTURE_STATE_ALIGN)));

/* Samples from the sensor to the model, quantized. One writes (in a product an interrupt), one reads, nobody
 * waits: it has room for four hops, so the reader may be three late.
 */
static int8_t ring[RING][IMU_AXES];
static volatile uint32_t written, read;

static int32_t hundredths_of_seconds(int32_t samples) {
    return samples * 100 / IMU_HZ;
}

static void report(int32_t samples, const char *event, int32_t gesture) {
    const int32_t time = hundredths_of_seconds(samples);
    port_print_int(time / 100);
    port_print(".");
    port_print_int(time / 10 % 10);
    port_print_int(time % 10);
    port_print(event);
    port_print(names[gesture]);
    port_print("\n");
}

/* In a product: the sensor's interrupt. */
static void on_sample(const int16_t sample[IMU_AXES]) {
    int8_t *place = ring[written % RING];
    for (int axis = 0; axis < IMU_AXES; axis++) {
        place[axis] = gesture_input_0_quantize((float)sample[axis] / 1000.0f);
    }
    written++;
}

/* Runs the model on the next hop. Returns a gesture, or GESTURE_NONE if it is not sure. */
static int32_t classify(void) {
    memcpy(gesture_input_0(arena), ring[read % RING],
           GESTURE_INPUT_0_BYTES); /* a hop never goes round the end */
    read += HOP;
    gesture_invoke(arena, state);

    const int8_t *scores = gesture_output_0(arena);
    int32_t best = 0;
    for (int32_t i = 1; i < GESTURES; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return scores[best] >= SURE ? best : GESTURE_NONE;
}

/* A gesture stays in the window for some hops: it is recognized once, and then not before the window shows
 * none. */
static int32_t recognize(void) {
    static int32_t last;
    const int32_t now = classify();
    const int32_t recognized = last == GESTURE_NONE ? now : GESTURE_NONE;
    last = now;
    return recognized;
}

int main(void) {
    imu_t imu;
    motion_t motion = {{0}};
    int32_t samples = 0, right = 0, wrong = 0;
    imu_start(&imu, 7u);
    gesture_reset(state);
    for (int32_t i = 0; i < 2 * PERFORMED; i++) {
        /* A rest, a gesture, a rest, ... */
        static int32_t performed;
        const int32_t gesture = i % 2 == 0 ? GESTURE_NONE : 1 + i / 2 * 2 % (GESTURES - 1);
        const int32_t end = samples + imu_perform(&imu, gesture);
        if (gesture != GESTURE_NONE) {
            performed = gesture;
            report(samples, " performs   ", gesture);
        }
        while (samples < end) {
            int16_t sample[IMU_AXES];
            imu_read(&imu, sample);
            motion_filter(&motion, sample);
            on_sample(sample);
            samples++;
            const int32_t recognized = written - read >= HOP ? recognize() : GESTURE_NONE;
            if (recognized != GESTURE_NONE) {
                report(samples, " recognizes ", recognized);
                right += recognized == performed;
                wrong += recognized != performed;
            }
        }
    }
    port_print_int(right);
    port_print(" right, ");
    port_print_int(wrong);
    port_print(" wrong of ");
    port_print_int(PERFORMED);
    port_print("\n");
    return 0;
}
