/* SPDX-License-Identifier: 0BSD
 *
 * A current sensor in a mains socket, simulated: in a product, your driver takes this file's place.
 */
#ifndef MAINS_H
#define MAINS_H

#include <stdint.h>

/* Samples in a second: 32 in each period of 50 Hz. One unit is 1 mA. */
#define MAINS_HZ 1600

typedef enum { LOAD_OFF, LOAD_HEATER, LOAD_MOTOR, LOAD_DIMMER, LOAD_SUPPLY, LOADS } load_t;

typedef struct {
    uint32_t random;
    uint32_t angle;    /* of the voltage, 2**32 is a period */
    int32_t load;      /* what is plugged in */
    int32_t current;   /* its amplitude, mA */
    uint32_t property; /* the motor's lag, the dimmer's angle, the supply's threshold */
} mains_t;

void mains_start(mains_t *mains, uint32_t seed);

/* Plug in another load. */
void mains_connect(mains_t *mains, int32_t load);

int16_t mains_read(mains_t *mains);

#endif
