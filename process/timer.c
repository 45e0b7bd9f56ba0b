/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Ticks, and the tree of deadlines (timer.h).
 *
 * A process with a deadline hangs in a red-black tree, the earliest leftmost: a tick looks at one.
 */
#include <process/timer.h>

#include <arch/i386/pic.h>
#include <arch/i386/pit.h>
#include <process/client.h>
#include <process/events.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <store/cache.h>

static uint64_t ticks;
static struct rb_tree deadlines;

/*
 * Of the clock in a tick: what the time-stamp counter does is found out as it goes, from ticks that
 * came in time. No single one changes much.
 */
enum { TICKS_OF_MEAN = 8, CLOCKS_AT_FIRST = 1 << 23, CLOCKS_AT_MOST = 1 << 26 };
static uint32_t clocks_in_tick = CLOCKS_AT_FIRST, tick_clock;

uint64_t timer_ticks(void)
{
    return ticks;
}

uint32_t timer_clock_of_pit(void)
{
    return (uint32_t)ticks * (PIT_INPUT_HZ / TIMER_HZ) + pit_clocks_since_tick();
}

uint32_t timer_clocks_in_tick(void)
{
    return clocks_in_tick;
}

static void measure_tick(uint32_t served)
{
    uint32_t now = timer_clock(), clocks = now - tick_clock;
    tick_clock = now;
    if (served == 1 && clocks < CLOCKS_AT_MOST)
        clocks_in_tick = clocks_in_tick - clocks_in_tick / TICKS_OF_MEAN + clocks / TICKS_OF_MEAN;
}

bool timer_tick_is_used_up(uint32_t done, enum quarter quarter)
{
    enum { LOOK_AFTER = 64, QUARTERS = 4 };
    return done % LOOK_AFTER == 0 && done != 0 &&
           timer_clock() - tick_clock > clocks_in_tick / QUARTERS * quarter;
}

static struct process *process_of(const struct rb_node *node)
{
    return container_of(node, struct process, timer);
}

void timer_add(struct process *process)
{
    struct rb_node *parent = NULL, *node = deadlines.root;
    enum rb_side side = RB_LEFT;
    while (node != NULL) {
        parent = node;
        side = process->deadline < process_of(node)->deadline ? RB_LEFT : RB_RIGHT;
        node = node->child[side];
    }
    rb_insert(&deadlines, parent, side, &process->timer, rb_no_value);
}

void timer_remove(struct process *process)
{
    rb_remove(&deadlines, &process->timer, rb_no_value);
    process->deadline = 0;
}

static void end_sleeps(void)
{
    struct rb_node *first;
    for (uint32_t done = 0;
         (first = rb_first(&deadlines)) != NULL && process_of(first)->deadline <= ticks &&
         !timer_tick_is_used_up(done, QUARTER_OF_SLEEPS);
         done++)
        process_end_sleep(process_of(first));
}

static void tick(struct trap_frame *frame)
{
    (void)frame;
    event_begins_with_tick();
    uint32_t served = pit_ticks_served();
    ticks += served;
    measure_tick(served);
    end_sleeps();
    alarms_tick(ticks);
    if (process_current != NULL)
        process_tick();
    process_clients_poll();
    store_tick((uint32_t)ticks / TIMER_HZ);
    event_ends_with_tick();
}

void timer_start(void)
{
    static bool runs;
    if (runs)
        return;
    runs = true;
    trap_register(PIC_FIRST_VECTOR + PIT_IRQ, tick);
    pit_start(TIMER_HZ);
}
