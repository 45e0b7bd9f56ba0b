/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. /proc/PID: the memory of a process: maps, smaps, how much there is, its arguments and its
 * environment.
 * Source: Linux manual pages proc_pid_maps(5), proc_pid_smaps(5), proc_pid_environ(5).
 */
#include <arch/i386/entry.h>
#include <kernel/string.h>
#include <mm/frame.h>

#include "proc.h"

/* ---- how much there is ---- */

static enum frame_kind kind_of(frame_t frame)
{
    return frame.n < frame_pool.frames ? frame_kind(&frame_pool, frame) : FRAME_RESERVED;
}

/* Pages that have a frame, in a range of pages. */
struct resident {
    uint32_t pages, of_files;
    uint32_t shared,
        shared_of_files; /* that others have, too, by their entries or a table of theirs */
    uint64_t bytes;      /* each page divided by those who have it */
    uint32_t tables;
};

/* An entry of a table that TABLE_USERS have leads to FRAME. An object has a reference of its own. */
static void count_frame(frame_t frame, enum frame_kind kind, uint32_t table_users, bool is_objects,
                        struct resident *found)
{
    uint32_t references = frame_references(&frame_pool, frame);
    uint32_t users = is_objects && references > 1 ? references - 1 : references;
    ASSERT(users > 0 && table_users > 0, "frame %u, which an entry leads to, has no users",
           frame.n);
    found->pages++;
    found->of_files += kind == FRAME_FILE;
    if (users == 1 && table_users == 1) {
        found->bytes += PAGE_BYTES;
        return;
    }
    found->shared++;
    found->shared_of_files += kind == FRAME_FILE;
    found->bytes += PAGE_BYTES / users / table_users;
}

/* Entries FIRST to LAST of a table. */
static void count_table(const volatile uint32_t *entries, uint32_t first, uint32_t last,
                        uint32_t table_users, bool is_shared, struct resident *found)
{
    for (uint32_t i = first; i <= last; i++) {
        pte_t pte = {entries[i]};
        enum frame_kind kind = pte_holds_frame(pte) ? kind_of(pte_frame(pte)) : FRAME_ZERO;
        if (kind != FRAME_ZERO && kind != FRAME_RESERVED)
            count_frame(pte_frame(pte), kind, table_users, is_shared || kind == FRAME_FILE, found);
    }
}

/* What SPACE has entries for in the pages [FIRST, LAST], below the kernel; IS_SHARED: all of them belong to
 * objects. The cost does not grow with what is only promised. */
static void count_resident(const struct space *space, uint32_t first, uint32_t last, bool is_shared,
                           struct resident *found)
{
    uint32_t last_slot = last / SLOT_PAGES;
    space_view_open(space);
    for (uint32_t slot = first / SLOT_PAGES; slot <= last_slot;) {
        pde_t pde = space_pde_read(space, slot);
        uint32_t run = space_pde_run(space, slot, last_slot + 1 - slot);
        bool has_frames =
            pde_is_present(pde) && !(pde_is_table(pde) && kind_of(pde_frame(pde)) == FRAME_ZERO);
        for (uint32_t i = slot; has_frames && i < slot + run; i++) {
            const volatile uint32_t *entries = space_view_table(i, &pde);
            if (entries == NULL)
                continue;
            found->tables++;
            count_table(entries, i == first / SLOT_PAGES ? first % SLOT_PAGES : 0,
                        i == last_slot ? last % SLOT_PAGES : SLOT_PAGES - 1,
                        frame_references(&frame_pool, pde_frame(pde)), is_shared, found);
        }
        slot += run;
    }
    space_view_close();
}

static void count_regions(const struct space *space, struct proc_memory_use *use)
{
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region)) {
        uint32_t pages = vma_pages(region);
        if (region->flags & VMA_GROWS_DOWN)
            use->stack += pages;
        else if (region->rights & RIGHTS_EXECUTE)
            use->program += pages;
        else if ((region->rights & RIGHTS_WRITE) && !(region->flags & VMA_SHARED))
            use->data += pages;
    }
}

void proc_count_memory(const struct process *process, struct proc_memory_use *use)
{
    const struct memory *memory = proc_memory_of(process);
    *use = (struct proc_memory_use){0};
    if (memory == NULL)
        return;
    use->reserved = memory->space.reserved_pages;
    struct resident found = {0};
    count_resident(&memory->space, 0, KERNEL_FIRST_SLOT * SLOT_PAGES - 1, false, &found);
    use->resident = found.pages;
    use->of_files = found.of_files;
    use->tables = found.tables;
    count_regions(&memory->space, use);
}

/* ---- maps ---- */

/* The path of the file that REGION shows, told once for regions of one file in a row. */
static enum kerr path_of(struct proc_text *text, const struct vma *region, const char **path,
                         uint32_t *bytes)
{
    static char buffer[PATH_BYTES_MAX];
    static uint32_t length;
    static const struct inode *last;
    struct inode *inode = inode_of_object(region->object);
    if (*path == NULL || inode != last) {
        enum kerr error = proc_path(text, inode, buffer, &length);
        if (error != KERR_OK)
            return error;
        last = inode;
    }
    *path = buffer;
    *bytes = length;
    return KERR_OK;
}

static void print_region(struct proc_text *text, const struct vma *region,
                         const struct inode *inode, const char *name, uint32_t bytes)
{
    enum { NAME_COLUMN = 49 };
    uint32_t start = text->at, device = inode != NULL ? inode->mount->device : 0;
    uint64_t offset = region->object != NULL ? (uint64_t)region->object_page << PAGE_SHIFT : 0;
    proc_print(text, "%08x-%08x %c%c%c%c %08llx %02x:%02x %u ", (unsigned)vma_start(region).v,
               (unsigned)((region->last_page + 1) << PAGE_SHIFT),
               region->rights & RIGHTS_READ ? 'r' : '-', region->rights & RIGHTS_WRITE ? 'w' : '-',
               region->rights & RIGHTS_EXECUTE ? 'x' : '-', region->flags & VMA_SHARED ? 's' : 'p',
               (unsigned long long)offset, (unsigned)device_major(device),
               (unsigned)device_minor(device), inode != NULL ? (unsigned)inode->number : 0);
    if (bytes > 0)
        proc_print(text, "%*s",
                   text->at - start < NAME_COLUMN ? (int)(NAME_COLUMN - (text->at - start)) : 0,
                   "");
    proc_add(text, name, bytes);
    proc_add(text, "\n", 1);
}

/* What smaps adds to a line of maps. What is not a file's is dirty: it is nowhere else. */
static void print_resident(struct proc_text *text, const struct resident *found)
{
    const uint32_t anonymous = found->pages - found->of_files;
    const uint32_t shared = found->shared - found->shared_of_files;
    const struct {
        const char *name;
        uint32_t kib;
    } lines[] = {{"Rss:", found->pages * PROC_KIB_PER_PAGE},
                 {"Pss:", (uint32_t)(found->bytes >> 10)},
                 {"Shared_Clean:", found->shared_of_files * PROC_KIB_PER_PAGE},
                 {"Shared_Dirty:", shared * PROC_KIB_PER_PAGE},
                 {"Private_Clean:", (found->of_files - found->shared_of_files) * PROC_KIB_PER_PAGE},
                 {"Private_Dirty:", (anonymous - shared) * PROC_KIB_PER_PAGE},
                 {"Anonymous:", anonymous * PROC_KIB_PER_PAGE},
                 {"Swap:", 0}};
    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        proc_print(text, "%-16s%8u kB\n", lines[i].name, (unsigned)lines[i].kib);
}

static void print_flags(struct proc_text *text, const struct vma *region)
{
    proc_print(text, "VmFlags:%s%s%s%s%s%s\n", region->rights & RIGHTS_READ ? " rd" : "",
               region->rights & RIGHTS_WRITE ? " wr" : "",
               region->rights & RIGHTS_EXECUTE ? " ex" : "",
               region->flags & VMA_SHARED ? " sh" : "", region->flags & VMA_GROWS_DOWN ? " gd" : "",
               region->flags & VMA_LOCKED ? " lo" : "");
}

static void count_region(const struct space *space, const struct vma *region,
                         struct resident *found)
{
    count_resident(space, region->first_page, region->last_page, (region->flags & VMA_SHARED) != 0,
                   found);
}

/* A line for each region; WITH_USE: and then what it has. */
static enum kerr write_regions(struct proc_text *text, const struct process *process, bool with_use)
{
    const struct memory *memory = proc_memory_of(process);
    const char *path = NULL;
    if (memory == NULL)
        return KERR_OK;
    const struct vma *region =
        vma_at_or_above(&memory->space, VADDR(text->place->cursor << PAGE_SHIFT));
    for (; region != NULL && !proc_is_full(text); region = vma_next(region)) {
        const struct inode *inode = region->object != NULL ? inode_of_object(region->object) : NULL;
        const char *name = region->name == file_region_name ? "(deleted)" : region->name;
        uint32_t bytes = name != NULL ? strlen(name) : 0;
        enum kerr error = proc_begin_line(text, region->first_page);
        if (error == KERR_OK && inode != NULL) {
            error = path_of(text, region, &path, &bytes);
            name = path;
        }
        if (error != KERR_OK)
            return error;
        print_region(text, region, inode, name, bytes);
        if (with_use) {
            struct resident found = {0};
            count_region(&memory->space, region, &found);
            proc_print(text, "%-16s%8u kB\n",
                       "Size:", (unsigned)(vma_pages(region) * PROC_KIB_PER_PAGE));
            print_resident(text, &found);
            print_flags(text, region);
            text->steps += found.tables;
        }
    }
    return KERR_OK;
}

enum kerr proc_write_maps(struct proc_text *text, const struct process *process)
{
    return write_regions(text, process, false);
}

enum kerr proc_write_smaps(struct proc_text *text, const struct process *process)
{
    return write_regions(text, process, true);
}

enum kerr proc_write_smaps_sum(struct proc_text *text, const struct process *process)
{
    const struct memory *memory = proc_memory_of(process);
    struct resident found = {0};
    if (memory == NULL || vma_first(&memory->space) == NULL)
        return KERR_OK;
    for (const struct vma *region = vma_first(&memory->space); region != NULL;
         region = vma_next(region))
        count_region(&memory->space, region, &found);
    proc_print(text, "%08x-%08x ---p 00000000 00:00 0%*s[rollup]\n",
               (unsigned)vma_start(vma_first(&memory->space)).v, (unsigned)memory->stack_top, 10,
               "");
    print_resident(text, &found);
    return KERR_OK;
}

/* ---- cmdline, environ ---- */

/* BYTES bytes, within one page, that stand at ADDRESS of SPACE; what has no frame can't be told. */
static bool add_memory(struct proc_text *text, const struct space *space, uint32_t address,
                       uint32_t bytes)
{
    struct translation found;
    space_view_open(space);
    space_view_query(VADDR(address), &found);
    space_view_close();
    if (!found.has_pte || !pte_holds_frame(found.pte) ||
        kind_of(pte_frame(found.pte)) == FRAME_RESERVED)
        return false;
    const char *page = temp_map(TEMP_FRAME, pte_frame(found.pte));
    proc_add(text, page + address % PAGE_BYTES, bytes);
    temp_unmap(TEMP_FRAME);
    return true;
}

/* The bytes from START to END of MEMORY are the text. */
static enum kerr write_range(struct proc_text *text, const struct memory *memory, uint32_t start,
                             uint32_t end)
{
    if (text->first >= end - start)
        return KERR_OK;
    uint32_t address = start + text->first;
    text->at = text->first;
    while (address < end && !proc_is_full(text)) {
        uint32_t bytes = PAGE_BYTES - address % PAGE_BYTES;
        bytes = end - address < bytes ? end - address : bytes;
        if (!add_memory(text, &memory->space, address, bytes))
            break;
        address += bytes;
    }
    return KERR_OK;
}

enum kerr proc_write_command_line(struct proc_text *text, const struct process *process)
{
    const struct memory *memory = proc_memory_of(process);
    return memory == NULL
               ? KERR_OK
               : write_range(text, memory, memory->arguments_start, memory->arguments_end);
}

enum kerr proc_write_environment(struct proc_text *text, const struct process *process)
{
    const struct memory *memory = proc_memory_of(process);
    return memory == NULL
               ? KERR_OK
               : write_range(text, memory, memory->arguments_end, memory->environment_end);
}
