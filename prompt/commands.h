/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Uses: layers 0-5, process. Used by: prompt/commands_*.c.
 *
 * What several commands look up.
 */
#ifndef PROMPT_COMMANDS_H
#define PROMPT_COMMANDS_H

#include <mm/paging.h>
#include <process/process.h>

enum { KIB_PER_PAGE = PAGE_BYTES / 1024 };

/* ---- the current space ---- */

struct page_count {
    uint32_t promised; /* present, by way of the zero frame or a zero table */
    uint32_t real;     /* backed by a frame of their own, or by one shared with others */
};

/* Add what the entries say about PAGES pages from FIRST on, as seen in the current space. */
void count_pages(vaddr_t first, uint32_t pages, struct page_count *count);

/* ---- frames and regions (commands_address.c) ---- */

/* FRAME, which may be no RAM, holds nothing but zeros, by promise. */
bool is_zero_frame(frame_t frame);

/* What REGION shows: the path of its file, in TEXT of BYTES bytes, or its name. */
const char *region_text(const struct vma *region, char *text, uint32_t bytes);

/* A line that says where REGION is, its rights and what it is. */
void print_region(const struct vma *region);

/* ---- processes and their spaces (commands_space.c) ---- */

/* Arguments: a pid. Returns NULL after a line that says what is wrong with WORD. */
struct process *argument_process(const char *word);

/* The same, of a process that has a memory: no zombie. */
struct process *argument_process_alive(const char *word);

/* What an entry that holds a frame shows, and who else sees it. */
enum page_use {
    PAGE_NONE,    /* no entry */
    PAGE_ZERO,    /* the zero frame */
    PAGE_SHARED,  /* a frame that others have, or a table that others have, until one writes */
    PAGE_PRIVATE, /* a frame that nobody else has */
    PAGE_MAPPING, /* a file's own frame, or that of shared memory */
    PAGE_IN_SLOT, /* in a swap slot */
    PAGE_USES
};
enum page_use page_use_of(pde_t pde, pte_t pte);

/* What a space holds, by pages and by tables; the zero tables are in `pages` alone. */
struct space_use {
    uint32_t pages[PAGE_USES];
    uint32_t sole_tables, shared_tables, tables_out;
};

/*
 * Count the lower half of SPACE, which need not be the current one. The cost does not grow with
 * what is promised, and a table that many share is looked into once.
 */
void count_space(const struct space *space, struct space_use *use);

/* Tables may have changed since the last count_space(): called at the start of a command. */
void count_space_anew(void);

/* Count PAGES pages from FIRST on into USE, in the space that the alternate window is aimed at. */
void count_range(vaddr_t first, uint32_t pages, struct space_use *use);

#endif
