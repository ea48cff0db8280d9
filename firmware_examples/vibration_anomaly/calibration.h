/* SPDX-License-Identifier: 0BSD
 *
 * Written by train.py.
 */
#ifndef CALIBRATION_H
#define CALIBRATION_H

#include "spectrum.h"

/* The mean levels of a healthy machine. The model sees what differs from them. */
static const int16_t normal_levels[SPECTRUM_BANDS] = {
    532, 358, 346, 345, 345, 346, 345, 345, 345, 345, 345, 345, 345, 345, 345, 345,
    345, 345, 345, 345, 345, 345, 345, 345, 345, 345, 345, 346, 345, 345, 345, 345,
};

/* 1.1 times the largest score of the validation windows. */
#define ALARM_SCORE 0.250f
/* So many windows in a row above it raise the alarm. */
#define ALARM_WINDOWS 3

#endif
