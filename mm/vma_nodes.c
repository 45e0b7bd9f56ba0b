/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. The array of region nodes, page by page.
 *
 *      page 0                    page 1                    page 2
 *     | head | n n . n n n . n | head | n n n n n n n n | (a promise)     ...
 *          `-> free nodes of this page, linked by `parent`
 *
 * Pages with free nodes form a list; a page that has none in use is given back, but for one. Which
 * pages are real stands in a bitmap of real memory: the lowest is used first.
 */
#include "vma_nodes.h"

#include <kernel/panic.h>
#include <mm/kernel_pages.h>

_Static_assert(sizeof(void *) != 4 || sizeof(struct vma) <= REGION_NODE_BYTES, "region node size");

enum { NODE_PAGES = REGION_NODES_ROOM_BYTES / PAGE_BYTES };

struct node_page {
    struct node_page *next, *previous; /* in the list of pages with free nodes */
    struct rb_node *free;
    uint32_t used;
};

enum { NODES_PER_PAGE = (PAGE_BYTES - sizeof(struct node_page)) / sizeof(struct vma) };

static uint32_t is_real[NODE_PAGES / 32];
static uint32_t lowest_hint;         /* every page below it is real */
static struct node_page *with_free;  /* the list */
static struct node_page *kept_empty; /* the one page in it without a node in use; NULL: none */
static uint32_t free_count, real_pages;

uint32_t nodes_in_use(void)
{
    return real_pages * NODES_PER_PAGE - free_count;
}

static vaddr_t page_address(uint32_t index)
{
    return VADDR(REGION_NODES_BASE + (index << PAGE_SHIFT));
}

/* ---- the list of pages with free nodes ---- */

static void list_add(struct node_page *page)
{
    page->previous = NULL;
    page->next = with_free;
    if (with_free != NULL)
        with_free->previous = page;
    with_free = page;
}

static void list_remove(struct node_page *page)
{
    if (page->previous != NULL)
        page->previous->next = page->next;
    else
        with_free = page->next;
    if (page->next != NULL)
        page->next->previous = page->previous;
}

/* ---- pages ---- */

static bool find_page(uint32_t *index)
{
    for (uint32_t i = lowest_hint; i < NODE_PAGES; i++)
        if (!(is_real[i / 32] >> i % 32 & 1)) {
            *index = lowest_hint = i;
            return true;
        }
    return false;
}

static enum kerr add_page(void)
{
    uint32_t index;
    if (!find_page(&index))
        return KERR_NO_MEMORY;
    enum kerr error = kernel_pages_make_real(page_address(index), 1);
    if (error != KERR_OK)
        return error;
    is_real[index / 32] |= 1u << index % 32;
    real_pages++;

    struct node_page *page = vaddr_to_pointer(page_address(index));
    struct vma *nodes = (struct vma *)(page + 1);
    page->free = NULL;
    page->used = 0;
    for (uint32_t i = NODES_PER_PAGE; i-- > 0;) {
        nodes[i].node.parent = page->free;
        page->free = &nodes[i].node;
    }
    free_count += NODES_PER_PAGE;
    list_add(page);
    if (kept_empty == NULL)
        kept_empty = page;
    return KERR_OK;
}

/* No node of PAGE is in use. */
static void give_page_back(struct node_page *page)
{
    vaddr_t address = pointer_to_vaddr(page);
    uint32_t index = (address.v - REGION_NODES_BASE) >> PAGE_SHIFT;
    list_remove(page);
    free_count -= NODES_PER_PAGE;
    real_pages--;
    is_real[index / 32] &= ~(1u << index % 32);
    if (index < lowest_hint)
        lowest_hint = index;
    kernel_pages_discard(address, 1);
}

/* ---- nodes ---- */

enum kerr nodes_prepare(uint32_t count)
{
    while (free_count < count) {
        enum kerr error = add_page();
        if (error != KERR_OK)
            return error;
    }
    return KERR_OK;
}

struct vma *node_take(void)
{
    struct node_page *page = with_free;
    struct rb_node *node = page->free;
    page->free = node->parent;
    page->used++;
    free_count--;
    if (page->free == NULL)
        list_remove(page);
    if (page == kept_empty)
        kept_empty = NULL;
    return container_of(node, struct vma, node);
}

void node_give(struct vma *region)
{
    struct node_page *page = vaddr_to_pointer(vaddr_to_page(pointer_to_vaddr(region)));
    if (page->free == NULL)
        list_add(page);
    region->node.parent = page->free;
    page->free = &region->node;
    page->used--;
    free_count++;
    if (page->used > 0)
        return;
    if (kept_empty == NULL)
        kept_empty = page;
    else
        give_page_back(page);
}

void nodes_trim(void)
{
    if (kept_empty == NULL)
        return;
    give_page_back(kept_empty);
    kept_empty = NULL;
}

/* ---- checking ---- */

/* By its entry. */
static bool page_is_real(uint32_t index)
{
    struct translation t;
    paging_query(page_address(index), &t);
    return t.has_pte && pde_is_own_table(t.pde) && pte_is_writable(t.pte);
}

/* The free nodes of PAGE, as its list says; ~0: the list leads out of the page, or in a circle. */
static uint32_t free_nodes(const struct node_page *page)
{
    uint32_t count = 0;
    for (const struct rb_node *node = page->free; node != NULL; node = node->parent) {
        uint32_t offset = pointer_to_vaddr(node).v - pointer_to_vaddr(page).v;
        if (offset < sizeof(*page) || offset >= PAGE_BYTES || count == NODES_PER_PAGE)
            return ~0u;
        count++;
    }
    return count;
}

static const char *check_list(uint32_t pages)
{
    const struct node_page *previous = NULL;
    for (const struct node_page *page = with_free; page != NULL; page = page->next, pages--) {
        if (page->previous != previous || page->free == NULL || pages == 0)
            return "the list of node pages holds those with free nodes, each once";
        previous = page;
    }
    return pages == 0 ? NULL : "the list of node pages holds those with free nodes, each once";
}

const char *nodes_check(uint32_t in_use)
{
    uint32_t real = 0, free = 0, listed = 0;
    for (uint32_t i = 0; i < NODE_PAGES; i++) {
        if ((is_real[i / 32] >> i % 32 & 1) != page_is_real(i))
            return "a page of region nodes is real if and only if its bit says so";
        if (!page_is_real(i))
            continue;
        const struct node_page *page = vaddr_to_pointer(page_address(i));
        uint32_t count = free_nodes(page);
        if (count == ~0u || count + page->used != NODES_PER_PAGE)
            return "a region node is in use or in its page's list";
        real++;
        free += count;
        listed += count > 0;
    }
    if (real != real_pages || free != free_count || nodes_in_use() != in_use)
        return "every region node in use is a region's";
    return check_list(listed);
}
