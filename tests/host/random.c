/* SPDX-License-Identifier: MIT */
/*
 * Host test. Random sequences of operations, each from a fresh machine.
 * Usage: random [-s SEED] [-n SEQUENCES] [-l LENGTH] [-t SECONDS] [-f FRAMES]. The seed is printed; a
 * sequence that fails is made as short as it can be, and printed as lines of C.
 *   -f FRAMES  so many are left, all the time, and more is written than they hold: no operation may
 *              fail for want of memory
 */
#include "operations.h"

#include <kernel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LENGTH_MAX = 4096 };

static struct operation operations[LENGTH_MAX];

/* A whole slot to another one's place, as BITS say. */
static void move_whole_slot(struct operation *operation, uint32_t bits)
{
    static const uint8_t first_points[] = {0, 5, 9}, last_points[] = {4, 8, PLAY_POINTS - 1};
    uint32_t from = bits % PLAY_SLOTS;
    operation->where = (uint8_t)((operation->where & 0x80) | first_points[from]);
    operation->to = last_points[from];
    operation->how = first_points[(from + 1 + bits / PLAY_SLOTS % 2) % PLAY_SLOTS];
}

/*
 * Some kinds more often than others, kernel space now and then, and ranges mostly short: so that
 * many operations find what they need.
 */
static struct operation random_operation(uint32_t *state)
{
    static const uint8_t often[] = {OP_RESERVE, OP_PROTECT, OP_WRITE, OP_WRITE, OP_READ};
    uint32_t bits = test_random(state), more = test_random(state);
    struct operation operation = {(uint8_t)((bits >> 8 & 0xFF) % (OP_KINDS + OP_KINDS / 2)),
                                  (uint8_t)(bits >> 16), (uint8_t)(bits >> 24), (uint8_t)more};
    if (operation.kind >= OP_KINDS)
        operation.kind = often[operation.kind % sizeof(often)];
    if (bits & 6)
        operation.where &= 0x7F;
    if (bits & 0x18)
        operation.to = (uint8_t)((operation.where & 0x7F) % PLAY_POINTS + (more >> 8 & 3));
    if (operation.kind == OP_MOVE && (more & 0x30000) != 0)
        move_whole_slot(&operation, more >> 18);
    return operation;
}

/* Every other sequence begins with the whole playground reserved. */
static void make_sequence(uint32_t seed, uint32_t length)
{
    uint32_t state = seed * 2654435761u;
    for (uint32_t i = 0; i < length; i++)
        operations[i] = random_operation(&state);
    if (seed & 1)
        operations[0] = (struct operation){OP_RESERVE, 0, PLAY_POINTS - 1, 0};
}

/*
 * One with FRAMES frames: what would change that, and what takes memory that can't go, is a write instead,
 * to any page; and now and then all pages of a slot go.
 */
static void make_short_sequence(uint32_t seed, uint32_t length, uint32_t frames)
{
    uint32_t state = seed;
    make_sequence(seed, length);
    for (uint32_t i = 1; i < length; i++) {
        struct operation *operation = &operations[i];
        uint32_t bits = test_random(&state);
        switch (operation->kind) {
        case OP_PRESSURE:
        case OP_FAIL:
        case OP_MAKE_REAL:
        case OP_ALLOCATE:
        case OP_RESIZE:
            operation->kind = OP_WRITE;
            operation->where = (uint8_t)(bits % PLAY_POINTS);
            break;
        case OP_TRIM:
        case OP_FREE:
            *operation = (struct operation){OP_PUT_OUT, (uint8_t)bits, (uint8_t)(bits >> 8), 99};
            break;
        default:
            break;
        }
    }
    operations[0] = (struct operation){OP_PRESSURE, 0, 0, (uint8_t)frames};
    operations[1] = (struct operation){OP_RESERVE, 0, PLAY_POINTS - 1, 0};
}

static int report(uint32_t count, const char *what, uint32_t at)
{
    char line[80];
    printf("operation %u: %s\n", at, what);
    count = operations_shrink(operations, count);
    what = operations_run(operations, count, CHECK_AUDIT, &at);
    printf("shortest: operation %u: %s\n", at, what);
    for (uint32_t i = 0; i < count; i++) {
        operation_print(&operations[i], line, sizeof(line));
        printf("    %s\n", line);
    }
    return 1;
}

int main(int argc, char **argv)
{
    uint32_t seed = 1, sequences = 400, length = 60, seconds = 0, frames = 0;
    int option;
    while ((option = getopt(argc, argv, "s:n:l:t:f:")) != -1) {
        uint32_t value = (uint32_t)strtoul(optarg, NULL, 0);
        *(option == 's'   ? &seed
          : option == 'n' ? &sequences
          : option == 'l' ? &length
          : option == 'f' ? &frames
                          : &seconds) = value;
    }
    if (length > LENGTH_MAX)
        length = LENGTH_MAX;
    operations_boot(8 << 20, 100);
    time_t start = time(NULL);
    uint32_t n = 0;
    for (; seconds != 0 ? time(NULL) - start < (time_t)seconds : n < sequences; n++) {
        uint32_t at;
        if (frames == 0)
            make_sequence(seed + n, length);
        else
            make_short_sequence(seed + n, length, frames);
        const char *what = operations_run(operations, length, CHECK_STEPS, &at);
        if (what == NULL)
            continue;
        printf("seed %u, ", seed + n);
        return report(length, what, at);
    }
    printf("note: seeds %u to %u, %u operations each: all as the model says; %llu pages and %llu "
           "tables "
           "went to swap, %llu and %llu came back\n",
           seed, seed + n - 1, length, (unsigned long long)operations_swapped.out,
           (unsigned long long)operations_swapped.tables_out,
           (unsigned long long)operations_swapped.in,
           (unsigned long long)operations_swapped.tables_in);
    return 0;
}
