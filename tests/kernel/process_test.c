/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Process records, sleeping and waking, without a program: what runs in user mode is
 * tested by tests/user/.
 */
#include <kernel/panic.h>
#include <kernel/test.h>
#include <mm/frame.h>
#include <process/repeat.h>
#include <process/schedule.h>
#include <process/signal.h>

enum { SOME_CALL = 3, SOME_EIP = 0x08048002 };

/* A process that may sleep and wake, but has no memory to run in. */
static struct process *make(struct process *parent)
{
    struct process *process;
    if (process_create(parent, &process) != KERR_OK)
        panic("no process record for the tests");
    process->frame.vector = VECTOR_SYSTEM_CALL;
    process->frame.eax = SOME_CALL;
    process->frame.eip = SOME_EIP;
    process->exit_signal = 0;
    return process;
}

static void end_all(void)
{
    process_current = NULL;
    for (struct process *process; (process = process_next(NULL)) != NULL;) {
        if (process->state == PROCESS_NONE) {
            process_discard(process);
            continue;
        }
        if (process->state != PROCESS_ZOMBIE)
            process_exit(process, 0);
        process_finish_exits();
        process_reap(process);
    }
}

TEST("process", "a new record: has a pid, is found by it, and is its parent's child")
{
    struct process *parent = make(NULL), *child = make(parent);
    EXPECT(parent->pid > 0 && child->pid != parent->pid);
    EXPECT(process_find(child->pid) == child && child->parent == parent);
    EXPECT(parent->children.next == &child->sibling);
    EXPECT_EQUAL(process_count(), 2);
    end_all();
    EXPECT_EQUAL(process_count(), 0);
}

TEST("process", "the last record of a page is given back: the page is a promise again")
{
    uint32_t before = frame_available(&frame_pool);
    for (unsigned i = 0; i < 20; i++)
        make(NULL);
    EXPECT(frame_available(&frame_pool) < before);
    end_all();
    EXPECT_EQUAL(frame_available(&frame_pool), before);
}

TEST("process", "a pid that has ended: is not given to the next process")
{
    struct process *process = make(NULL);
    uint32_t pid = process->pid;
    process_discard(process);
    EXPECT(process_find(pid) == NULL);
    EXPECT(make(NULL)->pid != pid);
    end_all();
}

TEST("process", "all in order: process_next() meets every record once, by pid")
{
    uint32_t seen = 0, last = 0;
    for (unsigned i = 0; i < 100; i++)
        make(NULL);
    for (struct process *process = process_next(NULL); process != NULL;
         process = process_next(process)) {
        EXPECT(process->pid > last);
        last = process->pid;
        seen++;
    }
    EXPECT_EQUAL(seen, 100);
    end_all();
}

TEST("process", "numbers outside of the array, and of no process: nobody is found")
{
    EXPECT(process_find(0) == NULL);
    EXPECT(process_find(PROCESS_RECORDS_COUNT) == NULL);
    EXPECT(process_find(~0u) == NULL);
}

TEST("process", "every record in use: KERR_NO_ROOM, and all come back")
{
    struct process *process;
    uint32_t before = frame_available(&frame_pool), made = 0;
    if (before < PROCESS_RECORDS_ROOM_BYTES / PAGE_BYTES + 256)
        SKIP("needs 33 MiB of free memory");
    while (process_create(NULL, &process) == KERR_OK)
        made++;
    EXPECT_EQUAL(made, PROCESS_RECORDS_COUNT - 1);
    EXPECT(process_create(NULL, &process) == KERR_NO_ROOM);
    end_all();
    EXPECT_EQUAL(frame_available(&frame_pool), before);
}

TEST("process", "end of a parent without process 1: its children are the kernel's, zombies go")
{
    struct process *parent = make(NULL), *alive = make(parent), *dead = make(parent);
    process_start(parent);
    process_start(alive);
    process_start(dead);
    process_exit(dead, 3 << 8);
    process_finish_exits();
    EXPECT_EQUAL(dead->state, PROCESS_ZOMBIE);
    process_exit(parent, 0);
    process_finish_exits();
    EXPECT(alive->parent == NULL);
    process_reap_orphans();
    EXPECT_EQUAL(process_count(), 1);
    end_all();
}

TEST("process", "an end only marks; one whose end sends SIGKILL takes its parent along, in turn")
{
    enum { GENERATIONS = 200 };
    struct process *chain[GENERATIONS];
    for (unsigned i = 0; i < GENERATIONS; i++) {
        chain[i] = make(i > 0 ? chain[i - 1] : NULL);
        chain[i]->exit_signal = SIGKILL;
        process_start(chain[i]);
    }
    process_exit(chain[GENERATIONS - 1], 0);
    EXPECT_EQUAL(chain[GENERATIONS - 1]->state, PROCESS_ENDING);
    EXPECT_EQUAL(chain[GENERATIONS - 2]->state, PROCESS_RUNNABLE);
    signal_send(chain[0], SIGSTOP, 0);
    process_finish_exits();
    for (unsigned i = 0; i < GENERATIONS; i++)
        EXPECT_EQUAL(chain[i]->state, PROCESS_ZOMBIE);
    EXPECT_EQUAL(chain[0]->exit_status, SIGKILL);
    end_all();
    EXPECT_EQUAL(process_count(), 0);
}

/* ---- sleeping ---- */

/* Let PROCESS, which could run, sleep on CHANNEL. */
static void put_to_sleep(struct process *process, const void *channel)
{
    process_dequeue(process);
    process_current = process;
    int32_t eax = process_sleep(channel, 0);
    process_current = NULL;
    EXPECT_EQUAL(eax, SOME_CALL);
}

TEST("process", "sleep: the call is to be repeated, with the registers as they were")
{
    int channel;
    struct process *process = make(NULL);
    process_start(process);
    put_to_sleep(process, &channel);
    EXPECT_EQUAL(process->state, PROCESS_SLEEPING);
    EXPECT_EQUAL(process->frame.eip, SOME_EIP);
    EXPECT(call_is_repeated(process));
    process_wake(&channel);
    EXPECT_EQUAL(process->state, PROCESS_RUNNABLE);
    EXPECT(call_is_repeated(process) && process->is_woken);
    end_all();
}

TEST("process", "progress: is there while the call is repeated, and dropped when it has ended")
{
    int channel;
    struct process *process = make(NULL);
    process_start(process);
    progress_note(process, PROGRESS_BYTES, 77);
    put_to_sleep(process, &channel);
    call_look_after(process);
    EXPECT_EQUAL(progress_of(process, PROGRESS_BYTES), 77);
    EXPECT_EQUAL(progress_of(process, PROGRESS_WAIT), 0);
    call_end(process, 5);
    EXPECT_EQUAL(progress_of(process, PROGRESS_BYTES), 0);
    EXPECT(!call_is_repeated(process) && process->frame.eip == SOME_EIP);
    EXPECT_EQUAL(process->frame.eax, 5);
    progress_note(process, PROGRESS_WAIT, 78); /* and the call ends all the same */
    call_look_after(process);
    EXPECT_EQUAL(progress_of(process, PROGRESS_WAIT), 0);
    end_all();
}

TEST("process", "a call begins anew: at its int 0x80, with its number, and no progress")
{
    struct process *process = make(NULL);
    process_start(process);
    process_dequeue(process);
    process_current = process;
    int32_t number = call_continue(process, PROGRESS_SLEPT, 1);
    process_current = NULL;
    EXPECT_EQUAL(number, SOME_CALL);
    process->frame.eax = 99; /* what its handler returned */
    call_begin_anew(process);
    EXPECT_EQUAL(process->frame.eax, SOME_CALL);
    EXPECT_EQUAL(process->frame.eip, SOME_EIP - 2);
    EXPECT_EQUAL(progress_of(process, PROGRESS_SLEPT), 0);
    end_all();
}

TEST("process", "wake: all that sleep on the channel, and nobody else")
{
    int mine, other;
    struct process *process[6];
    for (unsigned i = 0; i < ARRAY_LENGTH(process); i++) {
        process[i] = make(NULL);
        process_start(process[i]);
        put_to_sleep(process[i], i % 2 ? &mine : &other);
    }
    process_wake(&mine);
    for (unsigned i = 0; i < ARRAY_LENGTH(process); i++)
        EXPECT_EQUAL(process[i]->state, i % 2 ? PROCESS_RUNNABLE : PROCESS_SLEEPING);
    end_all();
}

TEST("process", "a signal is pending already: the sleep ends before it begins")
{
    struct process *process = make(NULL);
    process_start(process);
    process_dequeue(process);
    process->signals_pending = 1ull << (SIGUSR1 - 1);
    process_current = process;
    EXPECT_EQUAL(process_sleep(NULL, 0), SOME_CALL);
    process_current = NULL;
    EXPECT_EQUAL(process->state, PROCESS_RUNNABLE);
    EXPECT(call_is_repeated(process));
    end_all();
}

TEST("process", "vfork: the parent waits, whatever wakes it, until the child ends")
{
    struct process *parent = make(NULL), *child = make(parent);
    process_start(parent);
    process_start(child);
    process_dequeue(parent);
    process_sleep_vforking(parent, child);
    child->is_vfork_child = 1;
    process_wake_one(parent);
    process_wake(child);
    EXPECT_EQUAL(parent->state, PROCESS_VFORKING);
    process_exit(child, 0);
    process_finish_exits();
    EXPECT_EQUAL(parent->state, PROCESS_RUNNABLE);
    end_all();
}

TEST("process", "end of a sleeper, a stopped one and a runnable one: nothing points at them")
{
    int channel;
    struct process *sleeper = make(NULL), *stopped = make(NULL), *runnable = make(NULL);
    process_start(sleeper);
    process_start(stopped);
    process_start(runnable);
    put_to_sleep(sleeper, &channel);
    process_stop(stopped);
    EXPECT_EQUAL(stopped->state, PROCESS_STOPPED);
    end_all();
    process_wake(&channel);
    EXPECT_EQUAL(process_count(), 0);
}
