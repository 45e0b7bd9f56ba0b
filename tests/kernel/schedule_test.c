/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Tests of who runs when, without programs: processes that compute, sleep, yield or fork
 * by a plan, on a clock of the test's own.
 */
#include <kernel/panic.h>
#include <kernel/test.h>
#include <process/turns.h>

enum { ACTORS = 1004, TICK = 10, SLICE = 5 * TICK, COMPUTES = 0 };

/*
 * A process and its plan: to run for BURST clocks (BY_CLOCK: until so many have gone by, whoever
 * ran), then to sleep for a number of ticks, or TOGETHER with others until that number divides the
 * time.
 */
struct actor {
    struct process *process;
    unsigned burst, sleeps;
    bool by_clock, together;
    bool yields, forks;    /* at the end of a burst, instead of sleeping; the parent ends then */
    unsigned burst_left;   /* clocks */
    unsigned began;        /* that burst */
    unsigned wakes, ready; /* clocks: when it wakes next, and when it woke last */
    unsigned ran, latency; /* clocks: all in all, and at worst from waking to the end of a burst */
};
static struct actor *const actors = (void *)test_scratch;
_Static_assert(ACTORS * sizeof(*actors) <= TEST_SCRATCH_BYTES, "they fit");
static unsigned actor_count, now;
static struct turns stage;
static struct actor *running;

static struct process *make(void)
{
    struct process *process;
    if (process_create(NULL, &process) != KERR_OK)
        panic("no process record for the tests");
    return process;
}

static void begin(void)
{
    turns_init(&stage, SLICE);
    actor_count = now = 0;
    running = NULL;
}

static void end(void)
{
    for (unsigned i = 0; i < actor_count; i++) {
        list_remove(&actors[i].process->queue);
        actors[i].process->state = PROCESS_NONE;
        process_discard(actors[i].process);
    }
}

static void wake(struct actor *actor)
{
    actor->process->state = PROCESS_RUNNABLE;
    actor->burst_left = actor->burst;
    actor->ready = now;
    turns_wake(&stage, actor->process);
}

/* Of PARENT (NULL: the kernel), which runs. */
static struct actor *add_child(struct actor *parent, unsigned burst, unsigned sleeps)
{
    struct actor *actor = &actors[actor_count++];
    *actor = (struct actor){.process = make(), .burst = burst, .sleeps = sleeps};
    turns_divide(&stage, parent == NULL ? NULL : parent->process, actor->process);
    wake(actor);
    return actor;
}

static struct actor *add(unsigned burst, unsigned sleeps)
{
    return add_child(NULL, burst, sleeps);
}

static struct actor *actor_of(const struct process *process)
{
    for (unsigned i = 0; i < actor_count; i++)
        if (actors[i].process == process)
            return &actors[i];
    return NULL;
}

static void take_next(void)
{
    struct process *next = turns_take(&stage);
    running = next == NULL ? NULL : actor_of(next);
}

/* The parent has forked and ended: its record serves the child. */
static void become_child(struct actor *actor)
{
    struct process *parent = actor->process;
    actor->process = make();
    turns_divide(&stage, parent, actor->process);
    parent->state = PROCESS_NONE;
    process_discard(parent);
    wake(actor);
}

static void end_burst(void)
{
    struct actor *actor = running;
    if (now - actor->ready > actor->latency)
        actor->latency = now - actor->ready;
    if (actor->forks) {
        become_child(actor);
    } else if (actor->yields) {
        actor->burst_left = actor->burst;
        turns_give_up(actor->process);
        turns_leave(&stage, actor->process);
    } else {
        actor->process->state = PROCESS_SLEEPING;
        unsigned tick = now / TICK;
        actor->wakes = (tick + actor->sleeps - (actor->together ? tick % actor->sleeps : 0)) * TICK;
        turns_leave(&stage, actor->process);
    }
    take_next();
}

static bool burst_is_over(struct actor *actor)
{
    if (actor->burst_left-- == actor->burst)
        actor->began = now;
    return actor->by_clock ? now - actor->began >= actor->burst - 1 : actor->burst_left == 0;
}

static void tick(void)
{
    for (unsigned i = 0; i < actor_count; i++)
        if (actors[i].process->state == PROCESS_SLEEPING && actors[i].wakes <= now)
            wake(&actors[i]);
    if (running != NULL && turns_is_over(&stage, running->process)) {
        turns_leave(&stage, running->process);
        running = NULL;
    }
}

static void run(unsigned ticks)
{
    for (unsigned last = now + ticks * TICK; now < last; now++) {
        if (now % TICK == 0)
            tick();
        if (running == NULL)
            take_next();
        if (running == NULL)
            continue;
        turns_charge(running->process, 1);
        running->ran++;
        if (running->burst != COMPUTES && burst_is_over(running))
            end_burst();
    }
}

TEST("schedule", "a short sleeper beside 200 that compute: runs within two slices of waking")
{
    begin();
    for (unsigned i = 0; i < 200; i++)
        add(COMPUTES, 0);
    struct actor *sleeper = add(1, 40); /* half of its share */
    run(201);                           /* all have begun, one after another */
    sleeper->latency = 0;
    run(3000);
    EXPECT(sleeper->latency <= 2 * SLICE);
    EXPECT(sleeper->ran > SLICE);
    for (unsigned i = 0; i < 200; i++)
        EXPECT(actors[i].ran >= 2 * SLICE); /* three rounds, but for what is under way */
    end();
}

/* SLEEPER, which has shown how much it needs, gets that at once. */
static bool is_served_soon(struct actor *sleeper, unsigned ticks)
{
    sleeper->latency = sleeper->ran = 0;
    run(ticks);
    return sleeper->latency <= 2 * SLICE &&
           sleeper->ran >= ticks / (sleeper->sleeps + 2 * SLICE / TICK) * sleeper->burst;
}

/* 200 that compute for nine tenths of a tick and nap, each for itself or TOGETHER. */
static void add_nappers(struct actor *parent, bool together)
{
    for (unsigned i = 0; i < 200; i++) {
        struct actor *napper = add_child(parent, TICK - 1, together ? 200 : 1);
        napper->together = together;
        napper->by_clock = !together;
    }
}

TEST("schedule", "a sleeper beside 200 that nap and compute in turn: has run within two slices")
{
    static const struct {
        unsigned burst, sleeps; /* of the sleeper: up to four fifths of its share */
        bool together;          /* the others */
    } plans[] = {
        {1, 25, false}, {1, 50, false}, {1, 50, true}, {1, 200, true}, {TICK + 2, 500, false}};
    enum { ROUND = 200 * SLICE / TICK };
    for (unsigned i = 0; i < ARRAY_LENGTH(plans); i++) {
        begin();
        struct actor *sleeper = add(plans[i].burst, plans[i].sleeps);
        add_nappers(NULL, plans[i].together);
        run(4 * ROUND);
        EXPECT(is_served_soon(sleeper, 3 * ROUND));
        for (unsigned j = 1; j < actor_count; j++)
            EXPECT(actors[j].ran >= 5 * SLICE);
        end();
    }
}

TEST("schedule", "sleepers beside 1,000 that wake at once, seldom: have run within two slices")
{
    begin();
    struct actor *computing = add(COMPUTES, 0); /* rounds go by while the others sleep */
    struct actor *sleeper = add(1, 150);
    struct actor *long_sleeper = add(TICK + 2, 3000), *other = add(TICK + 2, 3000);
    long_sleeper->together = other->together = true; /* they interrupt each other */
    for (unsigned i = 0; i < 1000; i++)
        add(4 * TICK, 6000)->together = true;
    run(5900);
    long_sleeper->latency = other->latency = 0;
    EXPECT(is_served_soon(sleeper, 2 * 6000));
    EXPECT(long_sleeper->latency <= 2 * SLICE && other->latency <= 2 * SLICE);
    EXPECT(computing->ran >= 2 * 1900 * TICK);
    for (unsigned i = 4; i < actor_count; i++)
        EXPECT(actors[i].ran >= 2 * 4 * TICK);
    end();
}

TEST("schedule", "who computes beside 200 light sleepers that could fill the time: has its slice")
{
    begin();
    struct actor *computing = add(COMPUTES, 0);
    for (unsigned i = 0; i < 200; i++)
        add(2, 20); /* twice the time that there is */
    run(4 * 201 * SLICE / TICK);
    EXPECT(computing->ran >= 3 * SLICE);
    end();
}

TEST("schedule", "who forks 200 that nap and compute: has run within two slices from then on")
{
    begin();
    struct actor *parent = add(TICK + 1, 40);
    run(1);
    EXPECT(running == parent);
    parent->burst = 1;
    add_nappers(parent, true);
    EXPECT(is_served_soon(parent, 3 * 200 * SLICE / TICK));
    end();
}

TEST("schedule", "who has had its slice when it has forked 200, and sleeps: is not behind them")
{
    begin();
    struct actor *parent = add(3 * TICK, 2);
    run(1);
    EXPECT(running == parent);
    for (unsigned i = 0; i < 200; i++)
        add_child(parent, COMPUTES, 0);
    parent->burst = 1;
    run(2);
    EXPECT_EQUAL(parent->process->round, stage.round + 1);
    EXPECT(is_served_soon(parent, 200));
    end();
}

TEST("schedule", "who has forked 200 and computes on when its slice ends: is not behind them")
{
    begin();
    struct actor *parent = add(4 * TICK, 20);
    run(1);
    EXPECT(running == parent);
    for (unsigned i = 0; i < 200; i++)
        add_child(parent, COMPUTES, 0);
    run(2 * SLICE / TICK);
    EXPECT_EQUAL(parent->ran, 4 * TICK); /* the last of that when its slice had ended */
    end();
}

TEST("schedule", "a slice that was used: weighs half as much for each one that was not")
{
    begin();
    struct actor *one = add(4 * TICK, 1);
    run(4);
    one->burst = 1;
    EXPECT_EQUAL(one->process->slice_left, SLICE - 4 * TICK);
    run(1);
    EXPECT_EQUAL(one->process->past_weight, 4 * TICK);
    run(2);
    EXPECT_EQUAL(one->process->past_weight, TICK);
    end();
}

TEST("schedule", "when nobody wanted to run for a moment: everybody has a whole slice again")
{
    begin();
    struct actor *sleeper = add(3, 50);
    run(16 * 50);
    for (unsigned i = 0; i < 100; i++)
        add(COMPUTES, 0);
    EXPECT(is_served_soon(sleeper, 100 * SLICE / TICK));
    end();
}

TEST("schedule", "one that sleeps a little again and again, always before the tick: gets its share")
{
    begin();
    struct actor *dodger = add(TICK - 1, 1), *computing = add(COMPUTES, 0);
    run(1000);
    EXPECT(computing->ran >= 450 * TICK);
    EXPECT(dodger->ran >= 400 * TICK);
    end();
}

TEST("schedule",
     "two hundred sleepers that wake at once: who computes gets as much as each of them")
{
    begin();
    struct actor *computing = add(COMPUTES, 0);
    for (unsigned i = 0; i < 200; i++)
        add(3 * SLICE, 1);
    run(200 * 5 * 10);
    EXPECT(computing->ran >= 8 * SLICE);
    for (unsigned i = 1; i <= 200; i++)
        EXPECT(actors[i].ran >= 8 * SLICE && actors[i].ran <= 12 * SLICE);
    end();
}

TEST("schedule", "yielders: all others run first, nobody starves, and a sleeper is not behind them")
{
    begin();
    struct actor *first = add(2, 0), *second = add(2, 0), *computing = add(COMPUTES, 0);
    struct actor *sleeper = add(1, 4);
    first->yields = second->yields = true;
    run(1000);
    EXPECT(computing->ran >= 800 * TICK);
    EXPECT(first->ran >= 2 * 150 && second->ran >= 2 * 150);
    EXPECT(sleeper->latency <= 2 * SLICE);
    end();
}

TEST("schedule", "a chain of children that each fork before their slice is over: gets one share")
{
    begin();
    struct actor *computing = add(COMPUTES, 0), *chain = add(TICK - 1, 0);
    chain->forks = true;
    run(1000);
    EXPECT(computing->ran >= 450 * TICK);
    EXPECT(chain->ran >= 100 * TICK);
    end();
}

TEST("schedule", "an event of three slices: is made up for, and no more")
{
    begin();
    struct actor *greedy = add(COMPUTES, 0), *other = add(COMPUTES, 0);
    run(1);
    EXPECT(running == greedy);
    turns_charge(greedy->process, 3 * SLICE); /* in one event */
    run(500);
    EXPECT(other->ran > greedy->ran);
    EXPECT(other->ran <= greedy->ran + 3 * SLICE);
    end();
}

TEST("schedule", "one process alone: goes on, slice after slice, and then waits for nobody's share")
{
    begin();
    struct actor *first = add(COMPUTES, 0);
    run(100);
    EXPECT_EQUAL(first->ran, 100 * TICK);
    struct actor *second = add(COMPUTES, 0);
    run(100);
    EXPECT(second->ran >= 45 * TICK && second->ran <= 55 * TICK);
    end();
}

TEST("schedule", "a child: halves what its parent has; its end returns what it did not use")
{
    begin();
    struct process *parent = make(), *child = make();
    turns_divide(&stage, NULL, parent);
    turns_divide(&stage, parent, child);
    EXPECT_EQUAL(parent->slice_left, SLICE / 2);
    EXPECT_EQUAL(child->slice_left, SLICE / 2);
    turns_charge(child, 5);
    turns_return(&stage, parent, child);
    EXPECT_EQUAL(parent->slice_left, SLICE - 5);
    for (unsigned i = 0; i < 8; i++)
        turns_divide(&stage, parent, child);
    EXPECT(parent->slice_left >= SLICE / 5);
    EXPECT_EQUAL(child->round, stage.round + 1);
    process_discard(child);
    process_discard(parent);
}
