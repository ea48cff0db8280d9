/* SPDX-License-Identifier: 0BSD
 *
 * The physical model, in integers, so that it is the same in training and on every chip. The current that
 * flows while the voltage is sin(angle):
 *
 * - off: none but the sensor's noise;
 * - heater: a resistor, in phase with the voltage;
 * - motor: an inductance makes it lag by 30 to 60 degrees, and iron that saturates adds a third harmonic;
 * - dimmer: a resistor, switched on 60 to 120 degrees into each half period;
 * - power supply: a rectifier charges its capacitor while the voltage is above that, near its peaks.
 *
 * Amplitudes are 2 to 8 A. The noise is 60 mA.
 */
#include "mains.h"

#define STEP 134217728u /* 50 Hz: 2**32 / 32 */
#define DEGREES(d) ((uint32_t)((d) * 11930464u))
#define NOISE 60

static uint32_t next_random(mains_t *mains) {
    uint32_t x = mains->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return mains->random = x;
}

/* Uniform in [least, most]. */
static int32_t uniform(mains_t *mains, int32_t least, int32_t most) {
    return least + (int32_t)(next_random(mains) % (uint32_t)(most - least + 1));
}

/* A sine of that amplitude: two parabolas. */
static int32_t sine(uint32_t angle, int32_t amplitude) {
    const int32_t x = (int32_t)(angle >> 17) - 16384; /* half a turn is 16384 */
    const int32_t y = x < 0 ? x * (16384 + x) : x * (16384 - x);
    return -(y >> 12) * amplitude / 16384;
}

void mains_start(mains_t *mains, uint32_t seed) {
    mains->random = seed * 2654435761u + 1u;
    mains->angle = next_random(mains);
    mains_connect(mains, LOAD_OFF);
}

void mains_connect(mains_t *mains, int32_t load) {
    mains->load = load;
    mains->current = uniform(mains, 2000, 8000);
    mains->property = (uint32_t)uniform(mains, 0, 255);
}

/* What the load draws. property / 256 is where it lies between the least and the most of its kind. */
static int32_t drawn(const mains_t *mains) {
    const uint32_t lag = DEGREES(30) + DEGREES(30) / 256u * mains->property;
    const uint32_t firing = DEGREES(60) + DEGREES(60) / 256u * mains->property;
    const int32_t threshold = 750 + (int32_t)mains->property * 150 / 256;
    const int32_t voltage = sine(mains->angle, 1000);
    const int32_t above = (voltage < 0 ? -voltage : voltage) - threshold;
    switch (mains->load) {
    case LOAD_HEATER:
        return sine(mains->angle, mains->current);
    case LOAD_MOTOR:
        return sine(mains->angle - lag, mains->current) + sine(3u * (mains->angle - lag), mains->current / 8);
    case LOAD_DIMMER:
        return mains->angle % 0x80000000u < firing ? 0 : sine(mains->angle, mains->current);
    case LOAD_SUPPLY:
        return above <= 0 ? 0 : (voltage < 0 ? -1 : 1) * (mains->current / 25 * above / 10);
    default:
        return 0;
    }
}

int16_t mains_read(mains_t *mains) {
    mains->angle += STEP + (uint32_t)uniform(mains, 0, 1 << 20);
    return (int16_t)(drawn(mains) + uniform(mains, -NOISE, NOISE));
}
