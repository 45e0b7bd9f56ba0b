/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Tests of pages that must be waited for, as copies to and from a program and as processes
 * meet them. The boot space plays the program, the pager for tests what stands behind its pages.
 */
#include "test_pager.h"
#include "vm_testing.h"

#include <kernel/panic.h>
#include <mm/space.h>
#include <process/errno.h>
#include <process/exceptions.h>
#include <process/repeat.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <process/signal_table.h>
#include <process/system_call.h>
#include <process/user.h>

enum { SOME_CALL = 3, SOME_EIP = 0x08048002, AFTER = 2 };

static struct test_pager pager;

static vaddr_t page_at(uint32_t page)
{
    return page_of_slot(TEST_SLOT, page);
}

/* All pages of an object, each there after AFTER polls, in the test slot. */
static bool must_check show(void)
{
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = "paged"};
    if (test_pager_make(&pager, AFTER, &wish.object) != KERR_OK)
        return false;
    enum kerr error = vma_map_at(space_current(), page_at(0), TEST_PAGES, &wish);
    object_put(wish.object);
    return error == KERR_OK;
}

static void hide(void)
{
    EXPECT(vma_release(space_current(), page_at(0), TEST_PAGES) == KERR_OK);
    EXPECT_EQUAL(pager.ended, 1);
}

/* The channel that was left is polled until it is ready. */
static void let_arrive(void)
{
    channel_poll();
}

/* A process that is the current one, in an event of VECTOR. */
static struct process *begin(uint32_t vector)
{
    struct process *process;
    if (process_create(NULL, &process) != KERR_OK)
        panic("no process record for the tests");
    process->frame.vector = vector;
    process->frame.eax = SOME_CALL;
    process->frame.eip = SOME_EIP;
    process_start(process);
    process_dequeue(process);
    process_current = process;
    return process;
}

static void end(struct process *process)
{
    process_current = NULL;
    process_dequeue(process);
    process->state = PROCESS_NONE;
    process_discard(process);
}

/* The page is asked for by a copy: its channel is the one that is left. */
static enum kerr meet(uint32_t page)
{
    uint32_t value;
    return user_read_word(page_at(page).v, &value);
}

TEST("must_wait",
     "a copy over four pages: waits for each in turn, gets further each time, is whole")
{
    enum { BYTES = 3 * PAGE_BYTES };
    uint8_t *const copied = test_scratch;
    uint32_t from = page_at(2).v + 100, waits = 0, word;
    enum kerr error;
    REQUIRE(show());
    while ((error = user_read(copied, from, BYTES)) == KERR_MUST_WAIT) {
        EXPECT(channel_left() == &pager.pages[2 + waits].channel);
        let_arrive();
        waits++;
    }
    EXPECT_EQUAL(error, KERR_OK);
    EXPECT_EQUAL(waits, 4);
    for (uint32_t page = 3; page < 5; page++) {
        EXPECT(user_read_word(page_at(page).v, &word) == KERR_OK);
        EXPECT_EQUAL(*(uint32_t *)(void *)&copied[page_at(page).v - from], word);
        EXPECT_EQUAL(word, TEST_PAGER_WORD + page);
    }
    hide();
}

TEST("must_wait", "each copy routine: says it, and is right the second time")
{
    uint32_t value = 5, length;
    char text[8];
    REQUIRE(show());
    EXPECT_EQUAL(user_write(page_at(0).v, &value, 4), KERR_MUST_WAIT);
    let_arrive();
    EXPECT_EQUAL(user_write(page_at(0).v, &value, 4), KERR_OK);
    EXPECT_EQUAL(user_clear(page_at(1).v, 4), KERR_MUST_WAIT);
    let_arrive();
    EXPECT_EQUAL(user_clear(page_at(1).v, 4), KERR_OK);
    EXPECT_EQUAL(user_read_string(text, page_at(2).v + 4, sizeof(text), &length), KERR_MUST_WAIT);
    let_arrive();
    EXPECT_EQUAL(user_read_string(text, page_at(2).v + 4, sizeof(text), &length), KERR_OK);
    EXPECT_EQUAL(length, 0);
    EXPECT_EQUAL(user_read_word(page_at(0).v, &value), KERR_OK);
    EXPECT_EQUAL(value, 5);
    hide();
}

TEST("must_wait", "a page that can't be had: EIO to a call, SIGBUS to an instruction")
{
    REQUIRE(show());
    pager.pages[6].fails = true;
    EXPECT_EQUAL(meet(6), KERR_MUST_WAIT);
    let_arrive();
    EXPECT_EQUAL(meet(6), KERR_IO);
    EXPECT_EQUAL(user_access_failed(KERR_IO), -EIO);
    const struct page_fault fault = {.address = page_at(6), .mode = MODE_USER};
    static struct signals table = {.references = 1};
    table.actions[SIGBUS - 1].handler = SOME_EIP;
    struct process *process = begin(VECTOR_PAGE_FAULT);
    process->signals = &table;
    user_page_fault(&process->frame, &fault, FAULT_IO_ERROR);
    EXPECT_EQUAL(process->fault_signal, SIGBUS);
    EXPECT_EQUAL(process->fault_address, page_at(6).v);
    process->signals = NULL;
    end(process);
    hide();
}

TEST("must_wait", "a call: sleeps on the channel, is repeated when it is woken, no signal's EINTR")
{
    REQUIRE(show());
    struct process *process = begin(VECTOR_SYSTEM_CALL);
    EXPECT_EQUAL(user_access_failed(meet(1)), SOME_CALL);
    EXPECT_EQUAL(process->state, PROCESS_SLEEPING);
    EXPECT(call_is_repeated(process));
    EXPECT_EQUAL(process->progress.kind, PROGRESS_NONE);
    process_current = NULL;
    channel_wake(&pager.pages[2].channel);
    EXPECT_EQUAL(process->state, PROCESS_SLEEPING);
    channel_wake(&pager.pages[1].channel);
    EXPECT_EQUAL(process->state, PROCESS_RUNNABLE);
    end(process);
    hide();
}

TEST("must_wait", "an instruction: sleeps on the channel, and begins again where it was")
{
    const struct page_fault fault = {.address = page_at(1), .mode = MODE_USER};
    REQUIRE(show());
    EXPECT_EQUAL(meet(1), KERR_MUST_WAIT);
    struct process *process = begin(VECTOR_PAGE_FAULT);
    user_page_fault(&process->frame, &fault, FAULT_MUST_WAIT);
    EXPECT_EQUAL(process->state, PROCESS_SLEEPING);
    EXPECT_EQUAL(process->frame.eip, SOME_EIP);
    EXPECT_EQUAL(process->frame.eax, SOME_CALL);
    EXPECT_EQUAL(process->fault_signal, 0);
    process_current = NULL;
    channel_wake(&pager.pages[1].channel);
    EXPECT_EQUAL(process->state, PROCESS_RUNNABLE);
    end(process);
    hide();
}

TEST("must_wait", "the page has come meanwhile, or a signal is pending: nobody sleeps")
{
    REQUIRE(show());
    struct process *process = begin(VECTOR_SYSTEM_CALL);
    EXPECT_EQUAL(meet(1), KERR_MUST_WAIT);
    let_arrive();
    EXPECT_EQUAL(user_access_failed(KERR_MUST_WAIT), SOME_CALL);
    EXPECT_EQUAL(process->state, PROCESS_RUNNABLE);
    EXPECT(call_is_repeated(process));
    end(process);
    process = begin(VECTOR_SYSTEM_CALL);
    process->signals_pending = 1ull << (SIGUSR1 - 1);
    EXPECT_EQUAL(user_access_failed(meet(2)), SOME_CALL);
    EXPECT_EQUAL(process->state, PROCESS_RUNNABLE);
    end(process);
    hide();
}

TEST("must_wait",
     "it ends while it sleeps on a page that never comes: is in no queue, wakes nobody")
{
    REQUIRE(show());
    pager.pages[3].polls = ARRIVES_NEVER;
    struct process *process = begin(VECTOR_SYSTEM_CALL);
    EXPECT_EQUAL(user_access_failed(meet(3)), SOME_CALL);
    EXPECT_EQUAL(process->state, PROCESS_SLEEPING);
    end(process);
    channel_wake(&pager.pages[3].channel);
    hide();
}
