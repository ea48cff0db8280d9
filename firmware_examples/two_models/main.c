/* SPDX-License-Identifier: 0BSD
 *
 * Two models in one program. A small one, `spotter`, looks at every picture; a larger one, `reader`, only at
 * those that show a digit. They never run at the same time, so one arena serves both.
 *
 * Then both at the same time: `reader` in an interrupt, with an arena of its own, in the middle of what main
 * does. Models have no state but their arenas, so nothing else has to be done, and every output stays what it
 * is.
 */
#include "board.h"
#include "pictures.h"
#include "port.h"
#include "reader.h"
#include "spotter.h"

/* The models that this was written for. */
typedef char spotter_sees_pictures[SPOTTER_INPUT_0_ELEMENTS == PICTURE_PIXELS ? 1 : -1];
typedef char reader_sees_pictures[READER_INPUT_0_ELEMENTS == PICTURE_PIXELS ? 1 : -1];

/* SysTick, in every Cortex-M (Armv7-M B3.3): control, reload value and current value. */
#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_ON 7u

#define NO_DIGIT (-1)
#define PREEMPTIONS 100

/* One arena for both. */
static union {
    uint8_t spotter[SPOTTER_ARENA_BYTES];
    uint8_t reader[READER_ARENA_BYTES];
} arena __attribute__((aligned(READER_ARENA_ALIGN)));

/* One more, for the interrupt. */
static uint8_t interrupt_arena[READER_ARENA_BYTES] __attribute__((aligned(READER_ARENA_ALIGN)));

static float darkness(char shade) {
    int level = 0;
    while (PICTURE_SHADES[level] != shade) {
        level++;
    }
    return (float)level * 0.25f;
}

static int shows_digit(const char *picture) {
    int8_t *input = spotter_input_0(arena.spotter);
    for (int i = 0; i < PICTURE_PIXELS; i++) {
        input[i] = spotter_input_0_quantize(darkness(picture[i]));
    }
    spotter_invoke(arena.spotter);
    const int8_t *scores = spotter_output_0(arena.spotter);
    return scores[1] > scores[0];
}

static int32_t read_digit(void *memory, const char *picture) {
    int8_t *input = reader_input_0(memory);
    for (int i = 0; i < PICTURE_PIXELS; i++) {
        input[i] = reader_input_0_quantize(darkness(picture[i]));
    }
    reader_invoke(memory);
    const int8_t *scores = reader_output_0(memory);
    int32_t best = 0;
    for (int32_t digit = 1; digit < READER_OUTPUT_0_ELEMENTS; digit++) {
        best = scores[digit] > scores[best] ? digit : best;
    }
    return best;
}

static int32_t look_at(const char *picture) {
    return shows_digit(picture) ? read_digit(arena.reader, picture) : NO_DIGIT;
}

static int32_t answers[PICTURES];
static volatile int32_t interrupts, wrong_in_interrupt;

void SysTick_Handler(void);
void SysTick_Handler(void) {
    const int32_t i = interrupts++ % PICTURES;
    if (answers[i] != NO_DIGIT) {
        wrong_in_interrupt += read_digit(interrupt_arena, pictures[i]) != answers[i];
    }
    SYST_CVR = 0u; /* the period begins now, so that main gets on */
}

static void show(int32_t answer) {
    if (answer == NO_DIGIT) {
        port_print("no digit\n");
        return;
    }
    port_print("a digit: ");
    port_print_int(answer);
    port_print("\n");
}

static int32_t wrong_in_main(void) {
    int32_t wrong = 0;
    for (uint32_t period = 500u; interrupts < PREEMPTIONS; period = period * 5u / 4u % 20000u + 500u) {
        SYST_RVR = period; /* another one each time: the interrupt comes everywhere */
        SYST_CVR = 0u;
        SYST_CSR = SYST_ON;
        for (int32_t i = 0; i < PICTURES; i++) {
            wrong += look_at(pictures[i]) != answers[i];
        }
        SYST_CSR = 0u;
    }
    return wrong;
}

int main(void) {
    port_print("one arena of ");
    port_print_int((int32_t)sizeof arena);
    port_print(" bytes for models that need ");
    port_print_int(SPOTTER_ARENA_BYTES);
    port_print(" and ");
    port_print_int(READER_ARENA_BYTES);
    port_print("\n");
    for (int32_t i = 0; i < PICTURES; i++) {
        answers[i] = look_at(pictures[i]);
        show(answers[i]);
    }

    const int32_t wrong = wrong_in_main();
    port_print("interrupted at least ");
    port_print_int(PREEMPTIONS);
    port_print(" times: wrong in main ");
    port_print_int(wrong);
    port_print(", wrong in interrupts ");
    port_print_int(wrong_in_interrupt);
    port_print("\n");
    return wrong != 0 || wrong_in_interrupt != 0;
}
