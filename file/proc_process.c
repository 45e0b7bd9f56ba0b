/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. /proc/PID: what there is to know of a process. Formats are Linux's, with zeros for what is not
 * counted here.
 * Source: Linux manual pages proc_pid_stat(5), proc_pid_status(5), proc_pid_maps(5) and the others.
 */
#include <kernel/printk.h>
#include <kernel/string.h>
#include <process/events.h>
#include <process/schedule.h>
#include <process/signal.h>

#include "proc.h"
#include "terminal.h"

enum { CONSOLE_DEVICE = 0x501 };

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
    proc_print(text, "%u %u %u %u %u 0 0 0 ", (unsigned)process_minor_faults(process),
               (unsigned)process->child_faults, (unsigned)process->major_faults,
               (unsigned)process->child_major_faults, (unsigned)process->ticks);
    proc_print(text, "20 0 1 0 %llu ", (unsigned long long)process->started);
}

static enum kerr write_stat(struct proc_text *text, const struct process *process)
{
    const struct memory *memory = proc_memory_of(process);
    struct proc_memory_use use;
    if (process == process_current)
        process_count_faults();
    proc_count_memory(process, &use);
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
    struct proc_memory_use use;
    proc_count_memory(process, &use);
    proc_print(text, "%u %u %u %u 0 %u 0\n", (unsigned)use.reserved, (unsigned)use.resident,
               (unsigned)use.of_files, (unsigned)use.program, (unsigned)(use.data + use.stack));
    return KERR_OK;
}

static void print_memory(struct proc_text *text, const struct process *process,
                         const struct memory *memory)
{
    struct proc_memory_use use;
    proc_count_memory(process, &use);
    const struct {
        const char *name;
        uint32_t pages;
    } lines[] = {{"VmSize", use.reserved},  {"VmLck", memory->space.locked_pages},
                 {"VmRSS", use.resident},   {"RssAnon", use.resident - use.of_files},
                 {"RssFile", use.of_files}, {"VmData", use.data},
                 {"VmStk", use.stack},      {"VmExe", use.program},
                 {"VmPTE", use.tables},     {"VmSwap", 0}};
    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        proc_print(text, "%s:\t%8u kB\n", lines[i].name,
                   (unsigned)(lines[i].pages * PROC_KIB_PER_PAGE));
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
    uint64_t ignored, caught;
    signal_sets(process, &ignored, &caught);
    const struct {
        const char *name;
        uint64_t set;
    } sets[] = {{"SigPnd", 0},
                {"ShdPnd", process->signals_pending},
                {"SigBlk", process->signals_blocked},
                {"SigIgn", ignored},
                {"SigCgt", caught}};
    proc_print(text, "Threads:\t1\n");
    for (unsigned i = 0; i < ARRAY_LENGTH(sets); i++)
        proc_print(text, "%s:\t%016llx\n", sets[i].name, (unsigned long long)sets[i].set);
    proc_print(text, "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n");
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

/* ---- fdinfo ---- */

/* With a 0 before it. */
static void print_octal(struct proc_text *text, uint32_t value)
{
    uint32_t shift = 30;
    while (shift > 0 && value >> shift == 0)
        shift -= 3;
    proc_print(text, "0");
    for (; value != 0 && shift <= 30; shift -= 3)
        proc_print(text, "%u", (unsigned)(value >> shift & 7));
}

/* A file without a name is on no mount that mountinfo tells. */
static enum kerr write_information(struct proc_text *text, const struct process *process)
{
    const struct files *files = files_of(process);
    const struct file *file = proc_file_at(process, text->descriptor);
    if (file == NULL)
        return KERR_NOT_FOUND;
    bool ends_at_exec = files->slots[text->descriptor].at_exec == DESCRIPTOR_CLOSE_ON_EXEC;
    const struct mount *mount = file->inode != NULL ? file->inode->mount : mount_nowhere;
    proc_print(text, "pos:\t%llu\nflags:\t", (unsigned long long)file->offset);
    print_octal(text, file->flags | (ends_at_exec ? O_CLOEXEC : 0));
    proc_print(text, "\nmnt_id:\t%u\n", (unsigned)mount->device);
    return KERR_OK;
}

/* ---- the table ---- */

enum { DIRECTORY = S_IFDIR | 0555, FILE_TEXT = S_IFREG | 0444, LINK = S_IFLNK | 0777 };

const struct proc_entry proc_of_process[] = {
    {.name = "", .mode = DIRECTORY},
    [PROC_DESCRIPTORS] = {.name = "fd", .mode = S_IFDIR | 0500},
    [PROC_INFORMATION] = {.name = "fdinfo", .mode = S_IFDIR | 0500},
    [PROC_TASKS] = {.name = "task", .mode = DIRECTORY},
    {.name = "cmdline", .mode = FILE_TEXT, .write = proc_write_command_line},
    {.name = "comm", .mode = FILE_TEXT, .write = write_name},
    {.name = "cwd", .mode = LINK, .read_link = read_path, .follow = directory_follow},
    {.name = "environ", .mode = S_IFREG | 0400, .write = proc_write_environment},
    {.name = "exe", .mode = LINK, .read_link = read_path, .follow = exe_follow},
    {.name = "limits", .mode = FILE_TEXT, .write = write_limits},
    {.name = "maps", .mode = FILE_TEXT, .write = proc_write_maps},
    {.name = "mounts", .mode = FILE_TEXT, .write = proc_write_mounts},
    {.name = "mountinfo", .mode = FILE_TEXT, .write = proc_write_mount_information},
    {.name = "root", .mode = LINK, .read_link = read_path, .follow = root_follow},
    {.name = "smaps", .mode = FILE_TEXT, .write = proc_write_smaps},
    {.name = "smaps_rollup", .mode = FILE_TEXT, .write = proc_write_smaps_sum},
    {.name = "stat", .mode = FILE_TEXT, .write = write_stat},
    {.name = "statm", .mode = FILE_TEXT, .write = write_statm},
    {.name = "status", .mode = FILE_TEXT, .write = write_status},
};
const uint32_t proc_of_process_count = ARRAY_LENGTH(proc_of_process);

const struct proc_entry proc_task = {.mode = DIRECTORY};

const struct proc_entry proc_descriptor_link = {
    .mode = S_IFLNK | 0700, .read_link = descriptor_read_link, .follow = descriptor_follow};
const struct proc_entry proc_descriptor_information = {.mode = S_IFREG | 0444,
                                                       .write = write_information};
