/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin of QEMU's that counts how often each block of guest code runs, and what ran before it.
 * A block is what QEMU translates at once: instructions up to a branch.
 *
 *   -plugin blocks.so,mark=ADDRESS,out=FILE
 *
 * Whenever the block at ADDRESS is about to run, and at the end, FILE gets a line for each block and
 * predecessor that ran since the last time, and then the line "mark":
 *   address of the instruction before, of the block's first and of its last (hexadecimal); times.
 *
 * Declared here is the part of QEMU's plugin interface that it needs, which is the same in all versions
 * since QEMU 4.2; BLOCKS_API is the version that QEMU is told.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BLOCKS_API
#define BLOCKS_API 1
#endif

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                          void (*call)(unsigned, void *),
                                          enum qemu_plugin_cb_flags flags,
                                          void *userdata);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
                                    void (*call)(qemu_plugin_id_t, void *),
                                    void *userdata);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

extern EXPORT int qemu_plugin_version;
int qemu_plugin_version = BLOCKS_API;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv);

typedef struct arrival {
    uint64_t before, times;
    struct arrival *next;
} arrival_t;

typedef struct block {
    uint64_t first, last;
    arrival_t *arrivals; /* the latest first */
    struct block *next;
} block_t;

static block_t *blocks;
static uint64_t before, mark_address;
static FILE *out;

static void *allocate(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void write_counts(void) {
    for (block_t *block = blocks; block != NULL; block = block->next) {
        for (arrival_t *arrival = block->arrivals; arrival != NULL; arrival = arrival->next) {
            if (arrival->times != 0) {
                (void)fprintf(out, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", arrival->before,
                              block->first, block->last, arrival->times);
            }
            arrival->times = 0;
        }
    }
    (void)fputs("mark\n", out);
}

/* The block's arrival from that instruction, moved to the front. */
static arrival_t *arrival_from(block_t *block, uint64_t address) {
    arrival_t **link = &block->arrivals;
    while (*link != NULL && (*link)->before != address) {
        link = &(*link)->next;
    }
    arrival_t *arrival = *link;
    if (arrival == NULL) {
        arrival = allocate(sizeof *arrival);
        arrival->before = address;
    } else {
        *link = arrival->next;
    }
    arrival->next = block->arrivals;
    block->arrivals = arrival;
    return arrival;
}

static void on_block(unsigned cpu, void *userdata) {
    block_t *block = userdata;
    (void)cpu;
    if (block->first == mark_address) {
        write_counts();
    }
    arrival_from(block, before)->times++;
    before = block->last;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    block_t *block = allocate(sizeof *block);
    block->first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    block->last = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, qemu_plugin_tb_n_insns(tb) - 1));
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void on_exit_of_qemu(qemu_plugin_id_t id, void *userdata) {
    (void)id, (void)userdata;
    write_counts();
    (void)fclose(out);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "mark=", 5) == 0) {
            mark_address = strtoull(argv[i] + 5, NULL, 0);
        } else if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(argv[i] + 4, "w");
        }
    }
    if (out == NULL) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
    return 0;
}
