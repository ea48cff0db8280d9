/* SPDX-License-Identifier: 0BSD
 *
 * Runs samples from files of the host, so that any number of them needs one image. Per model:
 *   <model>_inputs.bin    the samples, each its inputs one after the other (must exist)
 *   <model>_expected.bin  the outputs that the reference gave (compared if it exists)
 *   <model>_outputs.bin   the outputs of this program (written)
 * Exits 0, or 1 if outputs differ, a file is broken, or a run writes outside its arena or stack.
 */
#include "port.h"

#include <string.h>

#include "spotter.h"
#include "reader.h"

#define GUARD_BYTES 16
#define GUARD_VALUE 0xA5u

static struct {
    uint8_t before[GUARD_BYTES];
    union {
        uint8_t spotter[(SPOTTER_ARENA_BYTES + 15) / 16 * 16];
        uint8_t reader[(READER_ARENA_BYTES + 15) / 16 * 16];
    } arena;
    uint8_t after[GUARD_BYTES];
} memory __attribute__((aligned(GUARD_BYTES)));

/* Where expected outputs differ from ours; all zero where there is nothing to compare with. */
typedef struct {
    int32_t file;
    int32_t mismatches;
    int32_t first;
    int32_t position;
} comparison_t;

/* The lowest word of the stack (linker.ld). */
extern uint32_t stack_limit;

static void set_guards(void) {
    memset(&memory, GUARD_VALUE, sizeof memory);
    stack_limit = GUARD_VALUE;
}

static int guards_are_whole(void) {
    if (stack_limit != GUARD_VALUE) {
        return 0;
    }
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        if (memory.before[i] != GUARD_VALUE || memory.after[i] != GUARD_VALUE) {
            return 0;
        }
    }
    return 1;
}

static int fail(const char *model, const char *reason) {
    port_print(model);
    port_print(": ");
    port_print(reason);
    port_print("\n");
    return 1;
}

/* Compare a block of output with the expected file. Returns 0 if that file ends early. */
static int compare(comparison_t *comparison, const uint8_t *actual, size_t bytes) {
    uint8_t expected[64];
    for (size_t done = 0; done < bytes;) {
        const size_t piece = bytes - done < sizeof expected ? bytes - done : sizeof expected;
        if (port_read(comparison->file, expected, piece) != piece) {
            return 0;
        }
        for (size_t i = 0; i < piece; i++, comparison->position++) {
            if (expected[i] != actual[done + i] && comparison->mismatches++ == 0) {
                comparison->first = comparison->position;
            }
        }
        done += piece;
    }
    return 1;
}

static int report(const char *model, int32_t samples, const comparison_t *comparison) {
    port_print(model);
    port_print(": ");
    port_print_int(samples);
    port_print(" samples");
    if (comparison->file >= 0) {
        port_print(", ");
        port_print_int(comparison->mismatches);
        port_print(" bytes differ");
    }
    if (comparison->mismatches != 0) {
        port_print(", the first is byte ");
        port_print_int(comparison->first);
        port_print(" of the outputs");
    }
    port_print("\n");
    return comparison->mismatches != 0;
}

/* 1 if the next sample is in the arena, 0 at the end of the file, -1 if the file ends within a sample. */
static int read_spotter(int32_t file) {
    size_t got = 0;
    got += port_read(file, spotter_input_0(memory.arena.spotter), 64u);
    return got == 0u ? 0 : got == 64u ? 1 : -1;
}

static int validate_spotter(void) {
    const int32_t inputs = port_open("spotter_inputs.bin", PORT_READ);
    const int32_t outputs = port_open("spotter_outputs.bin", PORT_WRITE);
    comparison_t comparison = {port_open("spotter_expected.bin", PORT_READ), 0, 0, 0};
    int32_t samples = 0;
    int more;
    if (inputs < 0 || outputs < 0) {
        return fail("spotter", "spotter_inputs.bin cannot be read, or spotter_outputs.bin written");
    }
    set_guards();
    for (; (more = read_spotter(inputs)) == 1; samples++) {
        spotter_invoke(memory.arena.spotter);
        if (!guards_are_whole()) {
            return fail("spotter", "the run wrote outside its arena or its stack");
        }
        const uint8_t *output_0 = (const uint8_t *)spotter_output_0(memory.arena.spotter);
        if (port_write(outputs, output_0, 2u) != 2u) {
            return fail("spotter", "spotter_outputs.bin cannot be written");
        }
        if (comparison.file >= 0 && !compare(&comparison, output_0, 2u)) {
            return fail("spotter", "spotter_expected.bin is too short");
        }
    }
    if (more < 0) {
        return fail("spotter", "spotter_inputs.bin ends within a sample");
    }
    return report("spotter", samples, &comparison);
}

/* 1 if the next sample is in the arena, 0 at the end of the file, -1 if the file ends within a sample. */
static int read_reader(int32_t file) {
    size_t got = 0;
    got += port_read(file, reader_input_0(memory.arena.reader), 64u);
    return got == 0u ? 0 : got == 64u ? 1 : -1;
}

static int validate_reader(void) {
    const int32_t inputs = port_open("reader_inputs.bin", PORT_READ);
    const int32_t outputs = port_open("reader_outputs.bin", PORT_WRITE);
    comparison_t comparison = {port_open("reader_expected.bin", PORT_READ), 0, 0, 0};
    int32_t samples = 0;
    int more;
    if (inputs < 0 || outputs < 0) {
        return fail("reader", "reader_inputs.bin cannot be read, or reader_outputs.bin written");
    }
    set_guards();
    for (; (more = read_reader(inputs)) == 1; samples++) {
        reader_invoke(memory.arena.reader);
        if (!guards_are_whole()) {
            return fail("reader", "the run wrote outside its arena or its stack");
        }
        const uint8_t *output_0 = (const uint8_t *)reader_output_0(memory.arena.reader);
        if (port_write(outputs, output_0, 10u) != 10u) {
            return fail("reader", "reader_outputs.bin cannot be written");
        }
        if (comparison.file >= 0 && !compare(&comparison, output_0, 10u)) {
            return fail("reader", "reader_expected.bin is too short");
        }
    }
    if (more < 0) {
        return fail("reader", "reader_inputs.bin ends within a sample");
    }
    return report("reader", samples, &comparison);
}

int main(void) {
    int status = 0;
    status |= validate_spotter();
    status |= validate_reader();
    return status;
}
