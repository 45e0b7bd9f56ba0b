/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The account of promises.
 *
 * Modes 0 and 1 only count. In mode 2 one sum stays below one limit (layer 1 keeps both):
 *
 *     promised to programs + taken by the kernel  <=  what they were, and what was free, when
 *                                                        counting began
 *
 * Why a touch of what was accepted then always finds its frame:
 *
 *   1. A memory is charged one frame for each charged page and one for each slot with a region.
 *   2. It can have no more tables than that: one for each slot that holds a region.
 *   3. It can have no more frames of its own: only pages that may be written need one, and a region
 *      is charged before it becomes writable, and stays so. A stack that grows in the fault path is
 *      charged there by 1, or does not grow.
 *   4. What several memories share is charged to each of them, so a copy is paid for already. What
 *      a shared object can need is charged to the object.
 *   5. Directories, records, region nodes and the heap are the kernel's: each page is counted when
 *      it is taken, and taken only within the same limit (mm/kernel_pages.h). A part of the limit
 *      is the kernel's alone.
 *   6. By 2-5 the sum covers every frame in use but those from before counting began.
 *   7. The limit is what the sum was then, plus the frames that were free. So
 *      accepted and without a frame yet  <=  growth of the sum - frames taken since
 *                                        <=  free then - frames taken since  =  free now.
 *
 * With swap there are frames and slots; call each a place. A touch may wait then:
 *
 *   8. An area adds to the limit its slots, less the frames that it has for itself (records, levels,
 *      one put by), less M = 32 slots that nobody is promised (file/calls_swap.c).
 *   9. A page or table that programs have is in one place, and charged by 1-5, whether that is a frame
 *      or a slot: who counts does not ask. It is in two of its entries only if one names the slot and
 *      another one the frame: then it is charged for both.
 *  10. It takes two places without that while it is written or read. Who lacks one waits for the end of
 *      both (store_reclaim()). If it is in RAM and still the same in its slot, the slot is given up
 *      when others lack one (if no entry names it), or the frame is (if none shows it).
 *  11. Tables of nobody, and what they hold, are charged to nobody. They are read before anybody is told
 *      that nothing can go, one at least, to the frame put by, which is free again then
 *      (store/swap_tables.c). So it takes a finite number of reads until there are none.
 *  12. So when 10 and 11 have come to their ends
 *      free frames + free slots  >=  limit + M - sum  >=  M,
 *      which is what 7 says, with slots. If a frame is free, the touch has it. Else M slots are,
 *      a page goes out to one of them, and the touch has its frame when it has been written. A
 *      page that comes back leaves its slot free by 10, so M is never used up.
 *  13. Some page in RAM has to be able to go. What can't is the kernel's, levels of objects, locked
 *      pages, and tables that forks share, or below which pages are in RAM. Nothing sees to it that
 *      these, and what one instruction needs at once, are less than RAM: see docs/limits.md.
 */
#include <kernel/layer.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <mm/heap.h>
#include <process/commit.h>

struct commit_account commit_account = {OVERCOMMIT_GUESS, UINT32_MAX};

enum {
    RESERVE_SHARE = 64,     /* one in so many frames is the kernel's alone, */
    RESERVE_FRAMES_MIN = 32 /* but not fewer than these */
};

/* ---- mode 2: what a memory can need ---- */

/* How many slots of [first_slot, last_slot] hold a region of SPACE. */
static uint32_t slots_in_use(const struct space *space, uint32_t first_slot, uint32_t last_slot)
{
    uint32_t slot = first_slot, count = 0;
    while (slot <= last_slot) {
        const struct vma *region = vma_at_or_above(space, slot_to_vaddr(slot));
        if (region == NULL || region->first_page / SLOT_PAGES > last_slot)
            break;
        if (slot < region->first_page / SLOT_PAGES)
            slot = region->first_page / SLOT_PAGES;
        uint32_t end = region->last_page / SLOT_PAGES;
        end = end < last_slot ? end : last_slot;
        count += end - slot + 1;
        slot = end + 1;
    }
    return count;
}

/* The limit would be kept. What the kernel holds in reserve is given back before it is not. */
static bool can_commit(uint32_t count)
{
    if (frame_can_commit(&frame_pool, count))
        return true;
    memory_give_all_back();
    heap_trim(&kernel_heap, 0);
    vma_trim();
    return frame_can_commit(&frame_pool, count);
}

/* COUNT frames are promised to MEMORY, if they may be, until the account follows. */
static bool take_for(struct memory *memory, uint32_t count)
{
    if (!can_commit(count))
        return false;
    commit_more(memory, count);
    return true;
}

bool commit_allows_exactly(struct memory *memory, uint32_t charged, uint32_t first_page,
                           uint32_t last_page)
{
    uint32_t first = first_page / SLOT_PAGES, last = last_page / SLOT_PAGES;
    uint32_t tables = last - first + 1 - slots_in_use(&memory->space, first, last);
    return take_for(memory, charged + tables);
}

bool commit_allows_room_exactly(struct memory *memory, uint32_t charged, uint32_t pages)
{
    return take_for(memory, charged + pages / SLOT_PAGES + 2); /* the slots of both ends */
}

void commit_follow_exactly(struct memory *memory)
{
    const struct space *space = &memory->space;
    commit_set(memory, space->charged_pages + slots_in_use(space, 0, KERNEL_FIRST_SLOT - 1));
}

/* ---- other charges ---- */

bool commit_take(uint32_t count)
{
    if (commit_account.mode == OVERCOMMIT_NEVER ? !can_commit(count)
                                                : count > commit_account.single_max)
        return false;
    frame_commit(&frame_pool, count);
    return true;
}

uint32_t commit_object_frames(uint32_t pages)
{
    uint32_t levels = (pages + SLOT_PAGES - 1) / SLOT_PAGES + 1;
    return commit_account.mode == OVERCOMMIT_NEVER ? pages + levels : pages;
}

/* ---- swap ---- */

bool commit_can_lose(uint32_t pages)
{
    return commit_account.mode != OVERCOMMIT_NEVER || can_commit(pages);
}

void commit_change_limit(int32_t pages)
{
    if (commit_account.mode == OVERCOMMIT_NEVER)
        frame_pool.commit_limit += (uint64_t)(int64_t)pages;
    else if (commit_account.mode == OVERCOMMIT_GUESS)
        commit_account.single_max += (uint32_t)pages;
}

/* ---- the start ---- */

void commit_start(enum overcommit mode)
{
    uint32_t ram = frame_pool.frames - frame_pool.totals[FRAME_RESERVED];
    uint32_t reserve = ram / RESERVE_SHARE;
    reserve = reserve > RESERVE_FRAMES_MIN ? reserve : RESERVE_FRAMES_MIN;
    commit_account.mode = mode;
    commit_account.single_max = mode == OVERCOMMIT_GUESS ? ram : UINT32_MAX;
    if (mode == OVERCOMMIT_NEVER)
        frame_limit_promises(&frame_pool,
                             frame_pool.committed + frame_pool.kernel_frames +
                                 frame_available(&frame_pool),
                             reserve);
    else
        frame_limit_promises(&frame_pool, UINT64_MAX, 0);
}

OPTION(overcommit, "overcommit", OPTION_NUMBER, .max = OVERCOMMIT_NEVER);

static enum kerr commit_layer_init(__attribute__((unused)) const struct boot_info *boot)
{
    commit_start(overcommit_option.is_given ? (enum overcommit)overcommit_option.number
                                            : OVERCOMMIT_GUESS);
    return KERR_OK;
}

/* After all others: what they took for good is not to be promised. */
LAYER(08z, "commit", commit_layer_init);
