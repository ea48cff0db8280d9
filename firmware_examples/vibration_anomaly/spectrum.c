/* SPDX-License-Identifier: 0BSD
 *
 * For each segment a Hann window, a fast Fourier transform of 512 points (radix 2, decimation in time), bands
 * of 8 bins. In integers: 16 bits of samples grow by at most 9 bits in 9 stages, so that nothing has to be
 * scaled down on the way.
 */
#include "spectrum.h"

#define N 512
#define STAGES 9

/* 32767 * sin(pi / 2 * i / 128) */
static const int16_t QUARTER[129] = {
    0,     402,   804,   1206,  1608,  2009,  2410,  2811,  3212,  3612,  4011,  4410,  4808,  5205,  5602,
    5998,  6393,  6786,  7179,  7571,  7962,  8351,  8739,  9126,  9512,  9896,  10278, 10659, 11039, 11417,
    11793, 12167, 12539, 12910, 13279, 13645, 14010, 14372, 14732, 15090, 15446, 15800, 16151, 16499, 16846,
    17189, 17530, 17869, 18204, 18537, 18868, 19195, 19519, 19841, 20159, 20475, 20787, 21096, 21403, 21705,
    22005, 22301, 22594, 22884, 23170, 23452, 23731, 24007, 24279, 24547, 24811, 25072, 25329, 25582, 25832,
    26077, 26319, 26556, 26790, 27019, 27245, 27466, 27683, 27896, 28105, 28310, 28510, 28706, 28898, 29085,
    29268, 29447, 29621, 29791, 29956, 30117, 30273, 30424, 30571, 30714, 30852, 30985, 31113, 31237, 31356,
    31470, 31580, 31685, 31785, 31880, 31971, 32057, 32137, 32213, 32285, 32351, 32412, 32469, 32521, 32567,
    32609, 32646, 32678, 32705, 32728, 32745, 32757, 32765, 32767,
};

/* 32767 * sin(2 pi i / 512), for any i >= 0. */
static int32_t sine(int32_t i) {
    const int32_t in_half = i & 255;
    const int32_t value = QUARTER[in_half <= 128 ? in_half : 256 - in_half];
    return (i & 256) != 0 ? -value : value;
}

static int32_t cosine(int32_t i) {
    return sine(i + 128);
}

static int32_t scaled(int32_t value, int32_t factor) {
    return (int32_t)(((int64_t)value * factor + 16384) >> 15);
}

static int32_t bits_reversed(int32_t i) {
    int32_t reversed = 0;
    for (int32_t bit = 0; bit < STAGES; bit++) {
        reversed |= ((i >> bit) & 1) << (STAGES - 1 - bit);
    }
    return reversed;
}

static void transform(int32_t *re, int32_t *im) {
    for (int32_t half = 1; half < N; half *= 2) {
        for (int32_t i = 0; i < N; i++) {
            if ((i & half) != 0) {
                continue;
            }
            const int32_t j = i + half, angle = (i & (half - 1)) * (N / 2 / half);
            const int32_t c = cosine(angle), s = sine(angle);
            const int32_t x = scaled(re[j], c) + scaled(im[j], s), y = scaled(im[j], c) - scaled(re[j], s);
            re[j] = re[i] - x;
            im[j] = im[i] - y;
            re[i] += x;
            im[i] += y;
        }
    }
}

/* 16 * log2(x), the fraction of a power of two taken as linear; 0 for 0. */
static int16_t log2_q4(uint64_t x) {
    int32_t power = 0;
    for (uint64_t rest = x; rest > 1u; rest >>= 1) {
        power++;
    }
    const uint32_t fraction = (uint32_t)(power >= 4 ? x >> (power - 4) : x << (4 - power)) & 15u;
    return (int16_t)(16 * power + (int32_t)fraction);
}

static void add_segment(const int16_t *samples, uint64_t *energy) {
    static int32_t re[N], im[N];
    for (int32_t i = 0; i < N; i++) {
        const int32_t hann = 16384 - cosine(i) / 2;
        re[bits_reversed(i)] = scaled(samples[i], hann);
        im[i] = 0;
    }
    transform(re, im);
    for (int32_t bin = 0; bin < N / 2; bin++) {
        energy[bin / 8] += (uint64_t)((int64_t)re[bin] * re[bin] + (int64_t)im[bin] * im[bin]);
    }
}

void spectrum(const int16_t samples[SPECTRUM_SAMPLES], int16_t levels[SPECTRUM_BANDS]) {
    uint64_t energy[SPECTRUM_BANDS] = {0};
    for (int32_t start = 0; start < SPECTRUM_SAMPLES; start += N) {
        add_segment(samples + start, energy);
    }
    for (int32_t band = 0; band < SPECTRUM_BANDS; band++) {
        levels[band] = log2_q4(energy[band]);
    }
}
