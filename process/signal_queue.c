/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. What is told of signals that queue: real-time ones, and those sent by rt_sigqueueinfo.
 *
 * A signal pends if its bit in the record says so; here stands, for each time that it was sent,
 * what siginfo is to tell, the oldest first. Few processes get such a signal, so the lists are a
 * block of the heap, made when the first one comes and given back when the process ends. All
 * entries of all processes together are bounded by RLIMIT_SIGPENDING of who receives, as there is
 * one user. Invariant: a signal that has an entry pends.
 */
#include <kernel/string.h>
#include <mm/heap.h>
#include <process/part.h>
#include <process/signal_table.h>

struct queued_signal {
    struct queued_signal *next; /* NULL: the youngest */
    int32_t error, code;
    uint32_t words[SIGNAL_INFO_WORDS];
};

/* Of one signal; the youngest means something only if there is an oldest. */
struct entries {
    struct queued_signal *oldest, *youngest;
};

struct signal_queue {
    struct entries entries[SIGNALS_MAX]; /* of signal N at N - 1 */
};

static uint32_t queued_count; /* of all processes */

static struct queued_signal *oldest_of(const struct process *process, unsigned signal)
{
    return process->signal_queue != NULL ? process->signal_queue->entries[signal - 1].oldest : NULL;
}

static enum kerr make_queue(struct process *process)
{
    void *block;
    if (process->signal_queue != NULL)
        return KERR_OK;
    if (kmalloc(sizeof(struct signal_queue), &block) != KERR_OK)
        return KERR_NO_MEMORY;
    process->signal_queue = block;
    memset(block, 0, sizeof(struct signal_queue));
    return KERR_OK;
}

enum kerr signal_queue_add(struct process *process, unsigned signal, const struct signal_info *info)
{
    void *block;
    if (queued_count >= process->limits->pair[LIMIT_SIGPENDING].soft)
        return KERR_NO_ROOM;
    if (make_queue(process) != KERR_OK || kmalloc(sizeof(struct queued_signal), &block) != KERR_OK)
        return KERR_NO_MEMORY;
    struct queued_signal *entry = block;
    entry->error = info->error;
    entry->code = info->code;
    memcpy(entry->words, info->words, sizeof(entry->words));
    entry->next = NULL;
    struct entries *entries = &process->signal_queue->entries[signal - 1];
    if (entries->oldest == NULL)
        entries->oldest = entry;
    else
        entries->youngest->next = entry;
    entries->youngest = entry;
    queued_count++;
    return KERR_OK;
}

bool signal_queue_tell(const struct process *process, unsigned signal, struct signal_info *info)
{
    const struct queued_signal *entry = oldest_of(process, signal);
    if (entry == NULL)
        return false;
    info->error = entry->error;
    info->code = entry->code;
    memcpy(info->words, entry->words, sizeof(entry->words));
    return true;
}

bool signal_queue_take(struct process *process, unsigned signal)
{
    struct queued_signal *entry = oldest_of(process, signal);
    if (entry == NULL)
        return false;
    process->signal_queue->entries[signal - 1].oldest = entry->next;
    kfree(entry);
    queued_count--;
    return oldest_of(process, signal) != NULL;
}

static void drop_part(struct process *process)
{
    if (process->signal_queue == NULL)
        return;
    for (unsigned signal = 1; signal <= SIGNALS_MAX; signal++)
        while (signal_queue_take(process, signal))
            ;
    kfree(process->signal_queue);
    process->signal_queue = NULL;
}

PROCESS_PART(signal_queue, .drop = drop_part);
