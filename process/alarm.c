/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Alarms: alarm, setitimer and getitimer (ITIMER_REAL).
 *
 * Few programs set one: a block of the heap, which the record points at, in a red-black tree, the
 * earliest leftmost. So a tick looks at one, and an end at none but its own. An alarm keeps the
 * time that was asked for in microseconds, as it is told again; it goes off at the first tick that
 * is not before, or at one of the next, if more are due than a tick has time for. The timers that
 * count a program's own time (VIRTUAL, PROF) are not there.
 * Source: Linux manual pages alarm(2), getitimer(2).
 */
#include <arch/i386/cpu.h>
#include <kernel/rbtree.h>
#include <mm/heap.h>
#include <process/clock.h>
#include <process/part.h>
#include <process/signal.h>
#include <process/system_call.h>
#include <process/timer.h>

enum { USECONDS = 1000000, NS_PER_USECOND = 1000, USECONDS_PER_TICK = USECONDS / TIMER_HZ };

struct alarm {
    struct rb_node node;
    struct process *process;
    uint64_t due, interval; /* in microseconds of the monotonic clock; interval 0: once */
};

static struct rb_tree alarms;

static struct alarm *alarm_of(struct rb_node *node)
{
    return container_of(node, struct alarm, node);
}

/* Of two at one time the older one comes first. */
static void insert(struct alarm *alarm)
{
    struct rb_node *parent = NULL, *node = alarms.root;
    enum rb_side side = RB_LEFT;
    while (node != NULL) {
        parent = node;
        side = alarm->due < alarm_of(node)->due ? RB_LEFT : RB_RIGHT;
        node = node->child[side];
    }
    rb_insert(&alarms, parent, side, &alarm->node, rb_no_value);
}

static void drop(struct process *process)
{
    struct alarm *alarm = process->alarm;
    if (alarm == NULL)
        return;
    rb_remove(&alarms, &alarm->node, rb_no_value);
    process->alarm = NULL;
    kfree(alarm);
}

PROCESS_PART(alarm, .drop = drop);

/* Its process gets the signal. It begins anew, in step with before unless that is past, or is
 * gone. */
static void go_off(struct alarm *alarm, uint64_t now)
{
    struct process *process = alarm->process;
    if (alarm->interval == 0) {
        drop(process);
    } else {
        rb_remove(&alarms, &alarm->node, rb_no_value);
        alarm->due += alarm->interval;
        if (alarm->due <= now)
            alarm->due = now + alarm->interval;
        insert(alarm);
    }
    signal_send(process, SIGALRM, 0);
}

void alarms_tick(uint64_t ticks)
{
    uint64_t now = ticks * USECONDS_PER_TICK;
    struct rb_node *first;
    for (uint32_t done = 0; (first = rb_first(&alarms)) != NULL && alarm_of(first)->due <= now &&
                            !timer_tick_is_used_up(done, QUARTER_OF_ALARMS);
         done++)
        go_off(alarm_of(first), now);
}

/* ---- calls ---- */

enum timer_kind { TIMER_REAL, TIMER_VIRTUAL, TIMER_PROFILE, TIMER_KINDS };

struct timeval {
    int32_t seconds, useconds;
};
struct itimerval {
    struct timeval interval, value;
};

/* Rounded up: so an alarm is never early. */
static uint64_t now_in_useconds(void)
{
    struct time now = clock_monotonic();
    return (uint64_t)now.seconds * USECONDS +
           (now.nanoseconds + NS_PER_USECOND - 1) / NS_PER_USECOND;
}

static struct timeval timeval_of(uint64_t useconds)
{
    uint32_t rest;
    uint32_t seconds = cpu_divide(useconds, USECONDS, &rest);
    return (struct timeval){(int32_t)seconds, (int32_t)rest};
}

static uint64_t useconds_of(struct timeval value)
{
    return (uint64_t)(uint32_t)value.seconds * USECONDS + (uint32_t)value.useconds;
}

static bool is_valid(struct timeval value)
{
    return value.seconds >= 0 && value.useconds >= 0 && value.useconds < USECONDS;
}

/* What is due and has not gone off yet has a microsecond left: nothing would mean that there is
 * none. */
static struct itimerval current_value(const struct process *self)
{
    const struct alarm *alarm = self->alarm;
    if (alarm == NULL)
        return (struct itimerval){{0, 0}, {0, 0}};
    uint64_t now = now_in_useconds();
    uint64_t left = alarm->due > now ? alarm->due - now : 1;
    return (struct itimerval){timeval_of(alarm->interval), timeval_of(left)};
}

/* A VALUE of 0: no alarm. Returns KERR_OK, KERR_NO_MEMORY. */
static enum kerr set(struct process *self, uint64_t value, uint64_t interval)
{
    struct alarm *alarm = self->alarm;
    if (value == 0) {
        drop(self);
        return KERR_OK;
    }
    if (alarm == NULL) {
        void *block;
        if (kmalloc(sizeof(*alarm), &block) != KERR_OK)
            return KERR_NO_MEMORY;
        alarm = block;
        alarm->process = self;
        self->alarm = alarm;
    } else {
        rb_remove(&alarms, &alarm->node, rb_no_value);
    }
    alarm->due = now_in_useconds() + value;
    alarm->interval = interval;
    insert(alarm);
    return KERR_OK;
}

SYSTEM_CALL(104, setitimer)
{
    struct itimerval wish = {{0, 0}, {0, 0}}, old = {{0, 0}, {0, 0}};
    if (ARG2 != 0) {
        enum kerr error = user_read(&wish, ARG2, sizeof(wish));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    if (ARG1 >= TIMER_KINDS || !is_valid(wish.value) || !is_valid(wish.interval))
        return -EINVAL;
    if (ARG1 != TIMER_REAL && useconds_of(wish.value) != 0)
        return -EINVAL;
    int32_t result = answer_prepare(ARG3, sizeof(old));
    if (result != 0)
        return result;
    if (ARG1 == TIMER_REAL) {
        old = current_value(self);
        if (set(self, useconds_of(wish.value), useconds_of(wish.interval)) != KERR_OK)
            return process_out_of_memory();
    }
    answer_tell(ARG3, &old, sizeof(old));
    return 0;
}

SYSTEM_CALL(105, getitimer)
{
    struct itimerval now = {{0, 0}, {0, 0}};
    if (ARG1 >= TIMER_KINDS)
        return -EINVAL;
    if (ARG1 == TIMER_REAL)
        now = current_value(self);
    enum kerr error = user_write(ARG2, &now, sizeof(now));
    return error != KERR_OK ? user_access_failed(error) : 0;
}

SYSTEM_CALL(27, alarm)
{
    struct timeval left = current_value(self).value;
    struct timeval wish = {ARG1 <= INT32_MAX ? (int32_t)ARG1 : INT32_MAX, 0};
    if (set(self, useconds_of(wish), 0) != KERR_OK)
        return process_out_of_memory();
    /* Rounded, but never down to nothing. */
    bool up = left.useconds >= USECONDS / 2 || (left.seconds == 0 && left.useconds != 0);
    return left.seconds + up;
}
