/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. When frames run out: what is given back first, and who ends.
 *
 * The rule: the memory with the largest footprint goes, that is, the one whose end gives most
 * frames back: tables and pages that nobody shares, its directory, its part of shared anonymous
 * objects, and what its processes hold of the kernel (pipes, what an execve staged). Of equals, the
 * one whose process has the higher number. All processes that use it end.
 * Process 1 is spared while there is anyone else. Every end gives at least a directory back, so no
 * choice is made for nothing. Exit and report take no frame, so none is set aside for them.
 * In overcommit mode 2 what was promised is there, and only who wants more of the kernel ends.
 */
#include <process/victim.h>

#include <arch/i386/entry.h>
#include <kernel/printk.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/object.h>
#include <process/commit.h>
#include <process/part.h>
#include <process/signal.h>
#include <store/cache.h>
#include <store/swap.h>

enum {
    ENOUGH_FRAMES = 16, /* free ones: then whoever lacked a frame goes on */
    CANDIDATES = 8,     /* of one look at all processes; small ones go several at a time */
};

static uint32_t kib(uint32_t frames)
{
    return frames * (PAGE_BYTES / 1024);
}

/* ---- footprints, in frames ---- */

/* Frames below TABLE that only it refers to, and which are not a file's. */
static uint32_t count_sole_frames(frame_t table)
{
    const uint32_t *entries = temp_map(TEMP_FRAME, table);
    uint32_t count = 0;
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t entry = {entries[i]};
        if (pte_holds_frame(entry) && !pte_is_swapped(entry) &&
            !(entry.bits & PTE_SHARED_MAPPING) &&
            frame_references(&frame_pool, pte_frame(entry)) == 1)
            count++;
    }
    temp_unmap(TEMP_FRAME);
    return count;
}

/* Tables of SPACE that nobody shares, and what of them comes back at most, or exactly. */
enum count_how { COUNT_AT_MOST, COUNT_EXACTLY };

static uint32_t count_tables(const struct space *space, enum count_how how)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT;) {
        pde_t pde = space_pde_read(space, slot);
        slot += space_pde_run(space, slot, KERNEL_FIRST_SLOT - slot);
        if (!pde_is_table(pde) || frame_references(&frame_pool, pde_frame(pde)) != 1)
            continue;
        frame_t table = pde_frame(pde);
        count += 1 + (how == COUNT_EXACTLY ? count_sole_frames(table)
                                           : frame_record(&frame_pool, table)->used_entries);
    }
    return count;
}

/* The part that regions of SPACE stand for of objects that end with the last region. */
static uint32_t count_object_frames(const struct space *space)
{
    uint32_t count = 0;
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region))
        if (region->object != NULL && region->object->owner == NULL)
            count += object_frames_in_ram(region->object) / region->object->references;
    return space->shared_end != NULL ? count / space->shared_end->users : count;
}

/*
 * What PROCESS holds of the kernel beside its memory: what its parts have, and what a call of its
 * that lacked a frame had taken. It gave that back, and takes it again when it is repeated.
 */
static uint32_t held_by(const struct process *process)
{
    return process_parts_footprint(process) + process->staged_frames;
}

/* The same of all that use MEMORY; PROCESS is one of them. */
static uint32_t count_all_holdings(const struct memory *memory, const struct process *process)
{
    uint32_t count = 0;
    if (memory->references == 1)
        return held_by(process);
    for (process = process_next(NULL); process != NULL; process = process_next(process))
        count += process->memory == memory ? held_by(process) : 0;
    return count;
}

/* HELD are the holdings of those who use MEMORY. */
static uint32_t footprint(const struct memory *memory, uint32_t held, enum count_how how)
{
    return !space_is_folded(&memory->space) + count_tables(&memory->space, how) +
           count_object_frames(&memory->space) + held;
}

/* ---- the choice ---- */

struct candidate {
    struct memory *memory;
    uint32_t frames;
};

struct choice {
    struct candidate list[CANDIDATES]; /* the largest first */
    uint32_t count;
};

/* CANDIDATE is at least as large as the last of the full list. */
static void choice_add(struct choice *choice, struct candidate candidate)
{
    uint32_t i = choice->count < CANDIDATES ? choice->count++ : CANDIDATES - 1;
    for (; i > 0 && choice->list[i - 1].frames <= candidate.frames; i--)
        choice->list[i] = choice->list[i - 1];
    choice->list[i] = candidate;
}

static bool choice_has(const struct choice *choice, const struct memory *memory)
{
    for (uint32_t i = 0; i < choice->count; i++)
        if (choice->list[i].memory == memory)
            return true;
    return false;
}

/*
 * The largest footprints but SPARED's. What can't be among them by the entries in use of its tables
 * is not counted exactly.
 */
static void choose(struct choice *choice, const struct memory *spared)
{
    choice->count = 0;
    for (struct process *process = process_next(NULL); process != NULL;
         process = process_next(process)) {
        struct memory *memory = process->memory;
        if (memory == NULL || memory == spared || choice_has(choice, memory))
            continue;
        uint32_t least = choice->count < CANDIDATES ? 0 : choice->list[CANDIDATES - 1].frames;
        uint32_t held = count_all_holdings(memory, process);
        if (footprint(memory, held, COUNT_AT_MOST) < least)
            continue;
        uint32_t frames = footprint(memory, held, COUNT_EXACTLY);
        if (frames >= least)
            choice_add(choice, (struct candidate){memory, frames});
    }
}

/* ---- the end ---- */

/* All that use CANDIDATE's memory end, and it is given back. */
static void end(const struct candidate *candidate, uint32_t asker)
{
    for (struct process *process = process_next(NULL); process != NULL;
         process = process_next(process)) {
        if (process->memory != candidate->memory)
            continue;
        printk("out of memory: process %u (%s) ends, the largest footprint: %u KiB; "
               "process %u lacked a frame\n",
               process->pid, process->name, kib(candidate->frames), asker);
        process_exit(process, SIGKILL);
    }
    process_finish_exits();
}

/* Memory that nobody has any more, and frames that the kernel keeps for its own comfort. */
static void give_reserves_back(void)
{
    memory_give_all_back();
    heap_trim(&kernel_heap, 0);
    vma_trim();
}

bool victim_give_cache_back(void)
{
    uint32_t freed;
    enum kerr error = store_reclaim_at_last(ENOUGH_FRAMES, &freed);
    if (error == KERR_MUST_WAIT)
        process_wait_for_page();
    return error != KERR_NO_MEMORY;
}

static bool is_enough(void)
{
    return frame_available(&frame_pool) >= ENOUGH_FRAMES;
}

/* The kernel has to stay within what mode 2 leaves to it. */
static bool may_grow(void)
{
    return commit_account.mode != OVERCOMMIT_NEVER || frame_can_grow(&frame_pool, ENOUGH_FRAMES);
}

/* In mode 2 what lacks is never what was promised: nobody but SELF, who wants it, has to go. */
static void end_alone(struct process *self)
{
    printk("out of memory: process %u (%s) ends: the kernel has no frame left for it that is not "
           "promised\n",
           self->pid, self->name);
    process_exit(self, SIGKILL);
    process_finish_exits();
}

void victim_make_room(struct process *self, uint32_t free_then)
{
    uint32_t asker = self->pid;
    give_reserves_back();
    if (is_enough() && may_grow() && frame_available(&frame_pool) > free_then)
        return;
    /* Who lacked a frame though there were some wanted one for the kernel; else it may be one that was promised. */
    if (victim_give_cache_back() && (may_grow() || free_then < ENOUGH_FRAMES))
        return;
    if (commit_account.mode == OVERCOMMIT_NEVER) {
        end_alone(self);
        return;
    }
    const struct process *first = process_reaper();
    struct choice choice;
    choose(&choice, first != NULL ? first->memory : NULL);
    if (choice.count == 0)
        choose(&choice, NULL);
    for (uint32_t i = 0; i < choice.count; i++) {
        end(&choice.list[i], asker);
        give_reserves_back();
        if (is_enough())
            return;
    }
}
