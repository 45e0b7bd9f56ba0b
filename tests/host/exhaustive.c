/* SPDX-License-Identifier: MIT */
/*
 * Host test. Every sequence of LENGTH operations (five, unless said) of a small alphabet: the edges
 * of two slots, two spaces. Most bugs need no more. Each step is compared with the model, each
 * sequence ends with an audit; one that fails is printed as lines of C. Left out are sequences with
 * a step that does nothing at all: to switch to where one is, to end a space that is not there.
 * Usage: exhaustive [LENGTH [PART PARTS]]: PART (0..) of PARTS, to share the work.
 */
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>

enum { LENGTH_MAX = 8 };

/* Points: 0 first page, 4 last of slot 0, 5 first of slot 1, 8 last of slot 1. */
static const struct operation alphabet[] = {
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

enum { LETTERS = sizeof(alphabet) / sizeof(alphabet[0]) };

static int report(const struct operation *sequence, uint32_t length, const char *what, uint32_t at)
{
    char line[80];
    printf("operation %u: %s\n", at, what);
    for (uint32_t i = 0; i < length; i++) {
        operation_print(&sequence[i], line, sizeof(line));
        printf("    %s\n", line);
    }
    return 1;
}

/* Every step of the sequence does something. */
static bool is_worthwhile(const struct operation *sequence, uint32_t length)
{
    uint32_t current = 0;
    bool exists = false;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t number = sequence[i].where;
        switch (sequence[i].kind) {
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
    }
    return true;
}

int main(int argc, char **argv)
{
    uint32_t length = argc > 1 ? (uint32_t)atoi(argv[1]) : 5, at;
    uint64_t part = argc > 3 ? (uint64_t)atoi(argv[2]) : 0;
    uint64_t parts = argc > 3 ? (uint64_t)atoi(argv[3]) : 1, total = 1, done = 0;
    struct operation sequence[LENGTH_MAX];
    for (uint32_t i = 0; i < length; i++)
        total *= LETTERS;
    operations_boot(4 << 20);
    for (uint64_t number = part; number < total; number += parts) {
        uint64_t rest = number;
        for (uint32_t i = length; i-- > 0; rest /= LETTERS)
            sequence[i] = alphabet[rest % LETTERS];
        if (!is_worthwhile(sequence, length))
            continue;
        done++;
        const char *what = operations_run(sequence, length, CHECK_STEPS, &at);
        if (what != NULL)
            return report(sequence, length, what, at);
    }
    printf("note: %llu sequences of %u operations, all as the model says\n",
           (unsigned long long)done, length);
    return 0;
}
