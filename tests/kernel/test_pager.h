/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-4. Used by: tests of pages that must be waited for.
 *
 * A pager for tests: each page arrives after so many polls of its channel, never, or with an error.
 */
#ifndef TESTS_KERNEL_TEST_PAGER_H
#define TESTS_KERNEL_TEST_PAGER_H

#include <kernel/channel.h>
#include <mm/pager.h>

enum { TEST_PAGES = 64, ARRIVES_NEVER = 0xFFFFFFFF };

/* The first word of page N. */
#define TEST_PAGER_WORD 0x9A6E0000u

struct test_pager {
    struct test_page {
        struct channel channel;
        uint32_t polls; /* it takes so many from when it is asked for; 0: it is there at once */
        bool fails;
        bool is_asked_for;
        uint32_t polls_left;
        uint32_t times_asked;
        enum kerr write_answer; /* to the question whether it may be written */
        uint32_t times_written; /* such questions */
    } pages[TEST_PAGES];
    uint32_t brought, ended;
    /* What page NUMBER holds, PAGE_BYTES at BYTES; NULL: zeros behind its first word. */
    void (*fill)(uint32_t number, uint8_t *bytes);
};

/* An object of TEST_PAGES pages that PAGER fills, each after POLLS. */
kerr_t test_pager_make(struct test_pager *pager, uint32_t polls, struct object **object);

#endif
