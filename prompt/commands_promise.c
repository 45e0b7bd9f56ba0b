/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands to try promises: reserve, touch, release.
 *
 * They play in the lower 3 GiB of the boot space, for the supervisor alone. Each says how many
 * frames it took or gave back: the difference between a promise and memory.
 */
#include <kernel/channel.h>
#include <kernel/fault.h>
#include <kernel/printk.h>
#include <mm/frame.h>
#include <mm/space.h>
#include <prompt/prompt.h>
#include <store/cache.h>

enum {
    NAMES = 16, /* so many reservations side by side stay apart */
    NAME_BYTES = 16,
};

/* Frames and faults before a command, for the difference after it. */
struct snapshot {
    uint32_t free, anonymous, tables, faults;
};

static struct snapshot take_snapshot(void)
{
    return (struct snapshot){frame_pool.totals[FRAME_FREE], frame_pool.totals[FRAME_ANONYMOUS],
                             frame_pool.totals[FRAME_TABLE], fault_counters.total};
}

static void print_difference(const struct snapshot *before)
{
    struct snapshot after = take_snapshot();
    bool fewer = after.free <= before->free;

    printk("  page faults: %u; frames %s: %u", (unsigned)(after.faults - before->faults),
           fewer ? "taken" : "given back",
           (unsigned)(fewer ? before->free - after.free : after.free - before->free));
    if (after.free != before->free)
        printk(" (pages: %d, tables: %d)",
               (int)(fewer ? after.anonymous - before->anonymous
                           : before->anonymous - after.anonymous),
               (int)(fewer ? after.tables - before->tables : before->tables - after.tables));
    printk("; free now: %u\n", (unsigned)after.free);
}

/* Regions merge with neighbours of the same name: each reservation gets its own. */
static const char *next_name(void)
{
    static char names[NAMES][NAME_BYTES];
    static unsigned number;
    char *name = names[number % NAMES];

    number++;
    format_text(name, NAME_BYTES, "prompt %u", (number - 1) % NAMES + 1);
    return name;
}

COMMAND("reserve", "SIZE", "promise SIZE bytes in the lower 3 GiB")
{
    struct snapshot before = take_snapshot();
    uint32_t bytes;
    uint32_t pages;
    vaddr_t first;
    enum kerr error;

    if (!argument_size(arguments->word[0], &bytes))
        return false;
    pages = bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
    error = vma_reserve(&boot_space, pages, RIGHTS_READ_WRITE, next_name(), &first);
    if (error != KERR_OK) {
        printk("%u pages can't be reserved: %s\n", (unsigned)pages, kerr_text(error));
        return true;
    }
    printk("  reserved " PRI_VADDR " to " PRI_VADDR " (%u pages)\n", ARG_VADDR(first),
           ARG_VADDR(vaddr_add(first, (pages << PAGE_SHIFT) - 1)), (unsigned)pages);
    print_difference(&before);
    return true;
}

/* Read a word at ADDRESS and write it back: whatever lies there, nothing is changed. */
static enum fault_result touch_once(vaddr_t address)
{
    uint32_t value;
    enum fault_result result = probe_read(address, &value);

    if (result == FAULT_RESOLVED)
        result = probe_write(address, value);
    return result;
}

/* Pages of files go, and where there is swap those that were touched before. False: nothing can go. */
static bool make_room(void)
{
    enum { ENOUGH_FRAMES = 64 };
    uint32_t freed;
    enum kerr error = store_reclaim_at_last(ENOUGH_FRAMES, &freed);

    if (error == KERR_MUST_WAIT)
        channel_poll();
    return error != KERR_NO_MEMORY;
}

static enum fault_result touch(vaddr_t address)
{
    enum fault_result result = touch_once(address);

    for (; result == FAULT_MUST_WAIT || (result == FAULT_NO_MEMORY && make_room());
         result = touch_once(address))
        if (result == FAULT_MUST_WAIT)
            channel_poll();
    return result;
}

COMMAND("touch", "ADDR [SIZE]", "write one word of every page there")
{
    struct snapshot before = take_snapshot();
    enum fault_result result = FAULT_RESOLVED;
    uint32_t bytes = 1;
    uint32_t pages;
    uint32_t done = 0;
    vaddr_t page;

    if (!argument_address(arguments->word[0], &page) ||
        (arguments->count > 1 && !argument_size(arguments->word[1], &bytes)))
        return false;
    if (bytes == 0) {
        printk("0 bytes: there is nothing to be written\n");
        return false;
    }
    if (page.v + (bytes - 1) < page.v) {
        printk("%u bytes from " PRI_VADDR " on do not lie below 4 GiB\n", (unsigned)bytes,
               ARG_VADDR(page));
        return false;
    }
    pages = ((page.v + (bytes - 1)) >> PAGE_SHIFT) - (page.v >> PAGE_SHIFT) + 1;
    page = vaddr_to_page(page);
    for (; done < pages && result == FAULT_RESOLVED; page = vaddr_add(page, PAGE_BYTES)) {
        result = touch(page);
        done += result == FAULT_RESOLVED;
    }
    if (result == FAULT_NO_MEMORY)
        printk("  out of memory after %u of %u pages\n", (unsigned)done, (unsigned)pages);
    else
        printk("  wrote to %u of %u pages\n", (unsigned)done, (unsigned)pages);
    if (result == FAULT_IO_ERROR)
        printk("  what stands behind the next page can't be read\n");
    if (result == FAULT_BAD_ACCESS)
        printk("  " PRI_VADDR " may not be written (walk tells why)\n",
               ARG_VADDR(vaddr_add(page, 0 - PAGE_BYTES)));
    print_difference(&before);
    return true;
}

COMMAND("release", "ADDR", "give back the reservation that holds an address")
{
    struct snapshot before = take_snapshot();
    const struct vma *region;
    vaddr_t address;
    vaddr_t first;
    uint32_t pages;
    enum kerr error;

    if (!argument_address(arguments->word[0], &address))
        return false;
    region = address.v < KERNEL_BASE ? vma_find(&boot_space, address) : NULL;
    if (region == NULL) {
        printk("nothing is reserved at " PRI_VADDR "%s: try regions\n", ARG_VADDR(address),
               address.v < KERNEL_BASE ? "" : " by reserve");
        return true;
    }
    first = vma_start(region);
    pages = vma_pages(region);
    error = vma_release(&boot_space, first, pages);
    if (error != KERR_OK) {
        printk("can't be released: %s\n", kerr_text(error));
        return true;
    }
    printk("  released " PRI_VADDR " to " PRI_VADDR " (%u pages)\n", ARG_VADDR(first),
           ARG_VADDR(vaddr_add(first, (pages << PAGE_SHIFT) - 1)), (unsigned)pages);
    print_difference(&before);
    return true;
}
