/* SPDX-License-Identifier: 0BSD
 *
 * Runs the models for a computer at the other end of the UART (BOARD_UART_BAUD, 8N1): it writes inputs,
 * asks for a run, and reads outputs and how long the run took. `mcu-quant verify --on mps2_an386 --port PORT`
 * talks to this program. Requests, replies and what happens to lost ones: docs/SERIAL_PROTOCOL.md.
 */
#include "board.h"
#include "frames.h"
#include "port.h"
#include "uart.h"

#include <string.h>

#include "spotter.h"
#include "reader.h"

enum { PROTOCOL_VERSION = 1, MODELS = 2 };

/* Bytes of input or output in one frame: few, for they are sent again as a whole. */
#define CHUNK_BYTES 256u

enum { HELLO = 1, READ, WRITE, RESET, RUN };
enum { DONE, DAMAGED, NO_SESSION, OUT_OF_SEQUENCE, REFUSED };
enum { DESCRIPTION, OUTPUT, TICKS };

/* A frame: bytes of the payload (16 bits), command, status, sequence (32 bits), payload. Little-endian. */
enum { COUNT = 0, COMMAND = 2, STATUS = 3, SEQUENCE = 4, PAYLOAD = 8 };

/* The longest payload is a WRITE: model, input, position (32 bits), data. */
#define LARGEST_FRAME (PAYLOAD + 6u + CHUNK_BYTES + FRAME_CRC_BYTES)

#define TEXT_OF(macro) TEXT(macro)
#define TEXT(value) #value

/* The counter may have fewer bits than a word. */
#define LARGEST_TICKS (0xFFFFFFFFu >> (32 - BOARD_TIMER_BITS))

typedef struct {
    const uint8_t *bytes;
    uint32_t count; /* 0 if there is no such thing */
} area_t;

typedef struct {
    uint8_t *bytes;
    uint32_t count;
} input_t;

static union {
    uint8_t spotter[SPOTTER_ARENA_BYTES];
    uint8_t reader[READER_ARENA_BYTES];
} arena __attribute__((aligned(SPOTTER_ARENA_ALIGN)));

/* The counter before each layer of the last run that was to read it there, and after it. */
static uint32_t ticks[1 + 6];

static uint8_t request[LARGEST_FRAME];
/* Kept until the next request, so that the same request gets the same reply and nothing is done twice. */
static uint8_t reply[LARGEST_FRAME];
static int has_session;

/* What the computer needs to know of a model: JSON. */
static area_t description_of(uint32_t model) {
    switch (model) {
    case 0: {
        static const char text[] =
            "{"
            "\"board\":\"mps2_an386\","
            "\"model\":\"spotter\","
            "\"fingerprint\":\"cadb5fffba079eec2870049591b3854a84966fcc3e5a2c54be6da5b6907697d0\","
            "\"tool\":\"0.1.0\","
            "\"options\":\"--optimize balanced --kernels auto\","
            "\"inputs\":[64],"
            "\"outputs\":[2],"
            "\"layers\":4,"
            "\"timer_bits\":32,"
            "\"build\":"
            "\"" TEXT_OF(SPOTTER_BUILD) "\"}";
        return (area_t){(const uint8_t *)text, sizeof text - 1u};
    }
    case 1: {
        static const char text[] =
            "{"
            "\"board\":\"mps2_an386\","
            "\"model\":\"reader\","
            "\"fingerprint\":\"69327a39e11e6221a9d9e2f48156ed5a40c7a40060764a2b403a192a6ee484b8\","
            "\"tool\":\"0.1.0\","
            "\"options\":\"--optimize balanced --kernels auto\","
            "\"inputs\":[64],"
            "\"outputs\":[10],"
            "\"layers\":6,"
            "\"timer_bits\":32,"
            "\"build\":"
            "\"" TEXT_OF(READER_BUILD) "\"}";
        return (area_t){(const uint8_t *)text, sizeof text - 1u};
    }
    default:
        return (area_t){NULL, 0};
    }
}

static input_t input_of(uint32_t model, uint32_t index) {
    switch (256u * model + index) {
    case 0:
        return (input_t){(uint8_t *)spotter_input_0(arena.spotter), 64u};
    case 256:
        return (input_t){(uint8_t *)reader_input_0(arena.reader), 64u};
    default:
        return (input_t){NULL, 0};
    }
}

static area_t output_of(uint32_t model, uint32_t index) {
    switch (256u * model + index) {
    case 0:
        return (area_t){(const uint8_t *)spotter_output_0(arena.spotter), 2u};
    case 256:
        return (area_t){(const uint8_t *)reader_output_0(arena.reader), 10u};
    default:
        return (area_t){NULL, 0};
    }
}

static int on_layer(void *context, int32_t layer) {
    ((uint32_t *)context)[layer] = port_counter();
    return 0;
}

/* Returns the ticks that it took. */
static uint32_t run(uint32_t model, int with_layers) {
    const uint32_t start = port_counter();
    switch (model) {
    case 0:
        if (with_layers) {
            (void)spotter_invoke_with_hook(arena.spotter, on_layer, ticks);
        } else {
            spotter_invoke(arena.spotter);
        }
        break;
    case 1:
        if (with_layers) {
            (void)reader_invoke_with_hook(arena.reader, on_layer, ticks);
        } else {
            reader_invoke(arena.reader);
        }
        break;
    default:
        break;
    }
    return (port_counter() - start) & LARGEST_TICKS;
}

static uint32_t word_at(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t half_at(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static size_t put_word(size_t at, uint32_t word) {
    for (uint32_t i = 0; i < 4u; i++) {
        reply[at + i] = (uint8_t)(word >> (8u * i));
    }
    return at + 4u;
}

/* The commands: each gets its payload and puts that of the reply behind PAYLOAD. Returns where that ends, or
 * 0 for a request that makes no sense.
 */

/* version: ours, models, bytes of a chunk (16 bits), rate of ticks, clock of the CPU */
static size_t hello(void) {
    has_session = 1;
    reply[PAYLOAD] = PROTOCOL_VERSION;
    reply[PAYLOAD + 1] = MODELS;
    reply[PAYLOAD + 2] = (uint8_t)CHUNK_BYTES;
    reply[PAYLOAD + 3] = (uint8_t)(CHUNK_BYTES >> 8);
    return put_word(put_word(PAYLOAD + 4, BOARD_TIMER_HZ), BOARD_CLOCK_HZ);
}

/* area, model, index, position (32 bits), count (16 bits): as many of these bytes as there are */
static size_t read(const uint8_t *payload, size_t count) {
    if (count != 9u) {
        return 0;
    }
    area_t area = {(const uint8_t *)ticks, sizeof ticks};
    if (payload[0] != TICKS) {
        area = payload[0] == OUTPUT ? output_of(payload[1], payload[2]) : description_of(payload[1]);
    }
    const uint32_t position = word_at(payload + 3);
    uint32_t length = half_at(payload + 7);
    if (area.count == 0u || position > area.count) {
        return 0;
    }
    length = length < CHUNK_BYTES ? length : CHUNK_BYTES;
    length = length < area.count - position ? length : area.count - position;
    memcpy(reply + PAYLOAD, area.bytes + position, length);
    return PAYLOAD + length;
}

/* model, input, position (32 bits), bytes: the position behind them */
static size_t write(const uint8_t *payload, size_t count) {
    if (count < 6u) {
        return 0;
    }
    const input_t input = input_of(payload[0], payload[1]);
    const uint32_t position = word_at(payload + 2), length = (uint32_t)count - 6u;
    if (input.count == 0u || position > input.count || length > input.count - position) {
        return 0;
    }
    memcpy(input.bytes + position, payload + 6, length);
    return put_word(PAYLOAD, position + length);
}

/* model: nothing; states are as before the first run */
static size_t reset(const uint8_t *payload, size_t count) {
    if (count != 1u || payload[0] >= MODELS) {
        return 0;
    }
    return PAYLOAD;
}

/* model, whether to read the counter at each layer: ticks of the run */
static size_t run_model(const uint8_t *payload, size_t count) {
    return count == 2u && payload[0] < MODELS ? put_word(PAYLOAD, run(payload[0], payload[1])) : 0u;
}

static size_t execute(uint8_t command, const uint8_t *payload, size_t count) {
    switch (command) {
    case HELLO:
        return hello();
    case READ:
        return read(payload, count);
    case WRITE:
        return write(payload, count);
    case RESET:
        return reset(payload, count);
    case RUN:
        return run_model(payload, count);
    default:
        return 0;
    }
}

static void finish(uint8_t *frame, uint32_t status, size_t bytes) {
    const size_t payload = bytes - PAYLOAD;
    frame[COUNT] = (uint8_t)payload;
    frame[COUNT + 1] = (uint8_t)(payload >> 8);
    frame[COMMAND] = request[COMMAND];
    frame[STATUS] = (uint8_t)status;
    memcpy(frame + SEQUENCE, request + SEQUENCE, 4);
}

/* Tell that a request was not followed, and why; the last reply stays as it is. */
static void refuse(uint32_t status) {
    uint8_t frame[PAYLOAD + FRAME_CRC_BYTES];
    finish(frame, status, PAYLOAD);
    frame_send(frame, PAYLOAD);
}

int main(void) {
    size_t reply_bytes = 0;
    port_counter_start();
    uart_start();
    for (;;) {
        const size_t bytes = frame_receive(request, sizeof request);
        if (bytes < PAYLOAD || bytes - PAYLOAD != half_at(request + COUNT)) {
            refuse(DAMAGED);
            continue;
        }
        const uint32_t ahead = word_at(request + SEQUENCE) - word_at(reply + SEQUENCE);
        const int is_hello = request[COMMAND] == HELLO;
        if (!has_session && !is_hello) {
            refuse(NO_SESSION);
        } else if (has_session && ahead == 0u) {
            frame_send(reply, reply_bytes);
        } else if (ahead == 1u || is_hello) {
            const size_t end = execute(request[COMMAND], request + PAYLOAD, bytes - PAYLOAD);
            reply_bytes = end == 0u ? PAYLOAD : end;
            finish(reply, end == 0u ? REFUSED : DONE, reply_bytes);
            frame_send(reply, reply_bytes);
        } else {
            refuse(OUT_OF_SEQUENCE);
        }
    }
}
