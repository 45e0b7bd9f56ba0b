/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Who runs: sleeping, waking, the time slice, and the one way out of the kernel.
 *
 * The current process is in no queue; others that can run wait for their turn (turns.h). Sleepers
 * hang in buckets by the address that they sleep on. Woken by what it waited for, a process repeats
 * its system call before it looks at its signals; woken by a signal, signal.c decides.
 */
#include <process/schedule.h>

#include <arch/i386/alternate.h>
#include <arch/i386/cpu.h>
#include <arch/i386/gdt.h>
#include <arch/i386/ledger.h>
#include <kernel/channel.h>
#include <kernel/layer.h>
#include <kernel/panic.h>
#include <mm/frame.h>
#include <process/client.h>
#include <process/events.h>
#include <process/exceptions.h>
#include <process/fpu.h>
#include <process/limits.h>
#include <process/repeat.h>
#include <process/signal.h>
#include <process/timer.h>
#include <process/tls.h>
#include <process/victim.h>

#include "turns.h"

enum { BUCKETS = 1024, TIME_SLICE_TICKS = 5 };

/* Checked builds look at every way out: the books must be in order there. */
enum { WORK = 1, WORK_RARE = 2, WORK_ALWAYS = CHECKED ? 4 : 0 };

struct process *process_current;

static struct turns turns;
static struct list sleepers[BUCKETS];
static bool turn_is_over, lacks_frame;
static uint32_t charged_clock; /* up to here somebody has been charged with the time */

void process_request_leave(void)
{
    trap_leave_work |= WORK;
}

void process_request_rare_work(void)
{
    trap_leave_work |= WORK | WORK_RARE;
}

/* ---- queues ---- */

static struct process *process_of(const struct list *link)
{
    return container_of(link, struct process, queue);
}

/* Channels are addresses of structures, often of one size: the lowest bits say little. */
static struct list *bucket_of(const void *channel)
{
    uint32_t address = pointer_to_vaddr(channel).v;
    return &sleepers[(address >> 3 ^ address >> 13) % BUCKETS];
}

static inline void enqueue(struct process *process)
{
    process->state = PROCESS_RUNNABLE;
    if (process != process_current)
        turns_wake(&turns, process);
}

void process_enqueue(struct process *process)
{
    enqueue(process);
}

void process_dequeue(struct process *process)
{
    list_remove(&process->queue);
    if (process->deadline != 0)
        timer_remove(process);
    process->channel = NULL;
}

/* ---- sleeping ---- */

static void fall_asleep(struct process *self, const void *channel, uint64_t deadline)
{
    self->is_woken = 0;
    self->state = PROCESS_SLEEPING;
    self->channel = channel;
    if (channel != NULL)
        list_add_last(bucket_of(channel), &self->queue);
    if (deadline != 0) {
        self->deadline = deadline;
        timer_add(self);
    }
}

int32_t process_sleep(const void *channel, uint64_t deadline)
{
    struct process *self = process_current;
    process_request_leave();
    if (!signal_is_pending(self)) /* which ends the sleep before it begins */
        fall_asleep(self, channel, deadline);
    return call_repeat_later(self);
}

/* The current process does again what it was interrupted in: what the handler is to return. */
static int32_t process_begin_again(void)
{
    struct process *self = process_current;
    if (self->frame.vector != VECTOR_SYSTEM_CALL)
        return (int32_t)self->frame.eax;
    int32_t eax = call_repeat_later(self);
    self->is_in_call = IN_CALL_THAT_LACKS;
    return eax;
}

void process_wait_for_page(void)
{
    struct channel *channel = channel_left();
    process_count_faults(); /* each wait alone */
    process_request_leave();
    if (!channel->is_ready(channel))
        fall_asleep(process_current, channel, 0);
}

int32_t process_must_wait(void)
{
    if (signal_is_pending(process_current))
        process_request_leave(); /* it comes first */
    else
        process_wait_for_page();
    return process_begin_again();
}

void process_request_room(void)
{
    lacks_frame = true;
    process_request_rare_work();
}

int32_t process_out_of_memory(void)
{
    process_request_room();
    return process_begin_again();
}

int32_t process_lacks_frames(int32_t error)
{
    enum { SHORTAGE_FRAMES = 16 }; /* with so many left it is something else that lacks */
    if (frame_available(&frame_pool) >= SHORTAGE_FRAMES || !victim_give_cache_back())
        return error;
    process_request_leave();
    return process_begin_again();
}

void process_wake_one(struct process *process)
{
    if (process->state != PROCESS_SLEEPING)
        return;
    process_dequeue(process);
    enqueue(process);
}

void process_end_sleep(struct process *process)
{
    process->is_woken = 1;
    process_wake_one(process);
}

void process_end_call(struct process *process, int32_t result)
{
    call_end(process, result);
    process_wake_one(process);
}

void process_wake(const void *channel)
{
    struct list *bucket = bucket_of(channel);
    for (struct list *link = bucket->next, *next; link != bucket; link = next) {
        next = link->next;
        if (process_of(link)->channel == channel && process_of(link)->state == PROCESS_SLEEPING)
            process_end_sleep(process_of(link));
    }
}

static void wake_channel(const struct channel *channel)
{
    process_wake(channel);
}

void process_sleep_vforking(struct process *parent, const struct process *child)
{
    parent->state = PROCESS_VFORKING;
    parent->channel = child;
    process_request_leave();
}

void process_end_vfork(struct process *child)
{
    struct process *parent = child->parent;
    if (!child->is_vfork_child)
        return;
    child->is_vfork_child = 0;
    if (parent == NULL || parent->state != PROCESS_VFORKING || parent->channel != child)
        return;
    parent->channel = NULL;
    process_enqueue(parent);
}

/* ---- stopping, yielding, ticks ---- */

void process_stop(struct process *process)
{
    process_dequeue(process);
    process->state = PROCESS_STOPPED;
    process_request_leave();
}

void process_continue(struct process *process)
{
    if (process->state == PROCESS_STOPPED)
        process_enqueue(process);
}

/* PROCESS (NULL: nobody) is charged with the time since this was done last. */
static void charge(struct process *process)
{
    uint32_t now = timer_clock();
    if (process != NULL)
        turns_charge(process, now - charged_clock);
    charged_clock = now;
}

static void end_turn(void)
{
    turn_is_over = true;
    process_request_leave();
}

void process_yield(void)
{
    turns_give_up(process_current);
    end_turn();
}

uint64_t process_ticks;

void process_tick(void)
{
    process_ticks++;
    process_current->ticks++;
    charge(process_current);
    turns.slice = (int32_t)(TIME_SLICE_TICKS * timer_clocks_in_tick());
    if (turns_is_over(&turns, process_current))
        end_turn();
}

void process_share_slice(struct process *parent, struct process *child)
{
    turns_divide(&turns, parent, child);
}

void process_return_slice(const struct process *child)
{
    if (child->parent != NULL)
        turns_return(&turns, child->parent, child);
}

/*
 * WAITS of SELF's faults, the last among them, have to wait for a device. They are one major fault with
 * those that did so just before: the same touch, tried again (its table had come first).
 */
static void count_waits(struct process *self, uint32_t waits)
{
    self->waiting_faults += waits;
    self->major_faults += self->faults != self->next_try;
    self->next_try = self->faults + 1;
}

static uint32_t counted, counted_waits; /* of fault_counters: up to here somebody had them */

static __attribute__((noinline)) void count_new_faults(struct process *self)
{
    uint32_t waits = fault_counters.must_wait - counted_waits;
    if (self != NULL) {
        self->faults += fault_counters.total - counted;
        if (waits > 0)
            count_waits(self, waits);
    }
    counted = fault_counters.total;
    counted_waits = fault_counters.must_wait;
}

void process_count_faults(void)
{
    if (unlikely(fault_counters.total != counted || fault_counters.must_wait != counted_waits))
        count_new_faults(process_current);
}

/* ---- the way out ---- */

void process_put_aside(void)
{
    struct process *self = process_current;
    process_count_faults();
    memory_give_all_back();
    process_current = NULL;
    if (self != NULL && self->state == PROCESS_RUNNABLE)
        turns_leave(&turns, self);
    space_switch(&boot_space);
}

/*
 * NEXT, whose turn it is, has a directory. Else it has to wait: as the current process, it falls asleep
 * until there are frames, or ends for want of one. False: it can't run now.
 */
static __attribute__((noinline)) bool get_directory(struct process *next)
{
    process_current = next;
    while (next == process_current && next->state == PROCESS_RUNNABLE) {
        if (space_make_ready(&next->memory->space) == KERR_OK)
            return true;
        victim_make_room(next, frame_available(&frame_pool));
    }
    process_current = NULL;
    return false;
}

static bool is_ready(struct process *next)
{
    return likely(!space_is_folded(&next->memory->space)) || get_directory(next);
}

static void switch_to(struct process *next)
{
    space_switch(&next->memory->space);
    main_tss.esp0 = pointer_to_vaddr(&next->frame + 1).v;
    gdt_set_tls(next->tls);
    fpu_switch(next);
    limits_begin_turn(next);
    process_current = next;
}

void process_take_interrupts(void)
{
    cpu_take_interrupts();
    event_is_cut();
}

static void wait_for_interrupt(void)
{
    event_ends();
    cpu_idle();
}

/* The current process can't go on, or has had its time: the next one; if there is none, wait. */
static void switch_to_next(void)
{
    struct process *self = process_current;
    turn_is_over = false;
    process_count_faults();
    charge(self);
    if (self != NULL)
        turns_leave(&turns, self);
    struct process *next = turns_take(&turns);
    if (next != NULL) {
        if (is_ready(next))
            switch_to(next);
        return;
    }
    process_current = NULL;
    if (process_count() == 0)
        process_clients_rare_work();
    else
        wait_for_interrupt();
}

/* What seldom happens, and may end the current process. */
static void do_rare_work(void)
{
    uint32_t free_then = frame_available(&frame_pool); /* what a call took is back */
    while (process_finish_exit() || memory_give_back())
        process_take_interrupts();
    if (lacks_frame && process_current != NULL)
        victim_make_room(process_current, free_then);
    lacks_frame = false;
    process_reap_orphans();
    process_clients_rare_work();
}

static bool can_go_on(const struct process *self)
{
    return self != NULL && self->state == PROCESS_RUNNABLE && !turn_is_over;
}

/* In checked builds, what must be true of the books whenever a program goes on. */
static void check_books(const struct process *self)
{
    ASSERT(!alternate_is_open(), "return to user mode with the alternate window open");
    ledger_enter();
    ledger_leave();
    ASSERT(tls_frame_is_loadable(self), "return to user mode with what can't be loaded");
    ASSERT(ledger_open() == 0, "return to user mode with %u debts", ledger_open());
}

/* SELF has a signal: it has to wait, since a call is to be repeated first. */
static bool repeats_first(const struct process *self)
{
    if (likely(!call_is_repeated(self)))
        return false;
    if (!self->is_woken && (self->progress.kind != PROGRESS_STEPS || !signal_is_for_handler(self)))
        return false;
    process_request_leave(); /* for the signal, when the call has ended */
    return true;
}

/*
 * Go round until a process can go on and nothing is left to do for it (drawn in docs/processes.md).
 * Each step may make more work, also for steps before it: a signal stops the process, the idle wait
 * brings a key. So the requests are taken first, and what is asked for meanwhile is another round.
 * Called with no locals of a caller to come back to: the stack begins anew at every trap.
 */
static struct trap_frame *leave(struct trap_frame *frame)
{
    struct process *self;
    if (frame != NULL)
        call_look_after(process_of_frame(frame));
    for (;;) {
        uint32_t work = trap_leave_work;
        trap_leave_work = WORK_ALWAYS;
        if (work & WORK_RARE)
            do_rare_work();
        if (!can_go_on(process_current))
            switch_to_next();
        self = process_current;
        if (self == NULL)
            continue; /* nobody could; what the idle wait brought may have changed that */
        if (signal_is_pending(self) && !repeats_first(self)) {
            signal_deliver(self); /* may end or stop it: round again */
            if (likely((trap_leave_work & WORK) == 0 && !call_is_repeated(self) &&
                       !signal_is_pending(self)))
                break;                 /* in a handler */
            process_take_interrupts(); /* thousands may be stopped at once, one after another */
        } else if (call_is_repeated(self)) {
            call_repeat(self);
            process_take_interrupts();
            if (likely((trap_leave_work & WORK) == 0))
                break; /* it has ended: who sleeps, goes on or ends has work for us */
        } else if (likely((trap_leave_work & WORK) == 0)) {
            break;
        }
    }
    if (CHECKED)
        check_books(self);
    return &self->frame;
}

void process_run(void)
{
    trap_resume(trap_leave(NULL));
}

static enum kerr schedule_init(const struct boot_info *boot)
{
    (void)boot;
    static const struct trap_user_client client = {
        .exception = user_exception,
        .page_fault = user_page_fault,
        .vm86 = user_vm86,
        .leave = leave,
    };
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&sleepers[i]);
    turns_init(&turns, (int32_t)(TIME_SLICE_TICKS * timer_clocks_in_tick()));
    trap_leave_work = WORK_ALWAYS;
    channel_register(wake_channel);
    trap_set_user_client(&client);
    trap_open_system_calls();
    events_begin();
    return KERR_OK;
}

LAYER(08b, "processes", schedule_init);
