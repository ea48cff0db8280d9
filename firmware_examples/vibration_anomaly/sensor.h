/* SPDX-License-Identifier: 0BSD
 *
 * The accelerometer on a bearing's housing, simulated: in a product, your driver takes this file's place.
 */
#ifndef SENSOR_H
#define SENSOR_H

#include <stdint.h>

/* Samples in a second. One unit is 1/1000 of the acceleration of gravity. */
#define SENSOR_HZ 8192

/* The machine: where its shaft and its defect are, and how its housing still rings. */
typedef struct {
    uint32_t random;
    uint32_t shaft;      /* the shaft's angle, 2**32 is a turn */
    uint32_t shaft_step; /* per sample */
    uint32_t defect;     /* the angle between two strikes of rolling elements, likewise */
    int32_t ringing[2];  /* the last two samples of the resonance, 1/256 units */
} machine_t;

void machine_start(machine_t *machine, uint32_t seed);

/* The next samples. severity: of a defect in the outer race, 0 (none) to 100. */
void sensor_read(machine_t *machine, int32_t severity, int16_t *samples, int32_t count);

#endif
