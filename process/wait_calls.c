/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. System calls that wait for children: wait4, waitpid, waitid.
 *
 * They differ in how they name the children they mean, and in how they tell what became of one. A
 * child has news if it ended, stopped or goes on; it is told before it is forgotten, so that a bad
 * address loses nothing.
 * Source: Linux manual pages wait4(2), waitid(2).
 */
#include <process/signal_table.h>
#include <process/system_call.h>

enum { RUSAGE_WORDS = 18 }; /* of struct rusage; all zero: no times are kept */

enum {
    STATUS_SIGNAL = 0x7F,
    STATUS_CODE_SHIFT = 8,
    STATUS_CODE = 0xFF,
    STATUS_STOPPED = 0x7F,
    STATUS_CONTINUED = 0xFFFF,
};

enum wait_options {
    WNOHANG = 1,
    WUNTRACED = 2, /* waitid(2) calls it WSTOPPED */
    WEXITED = 4,   /* the others always mean it */
    WCONTINUED = 8,
    WNOWAIT = 0x01000000,
    WNOTHREAD = 0x20000000,
    WALL = 0x40000000,
    WCLONE = (int)0x80000000,
    OPTIONS_OF_WAIT4 = WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL,
    OPTIONS_OF_WAITID = OPTIONS_OF_WAIT4 | WEXITED | WNOWAIT,
};

/* Which children; source: waitid(2) */
enum wait_kind { WAIT_ALL, WAIT_PID, WAIT_GROUP };

struct wait_wish {
    enum wait_kind kind;
    uint32_t id; /* a pid or a group */
    uint32_t options;
    uint32_t usage_at; /* addresses of the program's; 0: not wanted */
    uint32_t status_at;
    uint32_t info_at;
    bool is_waitid; /* who it was stands in siginfo, not in the result */
};

/* The beginning of siginfo, which is all that waitid writes. */
struct wait_info {
    int32_t signal, error, code;
    uint32_t pid, uid;
    int32_t status;
};

/* ---- who is meant ---- */

/* A child whose end does not send SIGCHLD is a "clone child": WCLONE means these alone. */
static bool is_of_kind(const struct process *child, uint32_t options)
{
    bool is_clone_child = child->exit_signal != SIGCHLD;
    return (options & WALL) != 0 || is_clone_child == ((options & (uint32_t)WCLONE) != 0);
}

static bool is_meant(const struct process *child, const struct wait_wish *wish)
{
    if (!is_of_kind(child, wish->options))
        return false;
    switch (wish->kind) {
    case WAIT_PID:
        return child->pid == wish->id;
    case WAIT_GROUP:
        return child->group == wish->id;
    case WAIT_ALL:
        break;
    }
    return true;
}

/* CHILD may have something to tell, now or later. */
static bool can_have_news(const struct process *child, uint32_t options)
{
    return child->state != PROCESS_ZOMBIE || (options & WEXITED) != 0;
}

static bool has_news(const struct process *child, uint32_t options)
{
    if (child->state == PROCESS_ZOMBIE)
        return (options & WEXITED) != 0;
    if (child->wait_event == WAIT_STOPPED)
        return (options & WUNTRACED) != 0;
    return child->wait_event == WAIT_CONTINUED && (options & WCONTINUED) != 0;
}

/*
 * The first child that WISH means and that has news; NULL: none. *MAY_COME: some may have, later.
 * Zombies stand in front of the living (process_exit()), so the search is short.
 */
static struct process *find_news(struct process *self, const struct wait_wish *wish, bool *may_come)
{
    *may_come = false;
    if (wish->kind == WAIT_PID) {
        struct process *child = process_find(wish->id);
        if (child == NULL || child->parent != self || !is_of_kind(child, wish->options))
            return NULL;
        *may_come = can_have_news(child, wish->options);
        return has_news(child, wish->options) ? child : NULL;
    }
    for (struct list *link = self->children.next; link != &self->children; link = link->next) {
        struct process *child = container_of(link, struct process, sibling);
        if (!is_meant(child, wish))
            continue;
        if (has_news(child, wish->options))
            return child;
        *may_come = *may_come || can_have_news(child, wish->options);
    }
    return NULL;
}

/* ---- what is told ---- */

/* CHILD's news as wait4 tells it. */
static uint32_t status_of(const struct process *child)
{
    if (child->state == PROCESS_ZOMBIE)
        return child->exit_status;
    if (child->wait_event == WAIT_STOPPED)
        return child->exit_status << STATUS_CODE_SHIFT | STATUS_STOPPED;
    return STATUS_CONTINUED;
}

/* And as waitid does. */
static struct wait_info info_of(const struct process *child)
{
    struct wait_info info = {.signal = SIGCHLD, .pid = child->pid};
    uint32_t status = child->exit_status;
    if (child->state != PROCESS_ZOMBIE) {
        bool has_stopped = child->wait_event == WAIT_STOPPED;
        info.code = has_stopped ? CLD_STOPPED : CLD_CONTINUED;
        info.status = has_stopped ? (int32_t)status : SIGCONT;
    } else if ((status & STATUS_SIGNAL) != 0) {
        info.code = CLD_KILLED;
        info.status = (int32_t)(status & STATUS_SIGNAL);
    } else {
        info.code = CLD_EXITED;
        info.status = (int32_t)(status >> STATUS_CODE_SHIFT & STATUS_CODE);
    }
    return info;
}

/* CHILD's news for the program. */
static enum kerr tell(const struct process *child, const struct wait_wish *wish)
{
    const uint32_t usage[RUSAGE_WORDS] = {0};
    enum kerr error = KERR_OK;
    if (wish->usage_at != 0)
        error = user_write(wish->usage_at, usage, sizeof(usage));
    if (error == KERR_OK && wish->status_at != 0) {
        uint32_t status = status_of(child);
        error = user_write(wish->status_at, &status, sizeof(status));
    }
    if (error == KERR_OK && wish->info_at != 0) {
        struct wait_info info = info_of(child);
        error = user_write(wish->info_at, &info, sizeof(info));
    }
    return error;
}

/* Told is told, unless the program wants to hear it again; a zombie is gone afterwards. */
static void forget_news(struct process *self, struct process *child, uint32_t options)
{
    if ((options & WNOWAIT) != 0)
        return;
    child->wait_event = WAIT_NOTHING;
    if (child->state != PROCESS_ZOMBIE)
        return;
    self->child_faults += process_minor_faults(child) + child->child_faults;
    self->child_major_faults += child->major_faults + child->child_major_faults;
    process_reap(child);
}

/* Nobody has news: siginfo, if that is what tells, says so. */
static int32_t tell_nothing(const struct wait_wish *wish)
{
    const struct wait_info nothing = {0};
    enum kerr error = KERR_OK;
    if (wish->info_at != 0)
        error = user_write(wish->info_at, &nothing, sizeof(nothing));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static int32_t wait(struct process *self, const struct wait_wish *wish)
{
    bool may_come;
    struct process *child = find_news(self, wish, &may_come);
    if (child == NULL && !may_come)
        return -ECHILD;
    if (child == NULL)
        return (wish->options & WNOHANG) != 0 ? tell_nothing(wish)
                                              : process_sleep(&self->children, 0);
    enum kerr error = tell(child, wish);
    if (error != KERR_OK)
        return user_access_failed(error);
    int32_t pid = (int32_t)child->pid;
    forget_news(self, child, wish->options);
    return wish->is_waitid ? 0 : pid;
}

/* ---- calls ---- */

/* PID: above 0 that one; -1 any; 0 of the caller's group; below -1 of group -PID. */
static int32_t wait4(struct process *self, int32_t pid, uint32_t options, uint32_t usage_at)
{
    struct wait_wish wish = {.options = options | WEXITED, .status_at = ARG2, .usage_at = usage_at};
    if ((options & ~(uint32_t)OPTIONS_OF_WAIT4) != 0)
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid > 0) {
        wish.kind = WAIT_PID;
        wish.id = (uint32_t)pid;
    } else if (pid != -1) {
        wish.kind = WAIT_GROUP;
        wish.id = pid == 0 ? self->group : (uint32_t)-pid;
    }
    return wait(self, &wish);
}

SYSTEM_CALL(114, wait4)
{
    return wait4(self, (int32_t)ARG1, ARG3, ARG4);
}

SYSTEM_CALL(7, waitpid)
{
    return wait4(self, (int32_t)ARG1, ARG3, 0);
}

SYSTEM_CALL(284, waitid)
{
    const uint32_t kind = ARG1, id = ARG2, options = ARG4;
    struct wait_wish wish = {.kind = (enum wait_kind)kind,
                             .id = id,
                             .options = options,
                             .info_at = ARG3,
                             .usage_at = ARG5,
                             .is_waitid = true};
    if ((options & ~(uint32_t)OPTIONS_OF_WAITID) != 0 ||
        (options & (WEXITED | WUNTRACED | WCONTINUED)) == 0 || kind > WAIT_GROUP)
        return -EINVAL;
    if ((kind == WAIT_PID && (int32_t)id <= 0) || (kind == WAIT_GROUP && (int32_t)id < 0))
        return -EINVAL;
    if (kind == WAIT_GROUP && id == 0)
        wish.id = self->group;
    return wait(self, &wish);
}
