/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. /proc/PID: what there is to know of a process. Formats are Linux's, with zeros for what is not
 * counted here.
 * Source: Linux manual pages proc_pid_stat(5), proc_pid_status(5), proc_pid_maps(5) and the others.
 */
#include <arch/i386/alternate.h>
#include <arch/i386/entry.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <process/events.h>
#include <process/schedule.h>

#include "proc.h"
#include "terminal.h"

enum { CONSOLE_DEVICE = 0x501, KIB_PER_PAGE = PAGE_BYTES / 1024 };

/* ---- memory ---- */

/* Pages of a memory: reserved; those that have a frame, and those of them that are a file's; and sorts of
 * what is reserved. */
struct memory_use {
    uint32_t reserved, resident, of_files;
    uint32_t stack, program, data;
    uint32_t tables;
};

static enum frame_kind kind_of(frame_t frame)
{
    return frame.n < frame_pool.frames ? frame_kind(&frame_pool, frame) : FRAME_RESERVED;
}

static void count_table(const volatile uint32_t *entries, struct memory_use *use)
{
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t pte = {entries[i]};
        enum frame_kind kind = pte_holds_frame(pte) ? kind_of(pte_frame(pte)) : FRAME_ZERO;
        use->resident += kind != FRAME_ZERO;
        use->of_files += kind == FRAME_FILE;
    }
}

/* What SPACE has entries for. The cost does not grow with what is only promised. */
static void count_resident(const struct space *space, struct memory_use *use)
{
    alternate_open(space->directory);
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT;) {
        pde_t pde = directory_pde_read(space->directory, slot);
        uint32_t run = directory_pde_run(space->directory, slot, KERNEL_FIRST_SLOT - slot);
        bool has_frames =
            pde_is_present(pde) && !(pde_is_table(pde) && kind_of(pde_frame(pde)) == FRAME_ZERO);
        for (uint32_t i = 0; has_frames && i < run; i++) {
            const volatile uint32_t *entries = alternate_table(slot + i, &pde);
            if (entries == NULL)
                continue;
            use->tables++;
            count_table(entries, use);
        }
        slot += run;
    }
    alternate_close();
}

static void count_regions(const struct space *space, struct memory_use *use)
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

static void count_memory(const struct process *process, struct memory_use *use)
{
    const struct memory *memory = proc_memory_of(process);
    *use = (struct memory_use){0};
    if (memory == NULL)
        return;
    use->reserved = memory->space.reserved_pages;
    count_resident(&memory->space, use);
    count_regions(&memory->space, use);
}

/* ---- stat, statm, status ---- */

static char state_letter(const struct process *process)
{
    static const char letters[] = {
        [PROCESS_NONE] = 'D',     [PROCESS_RUNNABLE] = 'R', [PROCESS_SLEEPING] = 'S',
        [PROCESS_VFORKING] = 'D', [PROCESS_STOPPED] = 'T',  [PROCESS_ENDING] = 'X',
        [PROCESS_ZOMBIE] = 'Z'};
    return letters[process->state];
}

static unsigned parent_of(const struct process *process)
{
    return process->parent != NULL ? process->parent->pid : 0;
}

/* Fields 1 to 22: who it is, and its times. */
static void print_stat_of_process(struct proc_text *text, const struct process *process)
{
    bool has_terminal = terminal.session == 0 || terminal.session == process->session;
    proc_print(text, "%u (%.*s) %c %u %u %u ", (unsigned)process->pid, (int)sizeof(process->name),
               process->name, state_letter(process), parent_of(process), (unsigned)process->group,
               (unsigned)process->session);
    proc_print(text, "%d %d 0 ", has_terminal ? CONSOLE_DEVICE : 0,
               has_terminal && terminal.group != 0 ? (int)terminal.group : -1);
    proc_print(text, "%u %u 0 0 %u 0 0 0 ", (unsigned)process->faults,
               (unsigned)process->child_faults, (unsigned)process->ticks);
    proc_print(text, "20 0 1 0 %llu ", (unsigned long long)process->started);
}

static enum kerr write_stat(struct proc_text *text, const struct process *process)
{
    const struct memory *memory = proc_memory_of(process);
    struct memory_use use;
    if (process == process_current)
        process_count_faults();
    count_memory(process, &use);
    print_stat_of_process(text, process);
    uint32_t limit = process->limits != NULL ? process->limits->pair[LIMIT_RSS].soft : LIMIT_NONE;
    proc_print(text, "%llu %u %u ", (unsigned long long)use.reserved * PAGE_BYTES,
               (unsigned)use.resident, (unsigned)limit);
    /* startcode endcode startstack kstkesp kstkeip */
    proc_print(text, "%u %u %u %u %u ", 1, 1,
               memory != NULL ? (unsigned)memory->arguments_start : 0, 0, 0);
    proc_print(text, "%u %u 0 0 ", (unsigned)process->signals_pending_words[0],
               (unsigned)process->signals_blocked_words[0]);
    /* wchan ... exit_signal processor rt_priority policy ... */
    proc_print(text, "%u 0 0 %u 0 0 0 0 0 0 ", process->state == PROCESS_SLEEPING,
               (unsigned)process->exit_signal);
    proc_print(text, "0 0 %u %u %u 0 0 %u\n", memory != NULL ? (unsigned)memory->heap_start : 0,
               memory != NULL ? (unsigned)memory->arguments_start : 0,
               memory != NULL ? (unsigned)memory->arguments_end : 0,
               (unsigned)process->exit_status);
    return KERR_OK;
}

static enum kerr write_statm(struct proc_text *text, const struct process *process)
{
    struct memory_use use;
    count_memory(process, &use);
    proc_print(text, "%u %u %u %u 0 %u 0\n", (unsigned)use.reserved, (unsigned)use.resident,
               (unsigned)use.of_files, (unsigned)use.program, (unsigned)(use.data + use.stack));
    return KERR_OK;
}

static void print_memory(struct proc_text *text, const struct process *process,
                         const struct memory *memory)
{
    struct memory_use use;
    count_memory(process, &use);
    const struct {
        const char *name;
        uint32_t pages;
    } lines[] = {{"VmSize", use.reserved},  {"VmLck", memory->space.locked_pages},
                 {"VmRSS", use.resident},   {"RssAnon", use.resident - use.of_files},
                 {"RssFile", use.of_files}, {"VmData", use.data},
                 {"VmStk", use.stack},      {"VmExe", use.program},
                 {"VmPTE", use.tables},     {"VmSwap", 0}};
    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        proc_print(text, "%s:\t%8u kB\n", lines[i].name, (unsigned)(lines[i].pages * KIB_PER_PAGE));
}

static const char *state_text(const struct process *process)
{
    switch (state_letter(process)) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'T':
        return "T (stopped)";
    case 'X':
        return "X (dead)";
    case 'Z':
        return "Z (zombie)";
    default:
        return "D (disk sleep)";
    }
}

static enum kerr write_status(struct proc_text *text, const struct process *process)
{
    const struct files *files = files_of(process);
    const struct memory *memory = proc_memory_of(process);
    unsigned pid = process->pid;
    proc_print(text, "Name:\t%.*s\n", (int)sizeof(process->name), process->name);
    if (files != NULL)
        proc_print(text, "Umask:\t0%u%u%u\n", files->mask >> 6 & 7, files->mask >> 3 & 7,
                   files->mask & 7);
    proc_print(text, "State:\t%s\nTgid:\t%u\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\n",
               state_text(process), pid, pid, parent_of(process));
    proc_print(text, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t%u\nGroups:\t \n",
               files != NULL ? (unsigned)files->capacity : 0);
    if (memory != NULL)
        print_memory(text, process, memory);
    proc_print(text, "Threads:\t1\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n", 0ull,
               (unsigned long long)process->signals_pending,
               (unsigned long long)process->signals_blocked);
    return KERR_OK;
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
               (unsigned long long)offset, (unsigned)device_major(device), (unsigned)device_minor(device),
               inode != NULL ? (unsigned)inode->number : 0);
    if (bytes > 0)
        proc_print(text, "%*s",
                   text->at - start < NAME_COLUMN ? (int)(NAME_COLUMN - (text->at - start)) : 0,
                   "");
    proc_add(text, name, bytes);
    proc_add(text, "\n", 1);
}

static enum kerr write_maps(struct proc_text *text, const struct process *process)
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
    }
    return KERR_OK;
}

/* ---- cmdline ---- */

/* BYTES bytes, within one page, that stand at ADDRESS of SPACE; what has no frame can't be told. */
static bool add_memory(struct proc_text *text, const struct space *space, uint32_t address,
                       uint32_t bytes)
{
    struct translation found;
    alternate_open(space->directory);
    alternate_query(VADDR(address), &found);
    alternate_close();
    if (!found.has_pte || !pte_holds_frame(found.pte) ||
        kind_of(pte_frame(found.pte)) == FRAME_RESERVED)
        return false;
    const char *page = temp_map(TEMP_FRAME, pte_frame(found.pte));
    proc_add(text, page + address % PAGE_BYTES, bytes);
    temp_unmap(TEMP_FRAME);
    return true;
}

static enum kerr write_command_line(struct proc_text *text, const struct process *process)
{
    const struct memory *memory = proc_memory_of(process);
    if (memory == NULL || text->first >= memory->arguments_end - memory->arguments_start)
        return KERR_OK;
    uint32_t address = memory->arguments_start + text->first, end = memory->arguments_end;
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

/* ---- comm, limits ---- */

static enum kerr write_name(struct proc_text *text, const struct process *process)
{
    proc_print(text, "%.*s\n", (int)sizeof(process->name), process->name);
    return KERR_OK;
}

static void print_limit(struct proc_text *text, uint32_t limit)
{
    if (limit == LIMIT_NONE)
        proc_print(text, "%-20s ", "unlimited");
    else
        proc_print(text, "%-20u ", (unsigned)limit);
}

static enum kerr write_limits(struct proc_text *text, const struct process *process)
{
    static const struct {
        const char *name, *unit;
    } lines[LIMITS] = {[LIMIT_CPU] = {"Max cpu time", "seconds"},
                       [LIMIT_FSIZE] = {"Max file size", "bytes"},
                       [LIMIT_DATA] = {"Max data size", "bytes"},
                       [LIMIT_STACK] = {"Max stack size", "bytes"},
                       [LIMIT_CORE] = {"Max core file size", "bytes"},
                       [LIMIT_RSS] = {"Max resident set", "bytes"},
                       [LIMIT_NPROC] = {"Max processes", "processes"},
                       [LIMIT_NOFILE] = {"Max open files", "files"},
                       [LIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
                       [LIMIT_AS] = {"Max address space", "bytes"},
                       [LIMIT_LOCKS] = {"Max file locks", "locks"},
                       [LIMIT_SIGPENDING] = {"Max pending signals", "signals"},
                       [LIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
                       [LIMIT_NICE] = {"Max nice priority", ""},
                       [LIMIT_RTPRIO] = {"Max realtime priority", ""},
                       [LIMIT_RTTIME] = {"Max realtime timeout", "us"}};
    proc_print(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; process->limits != NULL && i < LIMITS; i++) {
        proc_print(text, "%-25s ", lines[i].name);
        print_limit(text, process->limits->pair[i].soft);
        print_limit(text, process->limits->pair[i].hard);
        proc_print(text, "%-10s\n", lines[i].unit);
    }
    return KERR_OK;
}

/* ---- mounts ---- */

/* No path leads to MOUNT: it is mounted nowhere, or something else is over a directory on the way. */
static bool is_hidden(const struct mount *mount)
{
    const struct inode *inode = mount->covered;
    if (inode == NULL)
        return mount != mount_root || mount->root->covered_by != NULL;
    while (inode != mount_root->root) {
        bool is_root = inode == inode->mount->root;
        inode = is_root ? inode->mount->covered : inode->parent;
        if (inode == NULL || (!is_root && inode->covered_by != NULL))
            return true;
    }
    return false;
}

static void print_mount(struct proc_text *text, const struct mount *mount, const char *path,
                        uint32_t bytes)
{
    static const struct {
        uint32_t flag;
        const char *text;
    } options[] = {{MOUNT_SYNCHRONOUS, ",sync"},
                   {MOUNT_NO_DEVICES, ",nodev"},
                   {MOUNT_NO_EXECUTION, ",noexec"},
                   {MOUNT_NO_ACCESS_TIMES, ",noatime"}};
    proc_add_path(text, mount->source, strlen(mount->source));
    proc_add(text, " ", 1);
    proc_add_path(text, path, bytes);
    proc_print(text, " %s %s", mount->file_system->name,
               mount->flags & MOUNT_READ_ONLY ? "ro" : "rw");
    for (unsigned i = 0; i < ARRAY_LENGTH(options); i++)
        if (mount->flags & options[i].flag)
            proc_print(text, "%s", options[i].text);
    proc_print(text, " 0 0\n");
}

/* The cursor is a mount's device: they are counted up. */
static enum kerr write_mounts(struct proc_text *text, const struct process *process)
{
    static char path[PATH_BYTES_MAX];
    (void)process;
    for (const struct mount *mount = mount_next(NULL); mount != NULL && !proc_is_full(text);
         mount = mount_next(mount)) {
        uint32_t bytes = 0;
        if (mount->device < text->place->cursor || is_hidden(mount))
            continue;
        enum kerr error = proc_begin_line(text, mount->device);
        if (error == KERR_OK)
            error = proc_path(text, mount->root, path, &bytes);
        if (error != KERR_OK)
            return error;
        print_mount(text, mount, path, bytes);
    }
    return KERR_OK;
}

/* ---- links ---- */

/* What is followed leads to *TARGET; it gets a reference. */
static enum kerr lead_to(struct inode *inode, struct inode **target)
{
    if (inode == NULL)
        return KERR_NOT_FOUND;
    inode_get(inode);
    *target = inode;
    return KERR_OK;
}

static enum kerr exe_follow(const struct proc_inode *link, struct inode **target)
{
    const struct process *process = proc_process_of(link);
    return lead_to(process != NULL ? file_program_of(process) : NULL, target);
}

static enum kerr directory_follow(const struct proc_inode *link, struct inode **target)
{
    const struct process *process = proc_process_of(link);
    const struct files *files = process != NULL ? files_of(process) : NULL;
    return lead_to(files != NULL ? files->directory : NULL, target);
}

static enum kerr root_follow(const struct proc_inode *link, struct inode **target)
{
    struct inode *root = mount_root->root;
    (void)link;
    while (root->covered_by != NULL)
        root = root->covered_by->root;
    return lead_to(root, target);
}

/* The path of where LINK leads. */
static enum kerr read_path(const struct proc_inode *link, char *target, uint32_t *bytes)
{
    struct inode *inode;
    enum kerr error = link->entry->follow(link, &inode);
    if (error != KERR_OK)
        return error;
    error = file_path_text(inode, target, bytes);
    inode_put(inode);
    return error;
}

static struct file *file_of_link(const struct proc_inode *link)
{
    const struct process *process = proc_process_of(link);
    return process != NULL ? proc_file_at(process, link->descriptor) : NULL;
}

static enum kerr descriptor_follow(const struct proc_inode *link, struct inode **target)
{
    const struct file *file = file_of_link(link);
    return lead_to(file != NULL ? file->inode : NULL, target);
}

static enum kerr descriptor_read_link(const struct proc_inode *link, char *target, uint32_t *bytes)
{
    const struct file *file = file_of_link(link);
    if (file == NULL)
        return KERR_NOT_FOUND;
    if (file->inode != NULL)
        return read_path(link, target, bytes);
    *bytes = format_text(target, PATH_BYTES_MAX, "pipe:[%u]", (unsigned)pipe_number(file));
    return KERR_OK;
}

/* ---- the table ---- */

enum { DIRECTORY = S_IFDIR | 0555, FILE_TEXT = S_IFREG | 0444, LINK = S_IFLNK | 0777 };

const struct proc_entry proc_of_process[] = {
    {.name = "", .mode = DIRECTORY},
    [PROC_DESCRIPTORS] = {.name = "fd", .mode = S_IFDIR | 0500},
    {.name = "cmdline", .mode = FILE_TEXT, .write = write_command_line},
    {.name = "comm", .mode = FILE_TEXT, .write = write_name},
    {.name = "cwd", .mode = LINK, .read_link = read_path, .follow = directory_follow},
    {.name = "exe", .mode = LINK, .read_link = read_path, .follow = exe_follow},
    {.name = "limits", .mode = FILE_TEXT, .write = write_limits},
    {.name = "maps", .mode = FILE_TEXT, .write = write_maps},
    {.name = "mounts", .mode = FILE_TEXT, .write = write_mounts},
    {.name = "root", .mode = LINK, .read_link = read_path, .follow = root_follow},
    {.name = "stat", .mode = FILE_TEXT, .write = write_stat},
    {.name = "statm", .mode = FILE_TEXT, .write = write_statm},
    {.name = "status", .mode = FILE_TEXT, .write = write_status},
};
const uint32_t proc_of_process_count = ARRAY_LENGTH(proc_of_process);

const struct proc_entry proc_descriptor_link = {
    .mode = S_IFLNK | 0700, .read_link = descriptor_read_link, .follow = descriptor_follow};
