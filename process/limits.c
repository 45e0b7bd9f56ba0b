/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Resource limits: kept in the record, inherited with it, asked for where they bind.
 *
 * A process here has no privileges: it may lower its limits, and raise soft ones up to hard ones.
 * What no limit can bind, since there is nothing to count (queues, real-time), is kept all the same.
 * Source: Linux manual page getrlimit(2).
 */
#include <process/limits.h>
#include <process/system_call.h>

/* What 32 and 64 bits say for "none", and what the oldest call says at most. */
enum { OLD_LIMIT_MAX = 0x7FFFFFFF };
#define LIMIT64_NONE UINT64_MAX

struct limit_pair64 {
    uint64_t soft, hard;
};

void limits_init(struct process *process)
{
    for (unsigned limit = 0; limit < LIMITS; limit++)
        process->limits[limit] = (struct limit_pair){LIMIT_NONE, LIMIT_NONE};
    process->limits[LIMIT_STACK].soft = 8u << 20;
    process->limits[LIMIT_CORE].soft = 0;
    process->limits[LIMIT_NPROC] =
        (struct limit_pair){PROCESS_RECORDS_COUNT, PROCESS_RECORDS_COUNT};
    process->limits[LIMIT_NOFILE] = (struct limit_pair){1024, 4096};
    process->limits[LIMIT_MSGQUEUE] = (struct limit_pair){819200, 819200};
    process->limits[LIMIT_NICE] = (struct limit_pair){0, 0};
    process->limits[LIMIT_RTPRIO] = (struct limit_pair){0, 0};
}

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
    struct limit_pair *pair = &process->limits[limit];
    if (wish.soft > wish.hard)
        return -EINVAL;
    if (wish.hard > pair->hard)
        return -EPERM;
    *pair = wish;
    apply(process);
    return 0;
}

static int32_t get_limit(const struct process *self, uint32_t limit, uint32_t to, uint32_t most)
{
    if (limit >= LIMITS)
        return -EINVAL;
    struct limit_pair pair = self->limits[limit];
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
    struct limit_pair before = process->limits[limit];
    if (new != 0) {
        int32_t result =
            set_limit(process, limit, (struct limit_pair){narrow(wish.soft), narrow(wish.hard)});
        if (result != 0)
            return result;
    }
    if (old == 0)
        return 0;
    struct limit_pair64 answer = {widen(before.soft), widen(before.hard)};
    enum kerr error = user_write(old, &answer, sizeof(answer));
    if (error == KERR_OK)
        return 0;
    process->limits[limit] = before; /* the call may be repeated */
    apply(process);
    return user_access_failed(error);
}
