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

#define WINDOW 64
#define HOP 16
#define PERFORMED 12
/* What the output of the likeliest gesture must be, 0.8, to be believed. */
#define SURE ((int32_t)(0.8f / GESTURE_OUTPUT_0_SCALE) + GESTURE_OUTPUT_0_ZERO_POINT)

/* The model that this was written for. */
typedef char input_is_a_window[GESTURE_INPUT_0_ELEMENTS == WINDOW * IMU_AXES ? 1 : -1];
typedef char output_is_a_gesture[GESTURE_OUTPUT_0_ELEMENTS == GESTURES ? 1 : -1];

static const char *const names[GESTURES] = {"none", "swipe", "circle", "shake"};

static uint8_t arena[GESTURE_ARENA_BYTES] __attribute__((aligned(GESTURE_ARENA_ALIGN)));

/* The last WINDOW samples as the model wants them: each is quantized once, when it comes. */
static int8_t ring[WINDOW][IMU_AXES];
static int32_t oldest;

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

static void push(const int16_t sample[IMU_AXES]) {
    for (int axis = 0; axis < IMU_AXES; axis++) {
        ring[oldest][axis] = gesture_input_0_quantize((float)sample[axis] / 1000.0f);
    }
    oldest = (oldest + 1) % WINDOW;
}

/* Runs the model on the ring, oldest sample first. Returns a gesture, or GESTURE_NONE if it is not sure. */
static int32_t classify(void) {
    int8_t *input = gesture_input_0(arena);
    const size_t to_end = (size_t)(WINDOW - oldest) * IMU_AXES;
    memcpy(input, ring[oldest], to_end);
    memcpy(input + to_end, ring[0], sizeof ring - to_end);
    gesture_invoke(arena);

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
            push(sample);
            const int32_t recognized = ++samples % HOP == 0 ? recognize() : GESTURE_NONE;
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
