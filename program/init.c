/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. The first process, and others whose parent is the kernel (init.h).
 *
 * When process 1 ends, the others are ended; then the kernel must be what it was before: checked
 * builds audit it and compare the free frames. The status leaves the machine by the debug port.
 */
#include <program/init.h>

#include <arch/i386/cpu.h>
#include <file/file.h>
#include <file/inode.h>
#include <kernel/boot_info.h>
#include <kernel/layer.h>
#include <kernel/machine.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/audit.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <process/audit.h>
#include <process/client.h>
#include <process/errno.h>
#include <process/part.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <process/timer.h>
#include <program/exec.h>
#include <store/swap.h>

static uint32_t init_pid;    /* of the option init=; 0: none */
static uint32_t init_status; /* how it ended, if it did */
static bool init_has_ended;

/* Frames that are free, and files: before there was a process, and when there is none any more. */
static struct stock {
    uint32_t free, files;
    uint32_t area_changes; /* what swap areas keep is not counted: only if there are the same */
} before;

/* ---- the start ---- */

const char *init_failed(int32_t error)
{
    switch (-error) {
    case ENOENT:
        return "there is no such file";
    case EACCES:
        return "this is no file that can be run";
    case ENOEXEC:
        return "this is no static program for i386";
    case ENOMEM:
        return "memory is full";
    default:
        return "it can't be run";
    }
}

int32_t init_start_program(const char *const *arguments, unsigned count, uint32_t *pid)
{
    struct exec_texts texts;
    struct process *process;
    if (exec_texts_make(arguments, count, &texts) != KERR_OK)
        return -ENOMEM;
    if (process_create(NULL, &process) != KERR_OK) {
        exec_texts_free(&texts);
        return -ENOMEM;
    }
    process->group = process->session = process->pid;
    int32_t result = process_parts_begin(process);
    if (result == 0)
        do
            result = exec_program(process, arguments[0], &texts);
        while (result == -EAGAIN);
    exec_texts_free(&texts);
    if (result < 0) {
        process_discard(process);
        return result;
    }
    timer_start();
    terminal_set_group(process->group);
    *pid = process->pid;
    process_start(process);
    return 0;
}

/* ---- the end ---- */

static void say_how_it_ended(const struct process *process)
{
    const char *who = process->pid == init_pid ? "init" : process->name;
    unsigned signal = process->exit_status & 0x7F;
    if (signal != 0)
        printk("%s: killed by signal %u (%s)\n", who, signal, signal_name(signal));
    else
        printk("%s: exited with status %u\n", who, process->exit_status >> 8 & 0xFF);
}

/* Pages of files, whose owners the audit knows, count as free; so do copies of what they have in swap. */
static struct stock take_stock(void)
{
    struct stock stock = {.area_changes = swap_area_changes,
                          .free = frame_available(&frame_pool) + frame_pool.totals[FRAME_FILE] +
                                  frame_pool.totals[FRAME_INDEX] +
                                  frame_pool.totals[FRAME_SWAPPED] +
                                  frame_pool.totals[FRAME_PACKED]};
    for (const struct inode *inode = inode_next(NULL); inode != NULL; inode = inode_next(inode))
        stock.files++;
    return stock;
}

/* Nothing of any process is left: the kernel must be what it was. */
static void check_that_nothing_is_left(void)
{
    enum kerr error;
    do
        error = swap_settle();
    while (file_polls(error));
    file_forget_spare();
    heap_trim(&kernel_heap, 0);
    vma_trim();
    if (!CHECKED)
        return;
    struct audit audit;
    const char *broken = vm_audit(&audit, frame_pool.set_aside);
    ASSERT(broken == NULL, "after process 1: %s %s", broken, audit.where);
    struct process_audit processes;
    broken = process_audit(&processes);
    ASSERT(broken == NULL, "after process 1: %s %s", broken, processes.where);
    struct stock now = take_stock();
    uint32_t files_more = now.files > before.files ? now.files - before.files : 0;
    /* Of the heap's pages a file's record may be the only one in its page; so may a directory's names. */
    ASSERT(now.free + 2 * files_more >= before.free || now.area_changes != before.area_changes,
           "%u frames were free before process 1, %u after it; %u inodes more", before.free,
           now.free, files_more);
    ASSERT(error != KERR_OK || swap_sum().used == object_slots_in_use(), /* of files in memory */
           "%u swap slots are in use after process 1", swap_sum().used);
    printk("audit clean\n");
}

/* As a shell counts: a signal is 128 and its number. */
static uint32_t status_for_the_port(uint32_t status)
{
    uint32_t code = (status & 0x7F) != 0 ? 128 + (status & 0x7F) : status >> 8 & 0xFF;
    return code < EXIT_PROGRAM_MAX ? code : EXIT_PROGRAM_MAX;
}

static void note_end(const struct process *zombie)
{
    if (zombie->is_kernels_child)
        say_how_it_ended(zombie);
    if (zombie->pid == init_pid) {
        init_has_ended = true;
        init_status = zombie->exit_status;
    }
}

/* If process 1 has ended, that is the end of all. */
static void end_with_init(void)
{
    if (!init_has_ended)
        return;
    init_has_ended = false;
    init_pid = 0;
    process_clients_stop();
    check_that_nothing_is_left();
    machine_try_exit((enum exit_status)(EXIT_PROGRAM | status_for_the_port(init_status)));
}

PROCESS_CLIENT(10, .ended = note_end, .rare_work = end_with_init);

/* ---- the option init= ---- */

OPTION(init, "init", OPTION_TEXT, .max = BOOT_MODULE_NAME_BYTES - 1, .is_task = true);

/* The words of the module string of NAME are its arguments. */
static void start_init(const char *name)
{
    static char text[BOOT_MODULE_NAME_BYTES];
    static const char *arguments[BOOT_MODULE_NAME_BYTES / 2];
    unsigned count = 0;

    text_copy(text, sizeof(text), name);
    for (uint32_t i = 0; i < boot_info.module_count; i++) {
        const char *string = boot_info.modules[i].name;
        size_t bytes = strlen(name);
        if (strncmp(string, name, bytes) == 0 && (string[bytes] == ' ' || string[bytes] == '\0'))
            text_copy(text, sizeof(text), string);
    }
    for (char *at = text; *at != '\0';) {
        arguments[count++] = at;
        while (*at != ' ' && *at != '\0')
            at++;
        while (*at == ' ')
            *at++ = '\0';
    }
    int32_t result = init_start_program(arguments, count, &init_pid);
    if (result < 0) {
        printk("init: can't start %s: %s (error %d)\n", name, init_failed(result), (int)-result);
        machine_try_exit(EXIT_FAIL);
        return;
    }
    process_set_reaper(init_pid);
    process_find(init_pid)->is_kernels_child = 1;
    if (cpu_features.tsc)
        printk("init: %s starts %llu cycles after kernel entry\n", name,
               cpu_cycles() - cpu_cycles_at_entry);
}

void init_start_by_option(void)
{
    if (file_mount_root() != KERR_OK)
        machine_try_exit(EXIT_FAIL);
    before = take_stock();
    if (init_option.is_given)
        start_init(init_option.text);
}
