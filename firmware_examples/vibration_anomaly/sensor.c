/* SPDX-License-Identifier: 0BSD
 *
 * The physical model, in integers, so that it is the same in training and on every chip:
 *
 * - A shaft turns 25 times a second; its speed wanders by 2 % from one reading to the next. Unbalance gives a
 * sine of its frequency, misalignment one of twice that.
 * - The rest of the machine is white noise.
 * - A defect in the outer race is struck by each rolling element, 3.585 times a turn (bearing 6205: half its
 * 9 elements, times 1 - d/D). Each strike makes the housing ring at 2.5 kHz, for about 1.2 ms: a resonator of
 * two poles. Strikes vary by a quarter, and slip moves them by 1 %. P. D. McFadden, J. D. Smith: "Model for
 * the vibration produced by a single point defect in a rolling element bearing", Journal of Sound and
 * Vibration 96 (1984).
 */
#include "sensor.h"

#define SHAFT_STEP 13107200u    /* 25 Hz: 2**32 * 25 / 8192 */
#define STRIKES_PER_TURN_Q8 918 /* 3.585 */
/* Poles at 0.903 * exp(+-i 2 pi 2500 / 8192): the sum of the two, and their product, in 1/16384. */
#define POLES_SUM (-10060)
#define POLES_PRODUCT 13360

static uint32_t next_random(machine_t *machine) {
    uint32_t x = machine->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return machine->random = x;
}

/* Uniform in [-limit, limit]. */
static int32_t uniform(machine_t *machine, int32_t limit) {
    return (int32_t)(next_random(machine) % (uint32_t)(2 * limit + 1)) - limit;
}

/* The sum of four uniform values is near enough to a normal one. Its standard deviation: 1.15 limit. */
static int32_t noise(machine_t *machine, int32_t limit) {
    return uniform(machine, limit) + uniform(machine, limit) + uniform(machine, limit) +
           uniform(machine, limit);
}

/* A sine of that amplitude: two parabolas. */
static int32_t sine(uint32_t angle, int32_t amplitude) {
    const int32_t x = (int32_t)(angle >> 17) - 16384; /* half a turn is 16384 */
    const int32_t y = x < 0 ? x * (16384 + x) : x * (16384 - x);
    return -(y >> 12) * amplitude / 16384;
}

void machine_start(machine_t *machine, uint32_t seed) {
    machine->random = seed * 2654435761u + 1u;
    machine->shaft_step = SHAFT_STEP;
    machine->ringing[0] = machine->ringing[1] = 0;
    machine->shaft = next_random(machine);
    machine->defect = next_random(machine);
}

/* What the resonator is struck with now: 0 but at the moments of strikes. */
static int32_t strike(machine_t *machine, int32_t severity) {
    const uint32_t before = machine->defect;
    machine->defect += machine->shaft_step / 256u * STRIKES_PER_TURN_Q8;
    if (machine->defect >= before) {
        return 0;
    }
    machine->defect += (uint32_t)(uniform(machine, 1 << 24) + (1 << 24));
    return severity * (96 + uniform(machine, 24)) * 8;
}

void sensor_read(machine_t *machine, int32_t severity, int16_t *samples, int32_t count) {
    machine->shaft_step = SHAFT_STEP + (uint32_t)uniform(machine, SHAFT_STEP / 50);
    for (int32_t i = 0; i < count; i++) {
        const int32_t *y = machine->ringing;
        const int32_t ringing =
            strike(machine, severity) + (POLES_SUM * y[0]) / 16384 - (POLES_PRODUCT * y[1]) / 16384;
        machine->ringing[1] = machine->ringing[0];
        machine->ringing[0] = ringing;
        machine->shaft += machine->shaft_step;
        samples[i] = (int16_t)(sine(machine->shaft, 300) + sine(2u * machine->shaft + 900000000u, 120) +
                               noise(machine, 20) + ringing / 256);
    }
}
