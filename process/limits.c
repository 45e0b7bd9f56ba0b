/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Resource limits: inherited, and asked for where they bind.
 *
 * A process here has no privileges: it may lower its limits, and raise soft ones up to hard ones.
 * What no limit can bind, since there is nothing to count (queues, real-time), is kept all the
 * same. Source: Linux manual page getrlimit(2).
 */
#include <mm/heap.h>
#include <process/limits.h>
#include <process/part.h>
#include <process/system_call.h>

/* What 32 and 64 bits say for "none", and what the oldest call says at most. */
enum { OLD_LIMIT_MAX = 0x7FFFFFFF };
#define LIMIT64_NONE UINT64_MAX

struct limit_pair64 {
    uint64_t soft, hard;
};

/* Those of process 1: Linux's, NPROC as many as there are records. The one reference keeps them. */
static struct limits limits_at_first = {
    .references = 1,
    .pair =
        {
            [LIMIT_CPU] = {LIMIT_NONE, LIMIT_NONE},
            [LIMIT_FSIZE] = {LIMIT_NONE, LIMIT_NONE},
            [LIMIT_DATA] = {LIMIT_NONE, LIMIT_NONE},
            [LIMIT_STACK] = {8u << 20, LIMIT_NONE},
            [LIMIT_CORE] = {0, LIMIT_NONE},
            [LIMIT_RSS] = {LIMIT_NONE, LIMIT_NONE},
            [LIMIT_NPROC] = {PROCESS_RECORDS_COUNT, PROCESS_RECORDS_COUNT},
            [LIMIT_NOFILE] = {1024, 4096},
            [LIMIT_MEMLOCK] = {LIMIT_NONE, LIMIT_NONE},
            [LIMIT_AS] = {LIMIT_NONE, LIMIT_NONE},
            [LIMIT_LOCKS] = {LIMIT_NONE, LIMIT_NONE},
            [LIMIT_SIGPENDING] = {8192, 8192},
            [LIMIT_MSGQUEUE] = {819200, 819200},
            [LIMIT_NICE] = {0, 0},
            [LIMIT_RTPRIO] = {0, 0},
            [LIMIT_RTTIME] = {LIMIT_NONE, LIMIT_NONE},
        },
};
_Static_assert(LIMITS == 16, "all of them stand here");

/* ---- as a part of a process ---- */

int32_t limits_begin(struct process *process)
{
    process->limits = &limits_at_first;
    process->limits->references++;
    return 0;
}

static int32_t fork_part(struct process *parent, struct process *child,
                         const struct clone_wish *wish)
{
    (void)wish;
    child->limits = parent->limits;
    child->limits->references++;
    return 0;
}

static void drop_part(struct process *process)
{
    if (process->limits != NULL && --process->limits->references == 0)
        kfree(process->limits);
    process->limits = NULL;
}

PROCESS_PART(limits, .begin = limits_begin, .fork = fork_part, .drop = drop_part);

/* PROCESS's limits can be changed: they are PROCESS's alone. Returns KERR_OK, KERR_NO_MEMORY. */
static enum kerr own_limits(struct process *process)
{
    void *block;
    if (process->limits->references == 1)
        return KERR_OK;
    if (kmalloc(sizeof(struct limits), &block) != KERR_OK)
        return KERR_NO_MEMORY;
    struct limits *limits = block;
    *limits = *process->limits;
    limits->references = 1;
    process->limits->references--;
    process->limits = limits;
    return KERR_OK;
}

/* ---- changing ---- */

/* Others' limits wait for their turn. */
static void apply(const struct process *process)
{
    if (process->memory == NULL)
        return;
    limits_forget_turn(process->memory);
    if (process == process_current)
        limits_begin_turn(process);
}

static int32_t set_limit(struct process *process, uint32_t limit, struct limit_pair wish)
{
    const struct limit_pair *pair = &process->limits->pair[limit];
    if (wish.soft > wish.hard)
        return -EINVAL;
    if (wish.hard > pair->hard)
        return -EPERM;
    if (own_limits(process) != KERR_OK)
        return process_out_of_memory();
    process->limits->pair[limit] = wish;
    apply(process);
    return 0;
}

static int32_t get_limit(const struct process *self, uint32_t limit, uint32_t to, uint32_t most)
{
    if (limit >= LIMITS)
        return -EINVAL;
    struct limit_pair pair = self->limits->pair[limit];
    pair.soft = pair.soft < most ? pair.soft : most;
    pair.hard = pair.hard < most ? pair.hard : most;
    enum kerr error = user_write(to, &pair, sizeof(pair));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

SYSTEM_CALL(76, getrlimit)
{
    return get_limit(self, ARG1, ARG2, OLD_LIMIT_MAX);
}

SYSTEM_CALL(191, ugetrlimit)
{
    return get_limit(self, ARG1, ARG2, LIMIT_NONE);
}

SYSTEM_CALL(75, setrlimit)
{
    struct limit_pair wish;
    enum kerr error = user_read(&wish, ARG2, sizeof(wish));
    if (error != KERR_OK)
        return user_access_failed(error);
    return ARG1 < LIMITS ? set_limit(self, ARG1, wish) : -EINVAL;
}

/* ---- in 64 bits ---- */

static uint64_t widen(uint32_t value)
{
    return value == LIMIT_NONE ? LIMIT64_NONE : value;
}

/* What does not fit limits nothing. */
static uint32_t narrow(uint64_t value)
{
    return value < LIMIT_NONE ? (uint32_t)value : LIMIT_NONE;
}

SYSTEM_CALL(340, prlimit64)
{
    uint32_t pid = ARG1, limit = ARG2, new = ARG3, old = ARG4;
    struct limit_pair64 wish = {0, 0};
    if (limit >= LIMITS)
        return -EINVAL;
    if (new != 0) {
        enum kerr error = user_read(&wish, new, sizeof(wish));
        if (error != KERR_OK)
            return user_access_failed(error);
        if (wish.soft > wish.hard)
            return -EINVAL;
    }
    struct process *process = pid == 0 ? self : process_find(pid);
    if (process == NULL)
        return -ESRCH;
    int32_t result = answer_prepare(old, sizeof(struct limit_pair64));
    struct limit_pair before = process->limits->pair[limit];
    if (result == 0 && new != 0)
        result =
            set_limit(process, limit, (struct limit_pair){narrow(wish.soft), narrow(wish.hard)});
    struct limit_pair64 answer = {widen(before.soft), widen(before.hard)};
    if (result == 0)
        answer_tell(old, &answer, sizeof(answer));
    return result;
}
