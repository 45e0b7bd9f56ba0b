/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. What is told of signals that queue: real-time ones, and those sent by rt_sigqueueinfo.
 *
 * A signal pends if its bit in the record says so; here stands, for each time that it was sent,
 * what siginfo is to tell, the oldest first. Few processes get such a signal, so the lists are a
 * block of the heap, made when the first one comes and given back when the process ends. All entries of
 * all processes together are bounded by RLIMIT_SIGPENDING of who receives, as there is one user.
 * Invariant: a signal that has an entry pends.
 */
#include <kernel/list.h>
#include <kernel/string.h>
#include <mm/heap.h>
#include <process/part.h>
#include <process/signal_table.h>

struct signal_queue {
    struct list entries[SIGNALS_MAX]; /* of signal N at N - 1 */
};

struct queued_signal {
    struct list link;
    int32_t error, code;
    uint32_t words[SIGNAL_INFO_WORDS];
};

static uint32_t queued_count; /* of all processes */

static struct list *list_of(const struct process *process, unsigned signal)
{
    return &process->signal_queue->entries[signal - 1];
}

static struct queued_signal *first_of(const struct process *process, unsigned signal)
{
    if (process->signal_queue == NULL || list_is_empty(list_of(process, signal)))
        return NULL;
    return container_of(list_of(process, signal)->next, struct queued_signal, link);
}

static enum kerr make_queue(struct process *process)
{
    void *block;
    if (process->signal_queue != NULL)
        return KERR_OK;
    if (kmalloc(sizeof(struct signal_queue), &block) != KERR_OK)
        return KERR_NO_MEMORY;
    process->signal_queue = block;
    for (unsigned signal = 1; signal <= SIGNALS_MAX; signal++)
        list_init(list_of(process, signal));
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
    list_add_last(list_of(process, signal), &entry->link);
    queued_count++;
    return KERR_OK;
}

bool signal_queue_tell(const struct process *process, unsigned signal, struct signal_info *info)
{
    const struct queued_signal *entry = first_of(process, signal);
    if (entry == NULL)
        return false;
    info->error = entry->error;
    info->code = entry->code;
    memcpy(info->words, entry->words, sizeof(entry->words));
    return true;
}

bool signal_queue_take(struct process *process, unsigned signal)
{
    struct queued_signal *entry = first_of(process, signal);
    if (entry == NULL)
        return false;
    list_remove(&entry->link);
    kfree(entry);
    queued_count--;
    return first_of(process, signal) != NULL;
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
