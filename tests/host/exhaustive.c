/* SPDX-License-Identifier: MIT */
/*
 * Host test. Every sequence of LENGTH operations of a small alphabet. Most bugs need no more. Each step is
 * compared with the model, each sequence ends with an audit; one that fails is printed as lines of C. Left
 * out are sequences with a step that does nothing at all: to switch to where one is, to end a space that is
 * not there.
 * Usage: exhaustive edges|swap LENGTH [PART PARTS]: PART (0..) of PARTS, to share the work.
 *   edges  the edges of two slots, two spaces
 *   swap   forks, writes, pages and tables that go out and come back, ends: up to four spaces
 */
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_MAX = 8, OPERATIONS_MAX = 2 + 2 * LENGTH_MAX };

/* What is run: some letters stand for more than one operation. */
struct sequence {
    struct operation operations[OPERATIONS_MAX];
    uint32_t count;
};

static void add(struct sequence *sequence, struct operation operation)
{
    sequence->operations[sequence->count++] = operation;
}

/* ---- edges ---- */

/* Points: 0 first page, 4 last of slot 0, 5 first of slot 1, 8 last of slot 1. */
static const struct operation edges[] = {
    {OP_RESERVE, 0, 8, 0},  /* two whole slots */
    {OP_RESERVE, 4, 5, 0},  /* the pages on both sides of the border */
    {OP_RELEASE, 3, 5, 0},  /* parts of both */
    {OP_RELEASE, 0, 11, 0}, /* everything */
    {OP_PROTECT, 4, 8, 1},  /* the end of one, the whole other one: read-only */
    {OP_PROTECT, 4, 5, 0},  /* writable again */
    {OP_MAP, 4, 5, 0x8C},   /* the pages on both sides of the border: shared memory */
    {OP_MOVE, 0, 4, 5},     /* one slot to the other's place */
    {OP_TAKE, 2, 1, 0},     /* all writes of that object */
    {OP_AGE, 2, 1, 3},      /* all its entries */
    {OP_DISCARD, 4, 5, 0},  {OP_WRITE, 4, 0, 0},  {OP_WRITE, 5, 0, 0},   {OP_FORK, 1, 0, 0},
    {OP_SWITCH, 1, 0, 0},   {OP_SWITCH, 0, 0, 0}, {OP_DESTROY, 1, 0, 0},
};

/* Every step of the sequence does something. */
static bool spell_edges(const struct operation *letters, uint32_t length, struct sequence *sequence)
{
    uint32_t current = 0;
    bool exists = false;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t number = letters[i].where;
        switch (letters[i].kind) {
        case OP_FORK:
            if (exists)
                return false;
            exists = true;
            break;
        case OP_SWITCH:
            if (number == current || (number == 1 && !exists))
                return false;
            current = number;
            break;
        case OP_DESTROY:
            if (!exists || current == 1)
                return false;
            exists = false;
            break;
        default:
            break;
        }
        add(sequence, letters[i]);
    }
    return true;
}

/* ---- swap ---- */

/* Pages at both sides of a border are promised, and one is written. */
static const struct operation before_swap[] = {{OP_RESERVE, 0, 8, 0}, {OP_WRITE, 4, 0, 0}};

/* The first three name no space. */
static const struct operation swap[] = {
    {OP_FORK, 0, 0, 0},     /* the first one that is not there */
    {OP_SWITCH, 0, 0, 0},   /* to the next one */
    {OP_DESTROY, 0, 0, 0},  /* the current one, but for the first */
    {OP_WRITE, 4, 0, 0},    /* last page of slot 0 */
    {OP_WRITE, 5, 0, 0},    /* first page of slot 1 */
    {OP_READ, 4, 0, 0},     /* comes back */
    {OP_PUT_OUT, 0, 1, 99}, /* all that can go */
    {OP_DISK, 0, 0, 15},    /* all requests are done */
    {OP_RECLAIM, 0, 1, 63}, /* copies of what is out go */
};

static uint32_t next_that_exists(const bool exists[], uint32_t current)
{
    do
        current = (current + 1) % PLAY_SPACES;
    while (!exists[current]);
    return current;
}

static bool spell_swap(const struct operation *letters, uint32_t length, struct sequence *sequence)
{
    bool exists[PLAY_SPACES] = {true};
    uint32_t current = 0, number;
    for (uint32_t i = 0; i < ARRAY_LENGTH(before_swap); i++)
        add(sequence, before_swap[i]);
    for (uint32_t i = 0; i < length; i++) {
        struct operation operation = letters[i];
        switch (operation.kind) {
        case OP_FORK:
            for (number = 0; number < PLAY_SPACES && exists[number];)
                number++;
            if (number == PLAY_SPACES)
                return false;
            exists[number] = true;
            operation.where = (uint8_t)number;
            break;
        case OP_SWITCH:
            number = next_that_exists(exists, current);
            if (number == current)
                return false;
            operation.where = (uint8_t)(current = number);
            break;
        case OP_DESTROY:
            if (current == 0)
                return false;
            operation.where = (uint8_t)current;
            exists[current] = false;
            current = next_that_exists(exists, current);
            add(sequence, (struct operation){OP_SWITCH, (uint8_t)current, 0, 0});
            break;
        default:
            break;
        }
        add(sequence, operation);
    }
    return true;
}

/* ---- all of one alphabet ---- */

static const struct alphabet {
    const char *name;
    const struct operation *letters;
    uint32_t count;
    /* *SEQUENCE says LETTERS, in operations. False: some do nothing. */
    bool (*spell)(const struct operation *letters, uint32_t length, struct sequence *sequence);
} alphabets[] = {
    {"edges", edges, ARRAY_LENGTH(edges), spell_edges},
    {"swap", swap, ARRAY_LENGTH(swap), spell_swap},
};

static int report(const struct sequence *sequence, const char *what, uint32_t at)
{
    char line[80];
    printf("operation %u: %s\n", at, what);
    for (uint32_t i = 0; i < sequence->count; i++) {
        operation_print(&sequence->operations[i], line, sizeof(line));
        printf("    %s\n", line);
    }
    return 1;
}

static int run_all(const struct alphabet *alphabet, uint32_t length, uint64_t part, uint64_t parts)
{
    uint64_t total = 1, done = 0;
    for (uint32_t i = 0; i < length; i++)
        total *= alphabet->count;
    for (uint64_t number = part; number < total; number += parts) {
        struct operation letters[LENGTH_MAX];
        struct sequence sequence = {.count = 0};
        uint64_t rest = number;
        uint32_t at;
        for (uint32_t i = length; i-- > 0; rest /= alphabet->count)
            letters[i] = alphabet->letters[rest % alphabet->count];
        if (!alphabet->spell(letters, length, &sequence))
            continue;
        done++;
        const char *what = operations_run(sequence.operations, sequence.count, CHECK_STEPS, &at);
        if (what != NULL)
            return report(&sequence, what, at);
    }
    printf("note: %llu sequences of %u operations (%s), all as the model says\n",
           (unsigned long long)done, length, alphabet->name);
    return 0;
}

int main(int argc, char **argv)
{
    uint32_t length = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
    uint64_t part = argc > 4 ? (uint64_t)atoi(argv[3]) : 0;
    uint64_t parts = argc > 4 ? (uint64_t)atoi(argv[4]) : 1;
    for (uint32_t i = 0; i < ARRAY_LENGTH(alphabets) && length > 0 && length <= LENGTH_MAX; i++) {
        if (strcmp(argv[1], alphabets[i].name) != 0)
            continue;
        operations_boot(4 << 20, 100);
        return run_all(&alphabets[i], length, part, parts);
    }
    fprintf(stderr, "usage: exhaustive edges|swap LENGTH [PART PARTS]\n");
    return 2;
}
