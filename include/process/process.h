/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5. Used by: layers 8-11.
 *
 * Processes. One kernel stack, one event at a time: a trap leaves the user's registers in the
 * process record, the event is handled to its end, and some process is resumed. To block is to put
 * the process to sleep and to repeat its system call or its faulting instruction: so no side effect
 * before the last copy that can fail, or progress kept in the record (process/repeat.h).
 *
 * A process at rest is a record, a directory and what it has written. Records stand in a fixed
 * array that becomes real as it grows; a record stays real while its process lives. The number of
 * a record is the pid of its process.
 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include <arch/i386/trap.h>
#include <kernel/list.h>
#include <kernel/rbtree.h>
#include <process/memory.h>

enum process_state {
    PROCESS_NONE,     /* the record is free */
    PROCESS_RUNNABLE, /* in the run queue, or the current one */
    PROCESS_SLEEPING, /* until its channel is woken, its deadline passes, or a signal comes */
    PROCESS_VFORKING, /* until its vfork child begins another program, or ends */
    PROCESS_STOPPED,  /* until SIGCONT */
    PROCESS_ENDING,   /* process_exit() was called: it never runs again */
    PROCESS_ZOMBIE,   /* ended; its parent has not asked yet */
};

/* Resource limits by number, as setrlimit(2) counts them. */
enum limit {
    LIMIT_CPU,
    LIMIT_FSIZE,
    LIMIT_DATA, /* bytes */
    LIMIT_STACK,
    LIMIT_CORE,
    LIMIT_RSS,
    LIMIT_NPROC,
    LIMIT_NOFILE,
    LIMIT_MEMLOCK,
    LIMIT_AS,
    LIMIT_LOCKS,
    LIMIT_SIGPENDING,
    LIMIT_MSGQUEUE,
    LIMIT_NICE,
    LIMIT_RTPRIO,
    LIMIT_RTTIME,
    LIMITS
};
enum { LIMIT_NONE = 0xFFFFFFFF };

struct limit_pair {
    uint32_t soft, hard; /* UINT32_MAX: none */
};

/* Shared by fork until one side changes a limit (process/limits.c). */
struct limits {
    uint32_t references;
    struct limit_pair pair[LIMITS];
};

/*
 * What a call has done for good before it is repeated (process/repeat.h), and what becomes of it
 * when a handler wants to run.
 */
enum progress_kind {
    PROGRESS_NONE,
    PROGRESS_BYTES, /* so many bytes were moved: the call ends, and returns their number */
    PROGRESS_WAIT,  /* when a wait is over, in ticks, not 0: EINTR */
    PROGRESS_SLEPT, /* 1: it has slept: EINTR, or it begins anew (SA_RESTART) */
    PROGRESS_HOLDS, /* the address of a struct call_holding: EINTR, or it begins anew */
    PROGRESS_STEPS, /* steps of a call that knows no EINTR: the handler runs when it is done */
};
struct progress {
    uint32_t kind, value;
    uint32_t last;        /* PROGRESS_STEPS: the last step, for handlers that the call goes on in */
    uint32_t flushing[2]; /* beside another kind: how far it has come on its way to the disk */
};

/* What a futex is known by, wherever it is mapped; `word` has the mark of a private one as well. */
struct futex_key {
    const void *owner; /* the shared object, or the memory of those who share it */
    uint32_t page, word;
};

struct signals;      /* process/signal.h: the table of actions, counted; NULL: all default */
struct fpu;          /* process/fpu.h: x87 and SSE state; NULL: never used */
struct alarm;        /* process/alarm.c; NULL: none is set */
struct signal_queue; /* process/signal_queue.c; NULL: nothing was ever queued */

enum { PROCESS_STATES = 3 }; /* parts of layers above that keep something in the record */

/* The call that a process is in, between two runs of its handler. */
enum in_call {
    IN_NO_CALL,
    IN_CALL,            /* it sleeps, or goes on */
    IN_CALL_THAT_LACKS, /* a frame, or a page that has to come first */
};

struct process {
    /* The room below the frame (trap.h): lost when the program ends from virtual-8086 mode. */
    uint32_t alternate_stack, alternate_stack_bytes; /* 0 bytes: none */
    uint32_t alternate_stack_flags;
    uint32_t fault_code;     /* for siginfo, while `fault_signal` is not 0 */
    struct trap_frame frame; /* the CPU and the stubs push the user's registers here */
    uint32_t no_calls;       /* 0 (trap.h) */
    uint32_t pid;
    uint8_t state;            /* enum process_state */
    uint8_t exit_signal;      /* what the parent gets: SIGCHLD, or 0 */
    uint8_t is_vfork_child;   /* the parent sleeps until we exec or end */
    uint8_t is_kernels_child; /* started by init= or from the prompt: its end is shown */
    uint8_t wait_event;       /* stopped or continued, and not yet asked for: enum wait_event */
    uint8_t is_in_call;       /* one that is to be repeated: enum in_call */
    uint8_t is_woken;         /* what it slept for has come: its call is repeated before all else */
    uint32_t calls;           /* SYSTEM_CALLS (trap.h) */
    struct process *parent;   /* NULL: the kernel */
    struct list children, sibling;
    struct list queue;    /* in the run queue, a bucket of sleepers, or one of futexes */
    uint32_t round;       /* process/turns.h: until when it may use `slice_left` */
    int32_t slice_left;   /* clocks that it may run in that round */
    int32_t slice_given;  /* and how many it was given for it */
    int32_t past_weight;  /* clocks: what earlier slices say of it */
    uint32_t level;       /* of the queue that it waits in, when it wakes; and until how much */
    int32_t level_end;    /* of `slice_left` is left */
    struct rb_node timer; /* in the tree of deadlines while `deadline` is not 0 */
    uint64_t deadline;    /* in timer ticks; 0: none */
    const void *channel;  /* what it sleeps on; NULL: a deadline or a signal alone */
    uint32_t call;        /* the call that is repeated: its number */
    system_call_t *goes_on_in; /* of that call: the handler; NULL: the number says which */
    struct progress progress;  /* of that call */
    uint32_t group, session;
    struct memory *memory;        /* NULL: a zombie */
    void *states[PROCESS_STATES]; /* of parts of layers above: process/part.h */
    struct signals *signals;
    struct fpu *fpu;
    struct alarm *alarm;
    struct signal_queue *signal_queue;
    struct limits *limits;
    union {
        uint64_t signals_pending; /* bit N-1: signal N */
        uint32_t signals_pending_words[2];
    };
    union {
        uint64_t signals_blocked;
        uint32_t signals_blocked_words[2];
    };
    uint64_t signals_to_restore; /* what sigsuspend replaced, if `restore_blocked` */
    uint32_t restore_blocked;
    uint16_t senders[32];   /* pids, by signal (0: those above 31), for siginfo */
    uint32_t sent_by_tkill; /* bit N: signal N came by tkill or tgkill */
    uint32_t fault_signal;  /* of a fault, pending; 0: none */
    uint32_t fault_address; /* for siginfo */
    struct futex_key futex; /* that it sleeps on (process/futex.c) */
    uint32_t exit_status;   /* as wait4 reports it */
    uint32_t clear_tid;     /* set_tid_address; 0: none */
    uint64_t tls[3];        /* its GDT entries 6-8 */
    uint32_t staged_frames; /* that a call to be repeated had taken, when it lacked one */
    uint32_t faults, ticks; /* page faults, timer ticks while it ran */
    uint32_t waiting_faults, next_try; /* those that had to wait, and the number of the next */
    uint32_t major_faults;             /* touches that waited, once or several times */
    uint32_t child_faults, child_major_faults; /* of children that were waited for; minor, major */
    uint32_t serial;                           /* of two processes with one pid each has its own */
    uint64_t started;                          /* in timer ticks */
    char name[16];
};

/* Page faults of PROCESS that needed no device. A touch that waited is answered by one more fault. */
static inline uint32_t process_minor_faults(const struct process *process)
{
    uint32_t others = process->waiting_faults + process->major_faults;
    return process->faults > others ? process->faults - others : 0;
}

_Static_assert(offsetof(struct process, frame) == TRAP_VM86_BYTES &&
                   offsetof(struct process, no_calls) ==
                       offsetof(struct process, frame) + TRAP_NO_CALLS &&
                   offsetof(struct process, calls) == offsetof(struct process, frame) + TRAP_CALLS,
               "the place of a program's frame");
_Static_assert(sizeof(void *) != 4 || sizeof(struct process) <= PROCESS_RECORD_BYTES,
               "a process record");

/* Whose FRAME that is: what handlers of system calls get. */
static inline struct process *process_of_frame(struct trap_frame *frame)
{
    return container_of(frame, struct process, frame);
}

enum wait_event { WAIT_NOTHING, WAIT_STOPPED, WAIT_CONTINUED };

/* The process whose event is being handled; NULL: the kernel's own (boot, idle, prompt). */
extern struct process *process_current;

/* ---- life (process/process.c) ---- */

/*
 * A new record with a pid: all zero but pid, parent and the lists; state PROCESS_NONE until
 * process_start(). A child of PARENT (NULL: the kernel's).
 *   returns KERR_OK, KERR_NO_ROOM (every record is in use), KERR_NO_MEMORY
 */
kerr_t process_create(struct process *parent, struct process **process);

/* Undo process_create() for a process that never started; what hangs on it is put back as well. */
void process_discard(struct process *process);

/* PROCESS, complete now, may run. */
void process_start(struct process *process);

/*
 * PROCESS, live and in any state, is to end with wait status STATUS (exit code << 8, or a signal).
 * This only marks it: it never runs again, and its parts are given back by process_finish_exits().
 * So whoever holds a pointer to a process, or a list of them, may call this, also while another one
 * ends. Needs no memory. A second call changes nothing.
 */
void process_exit(struct process *process, uint32_t status);

/*
 * All that are marked become zombies: what they have is given back but for the record, children are
 * handed on, parents are told; records that nobody will ask for go later (process_reap_orphans()).
 * Those whom this marks in turn, one after the other. For who counts on the frames now. If the
 * current process ends, the boot space is loaded and process_current NULL afterwards.
 */
void process_finish_exits(void);

/* The same for one of them, and but for the rest of a large memory: for the way out. Returns true
 * if there are more. */
bool process_finish_exit(void);

/* Free a zombie's record. */
void process_reap(struct process *zombie);

/* The process that orphans go to, and whom no other program's signal ends: process 1. PID 0:
 * none. */
void process_set_reaper(uint32_t pid);
struct process *process_reaper(void); /* NULL: there is none, or it has ended */

/* The process PID, zombies included, or NULL; and all in order of pid (after NULL: the first). */
struct process *process_find(uint32_t pid);
struct process *process_next(const struct process *process);
uint32_t process_count(void);

/* How many there ever were; each one's `serial` is how many there were then. */
extern uint32_t process_serial;

/* ---- sleeping and running (process/schedule.c) ---- */

/*
 * Put the current process to sleep on CHANNEL (NULL: none) until DEADLINE (ticks; 0: none); it
 * repeats its system call when it wakes (process/repeat.h). The handler returns what this returns.
 */
int32_t process_sleep(const void *channel, uint64_t deadline) must_check;

/*
 * The current process found no frame: on the way out a victim is chosen (process/victim.h) and
 * ended, and the system call (or, called for a fault, the instruction) repeated. As above.
 */
int32_t process_out_of_memory(void) must_check;

/*
 * The same for a call for which nobody is to end (fork): what can be brought again goes, and the call is
 * repeated; if nothing can, or it is no frame that lacks, it answers ERROR.
 */
int32_t process_lacks_frames(int32_t error) must_check;

/* The same, but the call is done with and not repeated. */
void process_request_room(void);

/*
 * The current process has met a page that must be waited for: it sleeps on the channel that was
 * left (kernel/channel.h) and repeats its system call or, called for a fault, its instruction. No
 * signal breaks that off: a handler runs in between, and then it is asked again.
 */
int32_t process_must_wait(void) must_check;

/* The same, where nothing is to be repeated but the way out. */
void process_wait_for_page(void);

/* All that sleep on CHANNEL run again. */
void process_wake(const void *channel);

/* PROCESS, asleep, runs again; one that is not asleep stays what it is. */
void process_wake_one(struct process *process);

/* Take PROCESS, live, out of running and sleeping; and back. */
void process_stop(struct process *process);
void process_continue(struct process *process);

/* The current process lets all others run first. */
void process_yield(void);

#endif
