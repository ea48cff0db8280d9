/* SPDX-License-Identifier: 0BSD
 *
 * Read a handwritten digit: the main.c of the project that `mcu-quant demo` generates.
 *
 * A product would take the picture from a camera or a touch panel; here it is drawn in the source.
 */
#include "board.h"
#include "digits.h"
#include "port.h"

#define SIDE 8
#define DIGITS 10

/* The model that this was written for. Another one with these sizes will do as well. */
typedef char digits_input_is_8x8[DIGITS_INPUT_0_ELEMENTS == SIDE * SIDE ? 1 : -1];
typedef char digits_output_is_10[DIGITS_OUTPUT_0_ELEMENTS == DIGITS ? 1 : -1];

/* All that inference needs in RAM, besides the stack. */
static uint8_t arena[DIGITS_ARENA_BYTES] __attribute__((aligned(DIGITS_ARENA_ALIGN)));

/* How dark a pixel is: blank 0, then a quarter more for each of these. */
static const char SHADES[] = " .+#@";

static const char *const PICTURES[] = {
    "  .#@+  "
    "  @@@@. "
    " .@.  @+"
    " +@   +@"
    " +@   .@"
    " .@.  +@"
    "  @#+#@."
    "  .#@#. ",

    "   .@+  "
    "  .#@+  "
    " .#@@+  "
    "  +#@+  "
    "   .@#  "
    "   .@#  "
    "   .@@  "
    "   .@@. ",

    "  #@@@. "
    "  #@@@@ "
    "     @+ "
    "    #@. "
    " .#@@@#."
    "  .@#.  "
    "  #@    "
    "  @#    ",
};

static float darkness(char shade) {
    int level = 0;
    while (SHADES[level] != shade) {
        level++;
    }
    return (float)level * 0.25f;
}

static int32_t read_digit(const char *picture) {
    int8_t *input = digits_input_0(arena);
    for (int i = 0; i < SIDE * SIDE; i++) {
        input[i] = digits_input_0_quantize(darkness(picture[i]));
    }
    digits_invoke(arena);

    const int8_t *scores = digits_output_0(arena);
    int32_t best = 0;
    for (int32_t digit = 1; digit < DIGITS; digit++) {
        if (scores[digit] > scores[best]) {
            best = digit;
        }
    }
    return best;
}

int main(void) {
    for (size_t i = 0; i < sizeof PICTURES / sizeof PICTURES[0]; i++) {
        port_print("this looks like a ");
        port_print_int(read_digit(PICTURES[i]));
        port_print("\n");
    }
    return 0;
}
