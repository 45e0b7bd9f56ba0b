/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Tests of the copies to and from a program (process/user.c, arch/i386/user_copy.asm). The
 * boot space plays the program: what is asked is whether an address may be accessed, and there it
 * is the supervisor who may.
 */
#include "vm_testing.h"

#include <kernel/string.h>
#include <mm/space.h>
#include <process/user.h>

enum { SPAN = 70 };

/* Two pages, of which the second is taken away; the address of where it was. */
static bool make_edge(enum rights rights, uint32_t *edge)
{
    vaddr_t first = page_of_slot(TEST_SLOT, 1);
    *edge = vaddr_add(first, PAGE_BYTES).v;
    return vma_reserve_at(&boot_space, first, 1, rights, "edge") == KERR_OK;
}

static void drop_edge(void)
{
    EXPECT(vma_release(&boot_space, page_of_slot(TEST_SLOT, 1), 1) == KERR_OK);
}

static void fill(uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
}

TEST("user_copy", "every length at every alignment: arrives whole, and nothing beside it changes")
{
    uint8_t from[SPAN], to[SPAN];
    uint32_t edge;

    REQUIRE(make_edge(RIGHTS_READ_WRITE, &edge));
    uint32_t base = edge - PAGE_BYTES;
    fill(from, sizeof(from));
    for (uint32_t start = 0; start < 8; start++)
        for (uint32_t bytes = 0; bytes + start + 8 < SPAN; bytes++) {
            EXPECT(user_clear(base, SPAN) == KERR_OK);
            EXPECT(user_write(base + start, from, bytes) == KERR_OK);
            EXPECT(user_read(to, base, SPAN) == KERR_OK);
            for (uint32_t i = 0; i < SPAN; i++)
                EXPECT(to[i] == (i - start < bytes ? from[i - start] : 0));
        }
    drop_edge();
}

TEST("user_copy", "into a page that is not there, at every offset: is refused, what fits is done")
{
    uint8_t from[SPAN], to[SPAN];
    uint32_t edge;

    REQUIRE(make_edge(RIGHTS_READ_WRITE, &edge));
    fill(from, sizeof(from));
    for (uint32_t room = 0; room < SPAN; room++) {
        EXPECT(user_write(edge - room, from, SPAN) == KERR_BAD_ACCESS);
        EXPECT(user_read(to, edge - room, SPAN) == KERR_BAD_ACCESS);
        EXPECT(user_clear(edge - room, SPAN) == KERR_BAD_ACCESS);
        EXPECT(user_read(to, edge - room, room) == KERR_OK);
    }
    EXPECT(user_write(edge - SPAN, from, SPAN) == KERR_OK);
    memset(to, 0, sizeof(to));
    EXPECT(user_read(to, edge - 8, SPAN) == KERR_BAD_ACCESS);
    EXPECT(memcmp(to, from + SPAN - 8, 8) == 0);
    drop_edge();
}

TEST("user_copy", "kernel addresses and what wraps: are refused without a fault")
{
    static uint32_t word;
    static const uint32_t bad[][2] = {
        {KERNEL_BASE, 1},      {KERNEL_BASE - 1, 2},           {0xFFFFFFFF, 1},
        {0xFFFFFFF0, 0x20},    {KERNEL_BASE - 4, 0xFFFFFFFF},  {1, 0xFFFFFFFF},
        {WINDOW_DIRECTORY, 4}, {KERNEL_BASE / 2, KERNEL_BASE},
    };
    uint32_t faults = fault_counters.total;

    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
        EXPECT(user_read(&word, bad[i][0], bad[i][1]) == KERR_BAD_ACCESS);
        EXPECT(user_write(bad[i][0], &word, bad[i][1]) == KERR_BAD_ACCESS);
        EXPECT(user_clear(bad[i][0], bad[i][1]) == KERR_BAD_ACCESS);
    }
    EXPECT(user_write(pointer_to_vaddr(&word).v, &word, 4) == KERR_BAD_ACCESS);
    EXPECT_EQUAL(fault_counters.total, faults);
}

TEST("user_copy", "a promise read and written: is answered as the program's own access")
{
    uint8_t byte = 0xAA;
    uint32_t edge;
    struct cost start;

    REQUIRE(make_edge(RIGHTS_READ_WRITE, &edge));
    EXPECT(user_read(&byte, edge - 1, 1) == KERR_OK);
    EXPECT_EQUAL(byte, 0);
    cost_start(&start);
    byte = 0x55;
    EXPECT(user_write(edge - 1, &byte, 1) == KERR_OK);
    EXPECT_COST(start, 0, 1);
    byte = 0;
    EXPECT(user_read(&byte, edge - 1, 1) == KERR_OK);
    EXPECT_EQUAL(byte, 0x55);
    drop_edge();
}

TEST("user_copy", "a read-only page: is read, and not written")
{
    uint32_t edge, word = 7;

    REQUIRE(make_edge(RIGHTS_READ, &edge));
    EXPECT(user_read(&word, edge - 4, 4) == KERR_OK);
    EXPECT_EQUAL(word, 0);
    EXPECT(user_write(edge - 4, &word, 4) == KERR_BAD_ACCESS);
    EXPECT(user_clear(edge - 4, 4) == KERR_BAD_ACCESS);
    drop_edge();
}

TEST("user_copy", "no frame left: is said so, and works when there is one")
{
    uint32_t edge, word = 7;

    REQUIRE(make_edge(RIGHTS_READ_WRITE, &edge));
    EXPECT(user_read(&word, edge - 4, 4) == KERR_OK); /* its table is there */
    leave_frames(0);
    enum kerr written = user_write(edge - 4, &word, 4), cleared = user_clear(edge - 4, 4);
    all_frames();
    EXPECT_EQUAL(written, KERR_NO_MEMORY);
    EXPECT_EQUAL(cleared, KERR_NO_MEMORY);
    EXPECT(user_write(edge - 4, &word, 4) == KERR_OK);
    drop_edge();
}

TEST("user_copy", "a string: is read up to its end, wherever the page ends")
{
    static const char text[] = "a string that is a good deal longer than one piece of the copy is";
    char to[sizeof(text)];
    uint32_t edge, length;

    REQUIRE(make_edge(RIGHTS_READ_WRITE, &edge));
    for (uint32_t gap = 0; gap < SPAN; gap++) {
        uint32_t start = edge - gap - (uint32_t)sizeof(text);
        EXPECT(user_write(start, text, sizeof(text)) == KERR_OK);
        EXPECT(user_read_string(to, start, sizeof(to), &length) == KERR_OK);
        EXPECT_EQUAL(length, sizeof(text) - 1);
        EXPECT(strcmp(to, text) == 0);
    }
    EXPECT(user_write(edge - 3, "abc", 3) == KERR_OK);
    EXPECT(user_read_string(to, edge - 3, sizeof(to), &length) == KERR_BAD_ACCESS);
    EXPECT(user_read_string(to, edge - 3, 3, &length) == KERR_NO_ROOM);
    EXPECT(user_read_string(to, edge - 3, 0, &length) == KERR_NO_ROOM);
    EXPECT(user_read_string(to, KERNEL_BASE, sizeof(to), &length) == KERR_BAD_ACCESS);
    drop_edge();
}
