/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Tests of the prompt's commands, run as lines that a person types. What they print
 * stands in the log; judged is what they do to memory.
 */
#include <kernel/fault.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <mm/space.h>
#include <prompt/prompt.h>

enum { LINE_BYTES_MAX = 64 };

static void run_line(const char *text)
{
    char line[LINE_BYTES_MAX];

    text_copy(line, sizeof(line), text);
    prompt_run_line(line);
}

TEST("commands", "those that only look: no fault, no frame")
{
    static const char *const lines[] = {"help",   "mem",   "map",   "regions", "frames",
                                        "faults", "audit", "watch", "swap"};
    uint32_t faults = fault_counters.total;
    uint32_t available = frame_pool.totals[FRAME_FREE];

    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        run_line(lines[i]);
    EXPECT_EQUAL(fault_counters.total, faults);
    EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], available);
}

TEST("commands", "walk, any address at all: no fault")
{
    static const char *const lines[] = {
        "walk 0",          "walk 0xbfffffff", "walk 0xc0000000", "walk 0xd0000000",
        "walk 0xff3fffff", "walk 0xff400000", "walk 0xff800000", "walk 0xffbfffff",
        "walk 0xffc00000", "walk 0xfffff000", "walk 0xffffffff",
    };
    uint32_t faults = fault_counters.total;

    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        run_line(lines[i]);
    EXPECT_EQUAL(fault_counters.total, faults);
}

TEST("commands", "lines that are wrong: said so, and nothing happens")
{
    static const char *const lines[] = {
        "",
        "nonsense",
        "walk",
        "walk 0xg",
        "walk 1 2",
        "reserve",
        "reserve x",
        "reserve 4G",
        "reserve 0",
        "reserve 3G",
        "touch",
        "touch q",
        "touch 1 q",
        "touch 0xfffffff0 1M",
        "release 0xc0000000",
        "release 0xbfffffff",
        "help me",
        "test no-such-unit",
        "bench no-such-unit",
        "halt now",
    };
    uint32_t regions = boot_space.region_count;
    uint32_t faults = fault_counters.total;

    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        run_line(lines[i]);
    EXPECT_EQUAL(boot_space.region_count, regions);
    EXPECT_EQUAL(fault_counters.total, faults);
}

TEST("commands", "touch where nothing may be written: refused, no panic")
{
    static const char *const lines[] = {"touch 0", "touch 0xc0100000", "touch 0xff800000",
                                        "touch 0xff400000"};
    uint32_t bad = fault_counters.bad_access;

    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        run_line(lines[i]);
    EXPECT_EQUAL(fault_counters.bad_access, bad + ARRAY_LENGTH(lines));
}

TEST("commands", "reserve, touch, release: no frame, a frame a page, all given back")
{
    char line[LINE_BYTES_MAX];
    uint32_t anonymous = frame_pool.totals[FRAME_ANONYMOUS];
    uint32_t available = frame_pool.totals[FRAME_FREE];
    const struct vma *region;

    if (vma_first(&boot_space) != NULL)
        SKIP("someone has reserved memory at the prompt");
    run_line("reserve 64M");
    EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], available);
    region = vma_first(&boot_space);
    REQUIRE(region != NULL);
    EXPECT_EQUAL(vma_pages(region), 16384);

    format_text(line, sizeof(line), "touch " PRI_VADDR " 12K", ARG_VADDR(vma_start(region)));
    run_line(line);
    EXPECT_EQUAL(frame_pool.totals[FRAME_ANONYMOUS], anonymous + 3);
    run_line(line); /* once more: the pages are there */
    EXPECT_EQUAL(frame_pool.totals[FRAME_ANONYMOUS], anonymous + 3);

    format_text(line, sizeof(line), "release " PRI_VADDR, ARG_VADDR(vma_start(region)));
    run_line(line);
    EXPECT(vma_first(&boot_space) == NULL);
    EXPECT_EQUAL(frame_pool.totals[FRAME_ANONYMOUS], anonymous);
}
