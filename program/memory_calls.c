/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. What the memory calls have in common (memory_calls.h).
 */
#include "memory_calls.h"

/* With so many frames left it is not frames that lack, but nodes, of which there is a fixed
 * array. */
enum { SHORTAGE_FRAMES = 16 };

/* In mode 2 nobody ends for a call: it waits for what can go, and else fails. */
int32_t memory_call_failed(enum kerr error)
{
    if (error == KERR_NO_MEMORY && commit_account.mode == OVERCOMMIT_NEVER)
        return process_lacks_frames(-ENOMEM);
    if (error == KERR_NO_MEMORY && frame_available(&frame_pool) < SHORTAGE_FRAMES)
        return process_out_of_memory();
    return error == KERR_MUST_WAIT ? process_must_wait() : error_number_of(error);
}

uint32_t count_pages_in(const struct space *space, uint32_t first_page, uint32_t last_page,
                        uint32_t flags)
{
    uint32_t count = 0;
    const struct vma *region = vma_at_or_above(space, VADDR(first_page << PAGE_SHIFT));
    for (; region != NULL && region->first_page <= last_page; region = vma_next(region)) {
        if ((region->flags & flags) != flags)
            continue;
        uint32_t first = first_page > region->first_page ? first_page : region->first_page;
        uint32_t last = last_page < region->last_page ? last_page : region->last_page;
        count += last - first + 1;
    }
    return count;
}

bool is_edge_inside_region(const struct space *space, uint32_t first_page, uint32_t last_page)
{
    const struct vma *first = vma_find(space, VADDR(first_page << PAGE_SHIFT));
    const struct vma *last = vma_find(space, VADDR(last_page << PAGE_SHIFT));
    return (first != NULL && first->first_page < first_page) ||
           (last != NULL && last->last_page > last_page);
}

uint32_t count_data_pages(const struct space *space)
{
    uint32_t count = 0;
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region))
        if (is_data(region->rights, region->flags))
            count += vma_pages(region);
    return count;
}

/* ---- in pieces ---- */

/* PROGRESS_STEPS: the next page. */
static void populate_piece(struct process *self, uint32_t first_page);

static int32_t populate_rest(struct trap_frame *frame)
{
    struct process *self = process_of_frame(frame);
    int32_t result = (int32_t)frame->eax;
    populate_piece(self, progress_of(self, PROGRESS_STEPS));
    return result;
}

static void populate_piece(struct process *self, uint32_t first_page)
{
    uint32_t next_page = first_page, last_page = self->progress.last;
    enum kerr error = memory_populate(self->memory, &next_page, last_page, CALL_PIECE_PAGES);
    if (error == KERR_NO_MEMORY) {
        process_request_room();
    } else if (error == KERR_MUST_WAIT) { /* the piece anew: what is real by then is no work */
        process_wait_for_page();
        call_go_on_in(self, populate_rest, PROGRESS_STEPS, first_page);
    } else if (next_page <= last_page) {
        call_go_on_in(self, populate_rest, PROGRESS_STEPS, next_page);
    }
}

void populate_mapping(struct process *self, uint32_t first_page, uint32_t pages)
{
    self->progress.last = first_page + pages - 1;
    populate_piece(self, first_page);
}

/* So many pages from PAGE on are a piece. Where there are many regions, no more than may be regions. */
static uint32_t piece_from(const struct space *space, uint32_t page, uint32_t end)
{
    enum { PIECE_PAGES = 64 * SLOT_PAGES };
    uint32_t most = space->region_count <= AT_ONCE_REGIONS ? PIECE_PAGES : AT_ONCE_REGIONS;
    return end - page < most ? end - page : most;
}

/* PROGRESS_STEPS: the next page. What is found outside of the range is of another one, which the same
 * call has emptied before. */
static uint32_t next_page_in(const struct process *self, uint32_t first_page, uint32_t end)
{
    uint32_t page = progress_of(self, PROGRESS_STEPS);
    return page < first_page || page > end ? first_page : page;
}

static int32_t discard_piece(struct process *self, uint32_t page, uint32_t pages)
{
    enum kerr error = vma_discard(&self->memory->space, VADDR(page << PAGE_SHIFT), pages);
    if (error != KERR_OK)
        return memory_call_failed(error);
    return call_continue(self, PROGRESS_STEPS, page + pages);
}

int32_t discard_in_pieces(struct process *self, uint32_t first_page, uint32_t pages)
{
    uint32_t end = first_page + pages, page = next_page_in(self, first_page, end);
    return page == end ? 0 : discard_piece(self, page, piece_from(&self->memory->space, page, end));
}

/*
 * Regions that end in a piece go with it, and with them all that is below in the range: so no edge
 * but the range's own is ever cut. Of a region that is longer than a piece the frames go first.
 */
int32_t unmap_in_pieces(struct process *self, uint32_t first_page, uint32_t pages)
{
    struct space *space = &self->memory->space;
    uint32_t end = first_page + pages, page = next_page_in(self, first_page, end);
    const struct vma *first = vma_at_or_above(space, VADDR(first_page << PAGE_SHIFT));
    if (page == end || first == NULL || first->first_page >= end)
        return 0;
    uint32_t piece_end = page + piece_from(space, page, end);
    const struct vma *last = vma_find(space, VADDR((piece_end - 1) << PAGE_SHIFT));
    if (last != NULL && last->last_page >= piece_end && last->first_page <= page)
        return discard_piece(self, page, piece_end - page);
    if (last != NULL && last->last_page >= piece_end)
        piece_end = last->first_page;
    memory_regions_change(self->memory);
    enum kerr error = vma_release(space, VADDR(first_page << PAGE_SHIFT), piece_end - first_page);
    if (error != KERR_OK && error != KERR_NOT_FOUND)
        return memory_call_failed(error);
    settle(self);
    return call_continue(self, PROGRESS_STEPS, piece_end);
}
