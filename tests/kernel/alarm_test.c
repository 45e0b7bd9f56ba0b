/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Tests of alarms at a tick; what the calls answer is seen from user mode.
 */
#include <arch/i386/cpu.h>
#include <kernel/panic.h>
#include <kernel/test.h>
#include <process/signal.h>
#include <process/system_call.h>
#include <process/timer.h>

enum { SET = 200, CALL_ALARM = 27 };

static struct process *sleepers[SET];

static void set_alarms(uint32_t seconds)
{
    for (unsigned i = 0; i < SET; i++) {
        if (process_create(NULL, &sleepers[i]) != KERR_OK)
            panic("no process record for the tests");
        sleepers[i]->frame.ebx = seconds;
        EXPECT_EQUAL(trap_system_calls[CALL_ALARM](&sleepers[i]->frame), 0);
    }
}

static unsigned count_set(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < SET; i++)
        count += sleepers[i]->alarm != NULL;
    return count;
}

static void discard_all(void)
{
    for (unsigned i = 0; i < SET; i++) {
        sleepers[i]->frame.ebx = 0;
        EXPECT_EQUAL(trap_system_calls[CALL_ALARM](&sleepers[i]->frame), 0);
        process_discard(sleepers[i]);
    }
}

/* Until the last tick is longer ago than a tick takes. */
static void let_a_tick_go_by(void)
{
    uint32_t begin = timer_clock();
    while (timer_clock() - begin <= timer_clocks_in_tick())
        ;
}

TEST("alarm", "many due at once: a tick whose time is gone does a part, the next ones the rest")
{
    if (!cpu_features.tsc)
        SKIP("needs a clock that runs with interrupts off");
    const uint64_t before = timer_ticks(), due = before + 2 * TIMER_HZ;
    set_alarms(1);
    alarms_tick(before);
    EXPECT_EQUAL(count_set(), SET);
    let_a_tick_go_by();
    unsigned left = SET;
    for (unsigned tick = 0; tick < SET && left != 0; tick++) {
        alarms_tick(due);
        unsigned now = count_set();
        EXPECT(now < left && left - now < SET / 2);
        left = now;
    }
    EXPECT_EQUAL(left, 0);
    discard_all();
}
