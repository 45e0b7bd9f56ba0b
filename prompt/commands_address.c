/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands about addresses: map, regions. They read entries and regions only.
 */
#include "commands.h"

#include <file/file.h>
#include <kernel/early.h>
#include <kernel/printk.h>
#include <mm/frame.h>
#include <mm/space.h>
#include <mm/zero.h>
#include <prompt/prompt.h>

enum { REGIONS_SHOWN_MAX = 40 };

/* ---- counting ---- */

bool is_zero_frame(frame_t frame)
{
    return frame.n < frame_pool.frames && frame_kind(&frame_pool, frame) == FRAME_ZERO;
}

/* The same as count_pages, within one slot. */
static void count_in_slot(vaddr_t first, uint32_t pages, struct page_count *count)
{
    struct translation t;

    paging_query(first, &t);
    if (!pde_is_present(t.pde))
        return;
    if (pde_is_large(t.pde)) {
        count->real += pages;
        return;
    }
    if (zero_slot_is_untouched(vaddr_to_slot(first))) {
        count->promised += pages;
        return;
    }
    for (uint32_t i = 0; i < pages; i++) {
        paging_query(vaddr_add(first, i << PAGE_SHIFT), &t);
        if (!pte_holds_frame(t.pte))
            continue;
        if (is_zero_frame(pte_frame(t.pte)))
            count->promised++;
        else
            count->real++;
    }
}

void count_pages(vaddr_t first, uint32_t pages, struct page_count *count)
{
    while (pages > 0) {
        uint32_t in_slot = SLOT_PAGES - vaddr_to_pte_idx(first);

        if (in_slot > pages)
            in_slot = pages;
        count_in_slot(first, in_slot, count);
        first = vaddr_add(first, in_slot << PAGE_SHIFT);
        pages -= in_slot;
    }
}

/* ---- map ---- */

static void print_area(vaddr_t first, uint32_t pages, const char *what)
{
    struct page_count count = {0, 0};

    if (pages == 0)
        return;
    count_pages(first, pages, &count);
    printk("%5u  0x%08x-0x%08x  %-27s %7u %7u %7u\n", (unsigned)vaddr_to_slot(first),
           (unsigned)first.v, (unsigned)(first.v + ((pages - 1) << PAGE_SHIFT) + PAGE_BYTES - 1),
           what, (unsigned)pages, (unsigned)count.promised, (unsigned)count.real);
}

static void print_bytes(uint32_t base, uint32_t bytes, const char *what)
{
    print_area(VADDR(base), bytes >> PAGE_SHIFT, what);
}

static void print_image_part(const char *start, const char *end, const char *what)
{
    print_bytes(pointer_to_vaddr(start).v, (uint32_t)(end - start), what);
}

COMMAND("map", "", "the address space: what is where")
{
    printk(" slot  addresses              what                          pages     of these\n"
           "                                                         of room promised    real\n");
    print_bytes(USER_FIRST_ADDRESS, KERNEL_BASE - USER_FIRST_ADDRESS, "programs");
    print_bytes(KERNEL_BASE + VGA_TEXT_PHYSICAL, VGA_TEXT_BYTES, "VGA text        rw-");
    print_image_part(text_start, text_end, "kernel text     r-x");
    print_image_part(rodata_start, rodata_end, "kernel rodata   r--");
    print_image_part(data_start, stack_guard, "kernel data     rw-");
    print_image_part(stack_guard, stack_bottom, "stack guard     ---");
    print_image_part(stack_bottom, stack_top, "kernel stack    rw-");
    print_bytes(FRAME_TABLE_BASE, FRAME_TABLE_ROOM_BYTES, "frame table and bitmap");
    print_bytes(REGION_NODES_BASE, REGION_NODES_ROOM_BYTES, "region nodes");
    print_bytes(PROCESS_RECORDS_BASE, PROCESS_RECORDS_ROOM_BYTES, "process records");
    print_bytes(DIRECTORIES_BASE, DIRECTORIES_ROOM_BYTES, "directories");
    print_bytes(HEAP_BASE, HEAP_ROOM_BYTES, "heap");
    print_bytes(DEVICE_BASE, DEVICE_ROOM_BYTES, "devices");
    print_bytes(TEMP_BASE, SLOT_BYTES, "temporary mappings");
    print_bytes(ALT_WINDOW_BASE, SLOT_BYTES, "alternate window");
    print_bytes(WINDOW_BASE, SLOT_BYTES, "window: the tables in use");
    return true;
}

/* ---- regions ---- */

const char *region_text(const struct vma *region, char *text, uint32_t bytes)
{
    return region->name == file_region_name ? file_path_of_object(region->object, text, bytes)
                                            : region->name;
}

void print_region(const struct vma *region)
{
    static const char *const kinds[] = {
        [VMA_PROMISE] = "promise", [VMA_OBJECT] = "object", [VMA_FIXED] = "fixed"};

    printk("  0x%08x-0x%08x  %c%c%c%c %9u KiB  %-7s  %s\n", (unsigned)vma_start(region).v,
           (unsigned)(region->last_page << PAGE_SHIFT | (PAGE_BYTES - 1)),
           region->rights & RIGHTS_READ ? 'r' : '-', region->rights & RIGHTS_WRITE ? 'w' : '-',
           region->rights & RIGHTS_EXECUTE ? 'x' : '-', region->rights & RIGHTS_USER ? 'u' : '-',
           (unsigned)(vma_pages(region) * KIB_PER_PAGE), kinds[region->kind], region->name);
}

static void print_regions(const struct space *space)
{
    unsigned number = 0;

    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region)) {
        number++;
        if (number <= REGIONS_SHOWN_MAX)
            print_region(region);
    }
    if (number == 0)
        printk("  none\n");
    if (number > REGIONS_SHOWN_MAX)
        printk("  ... and %u more\n", number - REGIONS_SHOWN_MAX);
}

COMMAND("regions", "", "what is reserved, region by region")
{
    printk("lower 3 GiB (directory %u):\n", (unsigned)directory_current());
    print_regions(space_current());
    printk("kernel:\n");
    print_regions(&kernel_space);
    return true;
}
