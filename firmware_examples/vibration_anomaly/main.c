/* SPDX-License-Identifier: 0BSD
 *
 * Listen to a bearing, and raise an alarm when it no longer sounds as it did: an autoencoder that has learned
 * what a healthy one sounds like reconstructs anything else badly.
 *
 * Ten seconds of a healthy machine, then a defect that grows. Files: sensor.c (the simulated accelerometer),
 * spectrum.c (what the model sees of it), calibration.h (what train.py found out about healthy machines),
 * model/ (generated).
 */
#include "board.h"
#include "calibration.h"
#include "port.h"
#include "sensor.h"
#include "spectrum.h"
#include "vibration.h"

#define WINDOWS_A_SECOND (SENSOR_HZ / SPECTRUM_SAMPLES)
#define SECONDS 20
/* When the defect begins, and how fast it grows. */
#define DEFECT_SECOND 10
#define GROWTH_PER_WINDOW 1

/* The model that this was written for. */
typedef char input_is_the_spectrum[VIBRATION_INPUT_0_ELEMENTS == SPECTRUM_BANDS ? 1 : -1];
typedef char output_is_the_spectrum[VIBRATION_OUTPUT_0_ELEMENTS == SPECTRUM_BANDS ? 1 : -1];

static uint8_t arena[VIBRATION_ARENA_BYTES] __attribute__((aligned(VIBRATION_ARENA_ALIGN)));

/* How far the window is from what a healthy machine sounds like: the mean squared error of its
 * reconstruction. */
static float anomaly_score(const int16_t *samples) {
    int16_t levels[SPECTRUM_BANDS];
    float differences[SPECTRUM_BANDS];
    int8_t *input = vibration_input_0(arena);
    spectrum(samples, levels);
    for (int i = 0; i < SPECTRUM_BANDS; i++) {
        differences[i] = (float)(levels[i] - normal_levels[i]) / 16.0f;
        input[i] = vibration_input_0_quantize(differences[i]);
    }
    vibration_invoke(arena);

    const int8_t *reconstruction = vibration_output_0(arena);
    float sum = 0.0f;
    for (int i = 0; i < SPECTRUM_BANDS; i++) {
        const float error = vibration_output_0_dequantize(reconstruction[i]) - differences[i];
        sum += error * error;
    }
    return sum / SPECTRUM_BANDS;
}

static void print_hundredths(float value) {
    const int32_t hundredths = (int32_t)(value * 100.0f + 0.5f);
    port_print_int(hundredths / 100);
    port_print(".");
    port_print_int(hundredths / 10 % 10);
    port_print_int(hundredths % 10);
}

/* Counts windows in a row that are above the threshold. Returns 1 when they raise the alarm, once. */
static int raises_alarm(float score) {
    static int32_t above;
    if (above == ALARM_WINDOWS) {
        return 0; /* a product would wait here until somebody has looked at the bearing */
    }
    above = score > ALARM_SCORE ? above + 1 : 0;
    return above == ALARM_WINDOWS;
}

static void report(int32_t second, int32_t severity, float highest) {
    port_print("second ");
    port_print_int(second);
    port_print(": severity ");
    port_print_int(severity);
    port_print(", score ");
    print_hundredths(highest);
    port_print(highest > ALARM_SCORE ? " above " : " below ");
    print_hundredths(ALARM_SCORE);
    port_print("\n");
}

int main(void) {
    static int16_t samples[SPECTRUM_SAMPLES];
    machine_t machine;
    int32_t severity = 0;
    machine_start(&machine, 2026u);
    for (int32_t second = 0; second < SECONDS; second++) {
        float highest = 0.0f;
        for (int32_t window = 0; window < WINDOWS_A_SECOND; window++) {
            severity += second >= DEFECT_SECOND ? GROWTH_PER_WINDOW : 0;
            sensor_read(&machine, severity, samples, SPECTRUM_SAMPLES);
            const float score = anomaly_score(samples);
            highest = score > highest ? score : highest;
            if (raises_alarm(score)) {
                port_print("ALARM: look at the bearing\n");
            }
        }
        report(second, severity, highest);
    }
    return 0;
}
