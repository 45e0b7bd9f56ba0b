/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The longest events, for the option `events` (events.h).
 *
 * An event is open from its beginning to its end, and belongs to the call that opened it, or to the
 * tick; one that began where interrupts could come belongs to the call that is repeated next. If
 * there is none it is of the rest: what a call does behind its result, a signal, an exception. Of a
 * page fault that is resolved and of other devices' interrupts nothing is known. The clock is the
 * time-stamp counter: instructions under QEMU's -icount.
 */
#include <process/events.h>

#include <arch/i386/cpu.h>
#include <arch/i386/trap.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <process/client.h>
#include <process/system_call.h>

OPTION(events, "events", OPTION_FLAG);

enum { OF_TICK = SYSTEM_CALLS, OF_REST, KINDS };

bool events_are_measured;

static system_call_t *handlers[SYSTEM_CALLS];
static const struct trap_user_client *client;
static uint32_t longest[KINDS];
static uint64_t opened; /* 0: no event is open */
static unsigned kind;

static void open(unsigned new_kind)
{
    kind = new_kind;
    opened = cpu_cycles();
}

void events_close(void)
{
    if (opened == 0)
        return;
    uint32_t cycles = (uint32_t)(cpu_cycles() - opened);
    opened = 0;
    if (cycles > longest[kind])
        longest[kind] = cycles;
}

void events_cut(void)
{
    events_close();
    open(OF_REST);
}

void events_open_tick(void)
{
    events_close();
    open(OF_TICK);
}

void events_close_tick(void)
{
    if (trap_leave_work == 0)
        events_close();
}

/* In the place of every handler. A call that runs for the first time comes from user mode. */
static int32_t measured_call(struct trap_frame *frame)
{
    uint32_t number = frame->eax;
    if (opened == 0)
        open(number);
    else if (kind == OF_REST)
        kind = number;
    int32_t result = handlers[number](frame);
    if (trap_leave_work == 0)
        events_close(); /* it goes back at once */
    return result;
}

static struct trap_frame *measured_leave(struct trap_frame *frame)
{
    if (opened == 0)
        open(OF_REST);
    struct trap_frame *next = client->leave(frame);
    events_close();
    return next;
}

static void say_longest(const struct process *zombie)
{
    if (!events_are_measured || !zombie->is_kernels_child)
        return;
    for (const struct system_call *call = system_calls_first; call < system_calls_end; call++)
        if (longest[call->number] != 0)
            printk("event_%s %u cyc\n", call->name, longest[call->number]);
    printk("event_tick %u cyc\nevent_rest %u cyc\n", longest[OF_TICK], longest[OF_REST]);
}

PROCESS_CLIENT(08, .ended = say_longest);

void events_begin(void)
{
    static struct trap_user_client measured;
    if (!events_option.is_given || !cpu_features.tsc)
        return;
    for (unsigned number = 0; number < SYSTEM_CALLS; number++) {
        handlers[number] = trap_system_calls[number];
        trap_system_calls[number] = measured_call;
    }
    client = trap_set_user_client(NULL);
    measured = *client;
    measured.leave = measured_leave;
    trap_set_user_client(&measured);
    events_are_measured = true;
}
