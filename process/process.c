/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Process records: creation, end, and the way from a pid to its record.
 *
 * The array is a promise; a page of it is real while one of its records is in use, and a
 * record is in use if its bit says so. Numbers are given round and round, so that a pid that has
 * just ended is not met again at once.
 */
#include <process/process.h>

#include <arch/i386/page_ops.h>
#include <kernel/panic.h>
#include <mm/kernel_pages.h>
#include <process/client.h>
#include <process/futex.h>
#include <process/part.h>
#include <process/repeat.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <process/timer.h>
#include <process/user.h>

/* (Where pointers are longer, in the host's tests, a record takes the room of two.) */
enum {
    FIRST_PID = 1,
    RECORD_BYTES = sizeof(struct process) <= PROCESS_RECORD_BYTES ? PROCESS_RECORD_BYTES
                                                                  : 2 * PROCESS_RECORD_BYTES,
    RECORDS_PER_PAGE = PAGE_BYTES / RECORD_BYTES,
};
_Static_assert(sizeof(struct process) <= RECORD_BYTES && 32 % RECORDS_PER_PAGE == 0,
               "some bits of a word of the bitmap are a page");

static uint32_t in_use[PROCESS_RECORDS_COUNT / 32];
static uint32_t count;

static vaddr_t record_address(uint32_t pid)
{
    return VADDR(PROCESS_RECORDS_BASE + pid * RECORD_BYTES);
}

static struct process *record(uint32_t pid)
{
    return vaddr_to_pointer(record_address(pid));
}

static bool is_in_use(uint32_t pid)
{
    return pid < PROCESS_RECORDS_COUNT && (in_use[pid / 32] >> pid % 32 & 1) != 0;
}

/* No record in the page of PID's is in use. */
static bool page_is_unused(uint32_t pid)
{
    uint32_t first = pid % 32 / RECORDS_PER_PAGE * RECORDS_PER_PAGE;
    return (in_use[pid / 32] >> first & ((1u << RECORDS_PER_PAGE) - 1)) == 0;
}

uint32_t process_count(void)
{
    return count;
}

struct process *process_find(uint32_t pid)
{
    return is_in_use(pid) ? record(pid) : NULL;
}

struct process *process_next(const struct process *process)
{
    uint32_t pid = process != NULL ? process->pid + 1 : FIRST_PID;
    while (pid < PROCESS_RECORDS_COUNT) {
        uint32_t left = in_use[pid / 32] >> pid % 32;
        if (left != 0)
            return record(pid + (uint32_t)__builtin_ctz(left));
        pid = (pid / 32 + 1) * 32;
    }
    return NULL;
}

/* The next number after the last one given that is free. There is one. */
static uint32_t find_free_pid(void)
{
    static uint32_t last = FIRST_PID - 1;
    do {
        last++;
        while (last % 32 == 0 && in_use[last / 32 % (PROCESS_RECORDS_COUNT / 32)] == ~0u)
            last += 32;
        if (last >= PROCESS_RECORDS_COUNT)
            last = FIRST_PID;
    } while (is_in_use(last));
    return last;
}

uint32_t process_serial;

enum kerr process_create(struct process *parent, struct process **process)
{
    if (count == PROCESS_RECORDS_COUNT - FIRST_PID)
        return KERR_NO_ROOM;
    uint32_t pid = find_free_pid();
    if (page_is_unused(pid)) {
        enum kerr error = kernel_pages_make_real(vaddr_to_page(record_address(pid)), 1);
        if (error != KERR_OK)
            return error;
    }
    in_use[pid / 32] |= 1u << pid % 32;
    count++;

    struct process *new = record(pid);
    words_fill(new, 0, sizeof(*new) / sizeof(uint32_t));
    new->pid = pid;
    new->calls = SYSTEM_CALLS;
    new->serial = ++process_serial;
    new->started = timer_ticks();
    list_init(&new->children);
    list_init(&new->sibling);
    list_init(&new->queue);
    new->parent = parent;
    if (parent != NULL)
        list_add_last(&parent->children, &new->sibling);
    *process = new;
    return KERR_OK;
}
_Static_assert(sizeof(struct process) % sizeof(uint32_t) == 0, "cleared by words");

static void free_record(struct process *process)
{
    uint32_t pid = process->pid;
    list_remove(&process->sibling);
    process->state = PROCESS_NONE;
    in_use[pid / 32] &= ~(1u << pid % 32);
    count--;
    if (!page_is_unused(pid))
        return;
    kernel_pages_discard(vaddr_to_page(record_address(pid)), 1);
}

void process_discard(struct process *process)
{
    ASSERT(process->state == PROCESS_NONE, "process %u has started", process->pid);
    process_parts_drop(process);
    free_record(process);
}

void process_start(struct process *process)
{
    process_share_slice(process->parent, process);
    process_enqueue(process);
}

void process_reap(struct process *zombie)
{
    ASSERT(zombie->state == PROCESS_ZOMBIE, "process %u is reaped alive", zombie->pid);
    list_remove(&zombie->queue);
    free_record(zombie);
}

/* ---- process 1, and zombies that nobody will ask for ---- */

static uint32_t reaper_pid; /* 0: there is none */
static struct list orphans = {&orphans, &orphans};

void process_set_reaper(uint32_t pid)
{
    reaper_pid = pid;
}

struct process *process_reaper(void)
{
    struct process *process = process_find(reaper_pid);
    return process == NULL || process->state >= PROCESS_ENDING ? NULL : process;
}

static void take_orphan(struct process *zombie)
{
    list_remove(&zombie->queue); /* it may have been taken when its parent still lived */
    list_add_last(&orphans, &zombie->queue);
    process_request_rare_work();
}

void process_reap_orphans(void)
{
    while (!list_is_empty(&orphans)) {
        struct process *zombie = container_of(orphans.next, struct process, queue);
        process_clients_ended(zombie);
        process_reap(zombie);
    }
}

/* ---- the end ---- */

static struct list ending = {&ending, &ending}; /* those in state PROCESS_ENDING */

/* PROCESS is a zombie: its parent learns of it, or nobody will ask and it goes. */
static void tell_parent(struct process *process)
{
    struct process *parent = process->parent;
    bool is_unasked =
        parent == NULL || (process->exit_signal == SIGCHLD && signals_reap_children(parent));
    if (is_unasked)
        take_orphan(process);
    if (parent == NULL)
        return;
    list_remove(&process->sibling); /* zombies first: wait4() finds them at once */
    list_add_first(&parent->children, &process->sibling);
    process_wake(&parent->children); /* before the signal: a wait that has its answer gives it */
    if (!is_unasked)
        signal_send_end(parent, process);
}

/* The children of PROCESS go to process 1, or to the kernel. */
static void hand_children_on(struct process *process)
{
    struct process *heir = process_reaper();
    if (heir == process)
        heir = NULL;
    while (!list_is_empty(&process->children)) {
        struct process *child = container_of(process->children.next, struct process, sibling);
        list_remove(&child->sibling);
        child->parent = heir;
        child->exit_signal = SIGCHLD;
        if (heir != NULL)
            list_add_last(&heir->children, &child->sibling);
        if (child->state == PROCESS_ZOMBIE)
            tell_parent(child);
    }
}

/*
 * Whoever waits for this word of the program's. Whether it is there is the program's affair. PROCESS
 * may have been ended by another one, whose space is then the current one.
 */
static void clear_tid(const struct process *process)
{
    const uint32_t nobody = 0;
    struct space *before = space_current();
    if (process->clear_tid == 0 || process->memory->references == 1)
        return;
    if (space_make_ready(&process->memory->space) != KERR_OK)
        return;
    space_switch(&process->memory->space);
    enum kerr ignored = user_write(process->clear_tid, &nobody, sizeof(nobody));
    (void)ignored;
    space_switch(before);
    futex_wake_one(process, process->clear_tid);
}

static void finish_exit(struct process *process)
{
    bool is_current = process == process_current;
    list_remove(&process->queue);
    process_end_vfork(process);
    if (is_current)
        process_count_faults();
    clear_tid(process);
    call_end(process, 0); /* what its call held is dropped */
    process_parts_drop(process);
    hand_children_on(process);
    process->state = PROCESS_ZOMBIE;
    if (is_current)
        process_current = NULL;
    tell_parent(process);
}

void process_exit(struct process *process, uint32_t status)
{
    ASSERT(process->state != PROCESS_NONE && process->state != PROCESS_ZOMBIE,
           "process %u ends twice", process->pid);
    if (process->state == PROCESS_ENDING)
        return;
    process_dequeue(process);
    process_return_slice(process);
    process->state = PROCESS_ENDING;
    process->exit_status = status;
    list_add_last(&ending, &process->queue);
    process_request_rare_work();
}

bool process_finish_exit(void)
{
    static bool runs;
    if (list_is_empty(&ending))
        return false;
    ASSERT(!runs, "a process ends while another one does");
    runs = true;
    finish_exit(container_of(ending.next, struct process, queue));
    runs = false;
    return !list_is_empty(&ending);
}

void process_finish_exits(void)
{
    while (process_finish_exit())
        ;
    memory_give_all_back();
}
