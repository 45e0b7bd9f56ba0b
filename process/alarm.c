/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Alarms: alarm, setitimer and getitimer (ITIMER_REAL).
 *
 * Few programs set one, so it has no place in the process record: a block of the heap in a list,
 * the earliest first. The timers that count a program's own time (VIRTUAL, PROF) are not there.
 * Source: Linux manual pages alarm(2), getitimer(2).
 */
#include <kernel/list.h>
#include <mm/heap.h>
#include <process/clock.h>
#include <process/part.h>
#include <process/signal.h>
#include <process/system_call.h>
#include <process/timer.h>

struct alarm {
    struct list link;
    uint32_t pid;
    uint64_t deadline, interval; /* in ticks; interval 0: once */
};

static struct list alarms = {&alarms, &alarms};

static struct alarm *alarm_of(const struct list *link)
{
    return container_of(link, struct alarm, link);
}

static struct alarm *find(uint32_t pid)
{
    for (struct list *link = alarms.next; link != &alarms; link = link->next)
        if (alarm_of(link)->pid == pid)
            return alarm_of(link);
    return NULL;
}

static void insert(struct alarm *alarm)
{
    struct list *place = alarms.next;
    while (place != &alarms && alarm_of(place)->deadline <= alarm->deadline)
        place = place->next;
    list_add_before(place, &alarm->link);
}

static void drop(struct alarm *alarm)
{
    list_remove(&alarm->link);
    kfree(alarm);
}

static void drop_part(struct process *process)
{
    struct alarm *alarm = find(process->pid);
    if (alarm != NULL)
        drop(alarm);
}

PROCESS_PART(alarm, .drop = drop_part);

/* Its process gets the signal; it begins anew, or is gone. */
static void go_off(struct alarm *alarm, uint64_t now)
{
    uint32_t pid = alarm->pid;
    if (alarm->interval == 0) {
        drop(alarm);
    } else {
        list_remove(&alarm->link);
        alarm->deadline = now + alarm->interval;
        insert(alarm);
    }
    signal_send(process_find(pid), SIGALRM, 0);
}

void alarms_tick(uint64_t now)
{
    while (!list_is_empty(&alarms) && alarm_of(alarms.next)->deadline <= now)
        go_off(alarm_of(alarms.next), now);
}

/* ---- calls ---- */

enum timer_kind { TIMER_REAL, TIMER_VIRTUAL, TIMER_PROFILE, TIMER_KINDS };
enum { USECONDS = 1000000, NS_PER_USECOND = 1000 };

struct timeval {
    int32_t seconds, useconds;
};
struct itimerval {
    struct timeval interval, value;
};

static struct timeval timeval_of(uint64_t ticks)
{
    struct time time = ticks_to_time(ticks);
    return (struct timeval){(int32_t)time.seconds, (int32_t)(time.nanoseconds / NS_PER_USECOND)};
}

static uint64_t ticks_of(struct timeval value)
{
    return time_to_ticks(
        (struct time){(uint64_t)value.seconds, (uint32_t)value.useconds * NS_PER_USECOND});
}

static bool is_valid(struct timeval value)
{
    return value.seconds >= 0 && value.useconds >= 0 && value.useconds < USECONDS;
}

static struct itimerval current_value(const struct process *self)
{
    const struct alarm *alarm = find(self->pid);
    if (alarm == NULL)
        return (struct itimerval){{0, 0}, {0, 0}};
    uint64_t now = timer_ticks();
    uint64_t left = alarm->deadline > now ? alarm->deadline - now : 1;
    return (struct itimerval){timeval_of(alarm->interval), timeval_of(left)};
}

/* 0 ticks: no alarm. Returns KERR_OK, KERR_NO_MEMORY. */
static enum kerr set(struct process *self, uint64_t ticks, uint64_t interval)
{
    struct alarm *alarm = find(self->pid);
    if (ticks == 0) {
        drop_part(self);
        return KERR_OK;
    }
    if (alarm == NULL) {
        void *block;
        if (kmalloc(sizeof(*alarm), &block) != KERR_OK)
            return KERR_NO_MEMORY;
        alarm = block;
        *alarm = (struct alarm){.pid = self->pid};
    } else {
        list_remove(&alarm->link);
    }
    alarm->deadline = timer_ticks() + ticks + 1;
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
    if (ARG1 != TIMER_REAL && ticks_of(wish.value) != 0)
        return -EINVAL;
    if (ARG3 != 0) {
        if (ARG1 == TIMER_REAL)
            old = current_value(self);
        enum kerr error = user_write(ARG3, &old, sizeof(old));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    if (ARG1 != TIMER_REAL)
        return 0;
    enum kerr error = set(self, ticks_of(wish.value), ticks_of(wish.interval));
    return error != KERR_OK ? process_out_of_memory() : 0;
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
    if (set(self, ticks_of(wish), 0) != KERR_OK)
        return process_out_of_memory();
    /* Rounded, but never down to nothing. */
    bool up = left.useconds >= USECONDS / 2 || (left.seconds == 0 && left.useconds != 0);
    return left.seconds + up;
}
