/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. The account of promises: its sums, its modes, and the promise of mode 2, by processes
 * that are made here and whose system calls are called from here; nothing runs in user mode.
 */
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/test.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <process/commit.h>
#include <process/limits.h>
#include <process/system_call.h>

enum { CALL_BRK = 45, CALL_MUNMAP = 91, CALL_MPROTECT = 125, CALL_MREMAP = 163, CALL_MMAP2 = 192 };
enum { CALL_MADVISE = 219 };
enum { PRIVATE = 0x22, SHARED = 0x21, FIXED = 0x10, NO_RESERVE = 0x4000, READ_WRITE = 3 };
enum { GROWS_DOWN = 0x100 };
enum { READ = 1, MAY_MOVE = 1, DONT_NEED = 4 };
enum { ARENA = 0x20000000, ARENA_PAGES = 16 * 1024, PROCESSES = 5 };
enum { ROOM_PAGES = KERNEL_BASE / PAGE_BYTES };

/* ---- processes without a program ---- */

static struct process *make(void)
{
    struct process *process;
    if (process_create(NULL, &process) != KERR_OK || memory_create(&process->memory) != KERR_OK)
        panic("no memory for a test's process");
    EXPECT(limits_begin(process) == 0);
    return process;
}

static void run(struct process *process)
{
    process_current = process;
    space_switch(process != NULL ? &process->memory->space : &boot_space);
}

/* All that make() and a test's forks made. */
static void end_all(void)
{
    run(NULL);
    for (struct process *process; (process = process_next(NULL)) != NULL;)
        process_discard(process);
    memory_give_all_back();
}

/* What the current process gets. */
static int32_t call(uint32_t number, uint32_t first, uint32_t second, uint32_t third,
                    uint32_t fourth)
{
    struct trap_frame *frame = &process_current->frame;
    frame->eax = number;
    frame->ebx = first;
    frame->ecx = second;
    frame->edx = third;
    frame->esi = fourth;
    frame->edi = (uint32_t)-1;
    frame->ebp = 0;
    for (const struct system_call *c = system_calls_first; c < system_calls_end; c++)
        if (c->number == number)
            return c->handler(frame);
    panic("system call %u is not there", (unsigned)number);
}

static int32_t map(uint32_t pages, uint32_t protection, uint32_t flags)
{
    return call(CALL_MMAP2, 0, pages << PAGE_SHIFT, protection, flags);
}

static bool is_error(int32_t result)
{
    return (uint32_t)result >= (uint32_t)-4095;
}

static enum fault_result write_to(uint32_t address)
{
    return vma_touch(VADDR(address), ACCESS_WRITE, MODE_USER);
}

static uint32_t committed(void)
{
    return (uint32_t)frame_pool.committed;
}

/* ---- layer 1's part ---- */

TEST("commit", "a limit: holds for promises and the kernel together, a reserve for promises alone")
{
    static struct frame_pool pool;
    pool = (struct frame_pool){.commit_limit = 100, .kernel_reserve = 10};
    EXPECT(frame_can_commit(&pool, 90) && !frame_can_commit(&pool, 91));
    EXPECT(frame_can_grow(&pool, 100) && !frame_can_grow(&pool, 101));
    frame_commit(&pool, 60);
    pool.kernel_frames = 20;
    EXPECT(frame_can_commit(&pool, 10) && !frame_can_commit(&pool, 11));
    EXPECT(frame_can_grow(&pool, 20) && !frame_can_grow(&pool, 21));
    EXPECT(!frame_can_commit(&pool, UINT32_MAX));
    frame_uncommit(&pool, 60);
    EXPECT(frame_can_commit(&pool, 70));
}

TEST("commit", "without a limit: nothing is refused, everything is counted")
{
    struct frame_pool pool = {.commit_limit = UINT64_MAX};
    for (unsigned i = 0; i < 100; i++)
        frame_commit(&pool, UINT32_MAX);
    EXPECT(frame_can_commit(&pool, UINT32_MAX) && frame_can_grow(&pool, UINT32_MAX));
    EXPECT_EQUAL(pool.committed >> 32, 99);
}

TEST("commit", "the kernel's own pages: are counted with their tables, and given back")
{
    uint32_t before = frame_pool.kernel_frames, free = frame_pool.totals[FRAME_FREE];
    void *block;
    REQUIRE(kmalloc(1 << 20, &block) == KERR_OK);
    EXPECT_EQUAL(frame_pool.kernel_frames - before, free - frame_pool.totals[FRAME_FREE]);
    EXPECT(frame_pool.kernel_frames - before >= 256);
    kfree(block);
    heap_trim(&kernel_heap, 0);
    EXPECT_EQUAL(frame_pool.kernel_frames - before, free - frame_pool.totals[FRAME_FREE]);
}

/* ---- what is charged ---- */

TEST("commit", "charged: private writable and shared pages, once, until they are gone")
{
    run(make());
    uint32_t start = committed();
    int32_t room = map(100, READ_WRITE, PRIVATE);
    EXPECT_EQUAL(committed() - start, 100);
    EXPECT_EQUAL(map(50, READ, PRIVATE) == 0, 0);
    EXPECT_EQUAL(committed() - start, 100);
    EXPECT_EQUAL(call(CALL_MPROTECT, (uint32_t)room, 10 << PAGE_SHIFT, READ, 0), 0);
    EXPECT_EQUAL(call(CALL_MPROTECT, (uint32_t)room, 20 << PAGE_SHIFT, READ_WRITE, 0), 0);
    EXPECT_EQUAL(committed() - start, 100);
    EXPECT_EQUAL(call(CALL_MUNMAP, (uint32_t)room + (30 << PAGE_SHIFT), 25 << PAGE_SHIFT, 0, 0), 0);
    EXPECT_EQUAL(committed() - start, 75);
    int32_t shared = map(10, READ_WRITE, SHARED);
    EXPECT_EQUAL(committed() - start, 85);
    EXPECT_EQUAL(call(CALL_MUNMAP, (uint32_t)shared, 5 << PAGE_SHIFT, 0, 0), 0);
    EXPECT_EQUAL(committed() - start, 85); /* the object is there as long as one page is */
    EXPECT_EQUAL(call(CALL_MUNMAP, (uint32_t)shared, 10 << PAGE_SHIFT, 0, 0), 0);
    EXPECT_EQUAL(committed() - start, 75);
    EXPECT(!is_error(map(1000, READ_WRITE, PRIVATE | NO_RESERVE)));
    EXPECT_EQUAL(committed() - start, 75);
    end_all();
    EXPECT_EQUAL(committed(), start);
}

TEST("commit", "rights to write: are charged when they come, brk when it grows")
{
    run(make());
    uint32_t start = committed();
    int32_t room = map(64, READ, PRIVATE);
    EXPECT_EQUAL(committed(), start);
    EXPECT_EQUAL(
        call(CALL_MPROTECT, (uint32_t)room + (8 << PAGE_SHIFT), 8 << PAGE_SHIFT, READ_WRITE, 0), 0);
    EXPECT_EQUAL(committed() - start, 8);
    EXPECT_EQUAL(call(CALL_MPROTECT, (uint32_t)room, 64 << PAGE_SHIFT, READ_WRITE, 0), 0);
    EXPECT_EQUAL(committed() - start, 64);
    process_current->memory->heap_start = process_current->memory->heap_end = 0x10000000;
    EXPECT_EQUAL(call(CALL_BRK, 0x10000000 + 5 * PAGE_BYTES + 1, 0, 0, 0),
                 0x10000000 + 5 * PAGE_BYTES + 1);
    EXPECT_EQUAL(committed() - start, 70);
    EXPECT_EQUAL(call(CALL_BRK, 0x10000000, 0, 0, 0), 0x10000000);
    int32_t moved =
        call(CALL_MREMAP, (uint32_t)room, 64 << PAGE_SHIFT, 128 << PAGE_SHIFT, MAY_MOVE);
    EXPECT(!is_error(moved));
    EXPECT_EQUAL(committed() - start, 128);
    end_all();
    EXPECT_EQUAL(committed(), start);
}

TEST("commit", "mode 0: one request larger than the machine is refused, many smaller ones are not")
{
    uint32_t ram = frame_pool.frames - frame_pool.totals[FRAME_RESERVED];
    if (frame_pool.frames > ROOM_PAGES / 4)
        SKIP("needs at most 768 MiB of RAM");
    run(make());
    EXPECT_EQUAL(map(ram + 1, READ_WRITE, PRIVATE), -ENOMEM);
    EXPECT(!is_error(map(ram + 1, READ, PRIVATE)));
    for (unsigned i = 0; i < 4; i++)
        EXPECT(!is_error(map(ram / 2, READ_WRITE, PRIVATE)));
    end_all();
}

/* ---- mode 2: a touch never fails ---- */

/* The frames in use since FREE and SUM were taken are covered by what the sum has grown by. */
static uint64_t sum_before;
static uint32_t free_before;

static void begin_strict(void)
{
    heap_trim(&kernel_heap, 0);
    vma_trim();
    commit_start(OVERCOMMIT_NEVER);
    frame_pool.kernel_reserve = 0; /* it would hide what is forgotten */
    sum_before = frame_pool.committed + frame_pool.kernel_frames;
    free_before = frame_pool.totals[FRAME_FREE];
}

static void end_strict(void)
{
    end_all();
    commit_start(OVERCOMMIT_GUESS);
}

static bool is_covered(void)
{
    uint64_t sum = frame_pool.committed + frame_pool.kernel_frames;
    return free_before - frame_pool.totals[FRAME_FREE] <= sum - sum_before &&
           sum <= frame_pool.commit_limit;
}

TEST("commit", "mode 2: what is accepted can be touched to the last page, tables included")
{
    begin_strict();
    run(make());
    uint32_t regions[2000], count = 0, pages = free_before / 16 < 600 ? free_before / 16 : 600;
    while (count < ARRAY_LENGTH(regions) && pages > 0) {
        int32_t room = map(pages, READ_WRITE, count % 5 == 4 ? SHARED : PRIVATE);
        if (is_error(room)) {
            EXPECT_EQUAL(room, -ENOMEM);
            pages /= 2;
            continue;
        }
        regions[count++] = (uint32_t)room;
    }
    EXPECT(count > 10 && is_covered());
    uint32_t refused = 0;
    const struct vma *region = vma_first(&process_current->memory->space);
    for (; region != NULL; region = vma_next(region))
        for (uint32_t page = region->first_page; page <= region->last_page; page++)
            refused += write_to(page << PAGE_SHIFT) == FAULT_NO_MEMORY;
    EXPECT_EQUAL(refused, 0);
    EXPECT(is_covered());
    end_strict();
}

TEST("commit", "mode 2: a table is charged for each slot that holds a region, and only one")
{
    begin_strict();
    run(make());
    EXPECT(!is_error(call(CALL_MMAP2, ARENA, PAGE_BYTES, READ_WRITE, PRIVATE)));
    uint32_t start = committed();
    for (uint32_t i = 1; i < 64; i++) /* a page in each slot, of which none but the first is new */
        EXPECT(!is_error(call(CALL_MMAP2, ARENA + i / 2 * SLOT_BYTES + i % 2 * 8 * PAGE_BYTES,
                              PAGE_BYTES, READ, PRIVATE)));
    EXPECT_EQUAL(committed() - start, 31);
    EXPECT(!is_error(call(CALL_MMAP2, ARENA + 40 * SLOT_BYTES, 3 * SLOT_BYTES, READ, PRIVATE)));
    EXPECT_EQUAL(committed() - start, 34);
    EXPECT_EQUAL(call(CALL_MUNMAP, ARENA + PAGE_BYTES, 41 * SLOT_BYTES, 0, 0), 0);
    EXPECT_EQUAL(committed() - start, 2);
    end_strict();
}

TEST("commit", "mode 2: what would not fit is refused, whatever it is")
{
    if (frame_pool.frames > ROOM_PAGES / 4)
        SKIP("needs at most 768 MiB of RAM");
    begin_strict();
    run(make());
    uint32_t left = (uint32_t)(frame_pool.commit_limit - sum_before);
    EXPECT_EQUAL(map(left, READ_WRITE, PRIVATE), -ENOMEM);
    EXPECT_EQUAL(map(left, READ_WRITE, PRIVATE | NO_RESERVE), -ENOMEM);
    EXPECT_EQUAL(map(left, READ_WRITE, SHARED), -ENOMEM);
    int32_t room = map(left, READ, PRIVATE);
    EXPECT(!is_error(room)); /* that costs tables at most */
    EXPECT_EQUAL(call(CALL_MPROTECT, (uint32_t)room, left << PAGE_SHIFT, READ_WRITE, 0), -ENOMEM);
    EXPECT_EQUAL(call(CALL_MUNMAP, (uint32_t)room, left << PAGE_SHIFT, 0, 0), 0);
    EXPECT(!is_error(map(left / 2 + left / 16, READ_WRITE, PRIVATE)));
    struct memory *copy;
    EXPECT_EQUAL(memory_fork(process_current->memory, &copy), KERR_NO_ROOM);
    EXPECT(is_covered());
    end_strict();
}

/* A page that grows down, at the start of slot INDEX of the arena; nothing is in the slot below. */
static uint32_t make_stack(uint32_t index)
{
    uint32_t address = ARENA + index * 2 * SLOT_BYTES;
    EXPECT(
        !is_error(call(CALL_MMAP2, address, PAGE_BYTES, READ_WRITE, PRIVATE | FIXED | GROWS_DOWN)));
    return address;
}

TEST("commit", "mode 2: growth is charged at the touch, with each table that it enters")
{
    begin_strict();
    run(make());
    for (uint32_t i = 1; i < 17; i++)
        make_stack(i);
    uint32_t start = committed();
    for (uint32_t i = 1; i < 17; i++)
        EXPECT_EQUAL(write_to(ARENA + i * 2 * SLOT_BYTES - 1), FAULT_RESOLVED);
    EXPECT_EQUAL(committed() - start, 16 + 16);
    EXPECT(is_covered());
    EXPECT_EQUAL(write_to(ARENA + 2 * SLOT_BYTES - 9 * PAGE_BYTES), FAULT_RESOLVED);
    EXPECT_EQUAL(committed() - start, 16 + 16 + 8);
    EXPECT(!is_error(map(1, READ, PRIVATE))); /* what was charged at touches is found again */
    EXPECT_EQUAL(committed() - start, 16 + 16 + 8 + 1);
    end_strict();
    /* What the kernel keeps of it is counted as its own. */
    EXPECT_EQUAL(frame_pool.committed + frame_pool.kernel_frames - sum_before,
                 free_before - frame_pool.totals[FRAME_FREE]);
}

TEST("commit",
     "mode 2: growth that would not fit is refused, by a program's touch and the kernel's")
{
    begin_strict();
    run(make());
    uint32_t stack = make_stack(1), one = 1;
    frame_pool.commit_limit = frame_pool.committed + frame_pool.kernel_frames + 1;
    EXPECT_EQUAL(write_to(stack - 1), FAULT_BAD_ACCESS); /* a page, and no table for it */
    EXPECT_EQUAL(user_write(stack - sizeof(one), &one, sizeof(one)), KERR_BAD_ACCESS);
    frame_pool.commit_limit++;
    EXPECT_EQUAL(user_write(stack - sizeof(one), &one, sizeof(one)), KERR_OK);
    EXPECT_EQUAL(write_to(stack - 2 * PAGE_BYTES), FAULT_BAD_ACCESS);
    end_strict();
}

TEST("commit", "modes 0 and 1: growth is counted as other charged pages are")
{
    run(make());
    uint32_t start = committed(), stack = make_stack(1);
    EXPECT_EQUAL(write_to(stack - 5 * PAGE_BYTES), FAULT_RESOLVED);
    EXPECT_EQUAL(committed() - start, 6);
    EXPECT_EQUAL(call(CALL_MUNMAP, stack - 5 * PAGE_BYTES, 3 * PAGE_BYTES, 0, 0), 0);
    EXPECT_EQUAL(committed() - start, 3);
    end_all();
    EXPECT_EQUAL(committed(), start);
}

/* ---- at random ---- */

static uint32_t state;

static uint32_t below(uint32_t limit)
{
    return test_random(&state) % limit;
}

static uint32_t random_pages(void)
{
    return 1 + (below(4) == 0 ? below(3000) : below(40));
}

/* Every page of the current process that takes a write is written. */
static uint32_t touch_all(uint32_t one_in)
{
    uint32_t refused = 0;
    const struct vma *region = vma_first(&process_current->memory->space);
    for (; region != NULL; region = vma_next(region))
        for (uint32_t page = region->first_page; page <= region->last_page; page++)
            if (below(one_in) == 0)
                refused += write_to(page << PAGE_SHIFT) == FAULT_NO_MEMORY;
    return refused;
}

static void random_change(void)
{
    static const uint32_t protections[] = {0, READ, READ_WRITE, READ_WRITE};
    uint32_t pages = random_pages(), first = below(ARENA_PAGES - pages);
    uint32_t address = ARENA + (first << PAGE_SHIFT), bytes = pages << PAGE_SHIFT;
    uint32_t protection = protections[below(4)];
    switch (below(11)) {
    case 0:
    case 1:
    case 2:
        call(CALL_MMAP2, address, bytes, protection,
             (below(4) == 0 ? SHARED : PRIVATE) | (below(2) ? FIXED : 0));
        break;
    case 3:
        call(CALL_MUNMAP, address, bytes, 0, 0);
        break;
    case 4:
    case 5:
        call(CALL_MPROTECT, address, bytes, protection, 0);
        break;
    case 6:
        call(CALL_MREMAP, address, bytes, random_pages() << PAGE_SHIFT, MAY_MOVE);
        break;
    case 7:
        call(CALL_MADVISE, address, bytes, DONT_NEED, 0);
        break;
    case 8:
        call(CALL_BRK, 0x10000000 + (random_pages() << PAGE_SHIFT), 0, 0, 0);
        break;
    case 9:
        call(CALL_MMAP2, address, bytes, protection, PRIVATE | GROWS_DOWN);
        break;
    case 10: /* some stack may be above */
        if (vma_find(&process_current->memory->space, VADDR(address)) == NULL)
            EXPECT(write_to(address) != FAULT_NO_MEMORY);
        break;
    }
}

/* A process more, by fork if there is one that runs; or one fewer. */
static void random_life(struct process **processes)
{
    struct process **slot = &processes[below(PROCESSES)], *parent = process_current;
    if (*slot != NULL && *slot != parent) {
        process_discard(*slot);
        *slot = NULL;
    } else if (*slot == NULL && process_create(NULL, slot) == KERR_OK) {
        EXPECT(limits_begin(*slot) == 0);
        if (memory_fork(parent->memory, &(*slot)->memory) != KERR_OK) {
            process_discard(*slot);
            *slot = NULL;
        }
    }
}

TEST("commit", "mode 2, at random: every page that was accepted finds a frame, in every copy")
{
    struct process *processes[PROCESSES] = {NULL};
    uint32_t refused = 0, uncovered = 0;
    state = 20261120;
    printk("# seed %u\n", (unsigned)state);
    begin_strict();
    processes[0] = make();
    processes[0]->memory->heap_start = processes[0]->memory->heap_end = 0x10000000;
    run(processes[0]);
    for (unsigned step = 0; step < 1500; step++) {
        random_change();
        if (below(8) == 0)
            refused += touch_all(1 + below(8));
        if (below(12) == 0)
            random_life(processes);
        struct process *next = processes[below(PROCESSES)];
        if (next != NULL)
            run(next);
        uncovered += !is_covered();
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (processes[i] == NULL)
            continue;
        run(processes[i]);
        refused += touch_all(1);
        uncovered += !is_covered();
    }
    EXPECT_EQUAL(refused, 0);
    EXPECT_EQUAL(uncovered, 0);
    end_strict();
    EXPECT_EQUAL(frame_pool.committed + frame_pool.kernel_frames - sum_before,
                 free_before - frame_pool.totals[FRAME_FREE]);
}
