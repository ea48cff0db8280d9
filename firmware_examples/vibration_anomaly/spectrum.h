/* SPDX-License-Identifier: 0BSD
 *
 * What the model sees of a signal: how strong it is in 32 bands of frequencies.
 */
#ifndef SPECTRUM_H
#define SPECTRUM_H

#include <stdint.h>

/* Four segments, whose energies are added (Welch's method): a quarter of a second. */
#define SPECTRUM_SAMPLES 2048
#define SPECTRUM_BANDS 32

/* levels: 16 * log2 of each band's energy (16 is 3 dB). */
void spectrum(const int16_t samples[SPECTRUM_SAMPLES], int16_t levels[SPECTRUM_BANDS]);

#endif
