/* SPDX-License-Identifier: MIT */
#include "rounds.h"

#include "operations.h"
#include "programs.h"
#include "tests.h"

#include "../ext2/disk.h"

#include <file/inode.h>
#include <process/errno.h>
#include <store/cache.h>

enum { SIGKILL = 9, SIGBUS = 7 };
enum { WAIT = 0, NO_WAIT = 1 };

uint32_t rounds_absent;
static uint64_t until; /* so many operations are done before all are quiet */
static int32_t parents[TREE_PROGRAMS];

static void child(void);

/* ---- children ---- */

/* The child has what its parent had when it was made: whoever of the two runs first sees to that. */
static void adopt(uint32_t number)
{
    if (parents[number] < 0)
        return;
    holder_fork(&holders[parents[number]], &holders[number]);
    parents[number] = -1;
}

static void make_child(struct holder *me)
{
    uint32_t number;
    for (number = 1; holders[number].lives || parents[number] >= 0; number++)
        if (number == TREE_PROGRAMS - 1)
            return;
    parents[number] = (int32_t)program_number();
    me->doing = "fork";
    int32_t pid = program_fork(number, child);
    if (pid == -ENOMEM && operations_may_fail)
        parents[number] = -1;
    else if (pid < 0)
        wrong("fork: %d", pid);
    else {
        adopt(number);
        holders[number].pid = pid;
    }
    me->doing = NULL;
}

/* A child that has ended is asked for. False: there is none. */
static bool ask_for_child(uint32_t how)
{
    uint32_t status, number = 1;
    int32_t pid = call(CALL_WAITPID, UINT32_MAX, BUFFER, how);
    if (pid == -ECHILD || pid == 0)
        return false;
    program_load(&status, BUFFER, sizeof(status));
    while (number < TREE_PROGRAMS && (!holders[number].lives || holders[number].pid != pid))
        number++;
    if (number == TREE_PROGRAMS)
        wrong("process %d ends, which was never made", pid);
    if (operations_may_fail && (status == SIGBUS || status == SIGKILL))
        forget_taken(&holders[number]); /* a page can't be read; or there was no frame for it */
    else if (status != (holders[number].may_die ? SIGBUS : 0))
        wrong("a program ends with status %x", status);
    holder_drop(&holders[number]);
    return true;
}

/* ---- operations ---- */

/* Frames are wanted, at any time. */
static void want_frames(void)
{
    enum { MANY = 100000, TIMES = 8 };
    uint32_t freed;
    bool all = rounds_absent != 0 && chance(rounds_absent) == 0;
    for (uint32_t i = 0; i < TIMES && all; i++) {
        enum kerr ignored = store_reclaim(MANY, &freed);
        (void)ignored;
        disk_step();
    }
    if (all || chance(100) == 0)
        (void)inode_trim(all ? MANY : chance(20));
    if (!all && chance(30) == 0) {
        enum kerr ignored = store_reclaim(1 + chance(200), &freed);
        (void)ignored;
    }
}

static void step(struct holder *me)
{
    if (!operation(me) && chance(8) == 0)
        (void)call(CALL_YIELD);
    if (chance(200) == 0)
        make_child(me);
    want_frames();
}

static void child(void)
{
    uint32_t number = program_number();
    adopt(number);
    while (operations_done < until && chance(400) > 0)
        step(&holders[number]);
}

void rounds_begin(void)
{
    for (uint32_t i = 0; i < TREE_PROGRAMS; i++)
        parents[i] = -1;
}

/* TRIES: what is unknown can't be asked for anything; so there may be little left that can. */
void rounds_run(uint64_t count, enum rounds_who who)
{
    uint64_t tries = 30 * count;
    until = operations_done + count;
    while (operations_done < until && tries-- > 0) {
        if (who == BY_ALL)
            step(&holders[0]);
        else
            make_child(&holders[0]);
        if (who == BY_CHILDREN || chance(20) == 0)
            (void)ask_for_child(who == BY_CHILDREN ? WAIT : NO_WAIT);
    }
    until = 0;
}

void rounds_end(void)
{
    until = 0;
    while (ask_for_child(WAIT))
        ;
    let_go(&holders[0]);
}

void rounds_judge(void)
{
    for (uint32_t i = 0; i < TREE_MOUNTS; i++)
        compare_all(i);
    system_audit();
    expect(system_unmount(), 0, "umount");
    system_audit();
    disk_check(system_disk.image, system_disk.bytes);
    expect(system_mount(), 0, "mount");
    compare_all(0);
}
