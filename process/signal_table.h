/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The table of actions, and the frame of a handler: what the units about signals share.
 */
#ifndef PROCESS_SIGNAL_TABLE_H
#define PROCESS_SIGNAL_TABLE_H

#include <process/signal.h>

/* source: Linux manual page sigaction(2) */
enum action_handler { HANDLER_DEFAULT, HANDLER_IGNORE };
enum action_flags {
    ACTION_NO_CHILD_STOP = 0x1,
    ACTION_NO_CHILD_WAIT = 0x2,
    ACTION_SIGINFO = 0x4,
    ACTION_RESTORER = 0x04000000,
    ACTION_ON_STACK = 0x08000000,
    ACTION_RESTART = 0x10000000,
    ACTION_NO_DEFER = 0x40000000,
};
#define ACTION_RESET_HANDLER 0x80000000u

struct signal_action {
    uint32_t handler; /* enum action_handler, or an address */
    uint32_t flags;
    uint32_t restorer;
    uint64_t mask;
};

struct signals {
    uint32_t references;
    struct signal_action actions[SIGNALS_MAX]; /* of signal N at N - 1 */
};

static inline uint64_t signal_bit(unsigned signal)
{
    return 1ull << (signal - 1);
}

/* The same in words, where it is measured: arithmetic in 64 bits is long on i386. */
static inline unsigned signal_word(unsigned signal)
{
    return (signal - 1) / 32;
}
static inline uint32_t signal_word_bit(unsigned signal)
{
    return 1u << (signal - 1) % 32;
}

/* What no program can catch, block or ignore. */
#define SIGNALS_ABSOLUTE (1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1))
#define SIGNALS_STOPPING                                                                           \
    (1ull << (SIGSTOP - 1) | 1ull << (SIGTSTP - 1) | 1ull << (SIGTTIN - 1) | 1ull << (SIGTTOU - 1))

const struct signal_action *signal_action(const struct process *process, unsigned signal);

/*
 * SELF's action for SIGNAL becomes ACTION, in a table of its own.
 *   returns KERR_OK, KERR_NO_MEMORY (nothing changed)
 */
kerr_t signal_set_action(struct process *self, unsigned signal, const struct signal_action *action);

/* What a signal tells of itself. */
enum { SIGNAL_INFO_WORDS = 5 };
struct signal_info {
    int32_t signal, error, code;
    union {
        struct {
            uint32_t pid, uid;
            uint32_t status, user_time, system_time; /* SIGCHLD alone */
        };
        uint32_t address;                  /* faults */
        uint32_t words[SIGNAL_INFO_WORDS]; /* as much as anybody fills */
        uint32_t all_words[29];
    };
};
_Static_assert(sizeof(struct signal_info) == 128, "siginfo of the i386 ABI");
void signal_describe(const struct process *self, unsigned signal, struct signal_info *info);

/*
 * As signal_send(). By tkill: siginfo says so. With INFO: siginfo is what the sender says.
 *   returns KERR_OK; for a real-time signal also KERR_NO_MEMORY, KERR_NO_ROOM (RLIMIT_SIGPENDING)
 */
kerr_t signal_send_by_tkill(struct process *process, unsigned signal, uint32_t sender);
kerr_t signal_send_with(struct process *process, unsigned signal, uint32_t sender,
                        const struct signal_info *info);

/*
 * The queue (process/signal_queue.c): one time more that SIGNAL was sent, and what is told of it;
 * what the oldest entry tells (false: there is none); the oldest is done with (true: there are
 * more).
 */
kerr_t signal_queue_add(struct process *process, unsigned signal, const struct signal_info *info);
bool signal_queue_tell(const struct process *process, unsigned signal, struct signal_info *info);
bool signal_queue_take(struct process *process, unsigned signal);

/* SIGNAL of SELF's was taken; it may have been sent more than once. */
void signal_take(struct process *self, unsigned signal);

/*
 * Lay SELF's registers and BLOCKED on the stack that ACTION asks for, and let it go on in the
 * handler. Nothing has changed but the stack on failure.
 *   returns KERR_OK, or as user_write()
 */
kerr_t signal_frame_enter(struct process *self, unsigned signal, const struct signal_action *action,
                          uint64_t blocked);

/* ESP lies on SELF's alternate stack. */
bool signal_is_on_alternate_stack(const struct process *self, uint32_t esp);

/* stack_t: SELF's alternate stack as sigaltstack(2) tells of it, and set; 0, or -EPERM, ... */
struct signal_stack {
    uint32_t start;
    uint32_t flags;
    uint32_t bytes;
};
void signal_stack_get(const struct process *self, uint32_t esp, struct signal_stack *stack);
int32_t signal_stack_set(struct process *self, uint32_t esp, const struct signal_stack *stack);

/*
 * A sleep by nanosleep or clock_nanosleep ends early: the rest is told, and *RESULT is the call's.
 *   returns KERR_OK; KERR_NO_MEMORY, KERR_MUST_WAIT: it still sleeps, and this is to be done again
 */
kerr_t time_sleep_interrupted(struct process *self, int32_t *result);

#endif
