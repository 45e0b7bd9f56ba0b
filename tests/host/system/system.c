/* SPDX-License-Identifier: MIT */
#include "operations.h"
#include "programs.h"
#include "tests.h"

#include "../audit.h"
#include "../ext2/disk.h"
#include "../machine.h"

#include <file/file.h>
#include <file/open_file.h>
#include <kernel/printk.h>
#include <mm/audit.h>
#include <mm/heap.h>
#include <mm/zero.h>
#include <process/audit.h>
#include <stdlib.h>

static struct census census;

void system_begin(uint32_t seed, uint32_t mib, uint32_t kib, const char *options)
{
    struct boot_info boot;
    const struct machine_options machine = {
        .ram_bytes = mib << 20, .pse = seed % 2, .pge = seed % 3};
    machine_set_output(OUTPUT_HIDDEN);
    machine_boot_info(machine.ram_bytes, &boot);
    if (machine_boot(&machine, &boot) != KERR_OK)
        wrong("the machine does not boot");
    static uint8_t *image;
    free(image);
    image = disk_make(kib, options);
    disk_seed(seed);
    tree_seed(seed);
    tree_begin();
    disk_begin(&system_disk, "hda", image, kib * 1024ull);
    if (disk_file_add(&system_disk.device, 0) != KERR_OK)
        wrong("the disk is no file");
    programs_begin();
    holders[0].lives = true;
    make_memory();
}

int32_t system_mount(void)
{
    uint32_t source = put_text(0, "/dev/hda"), target = put_text(100, tree_paths[0]),
             type = put_text(200, "ext2");
    return call(CALL_MOUNT, source, target, type, 0, 0);
}

int32_t system_unmount(void)
{
    return call(CALL_UMOUNT, put_text(0, tree_paths[0]));
}

void system_audit(void)
{
    struct audit audit;
    struct process_audit processes;
    const char *broken = vm_audit(&audit, frame_pool.set_aside);
    if (broken != NULL)
        wrong("audit: %s %s", broken, audit.where);
    broken = process_audit(&processes);
    if (broken != NULL)
        wrong("audit of processes: %s %s", broken, processes.where);
}

/* Blocks of the heap are counted as such: on how many pages they lie is its affair. */
static uint32_t heap_pages(void)
{
    uint32_t pages = 0;
    for (uint32_t page = 0; page < HEAP_ROOM_BYTES >> PAGE_SHIFT; page++) {
        struct machine_walk walk = machine_walk(VADDR(HEAP_BASE + (page << PAGE_SHIFT)));
        pages += walk.present && walk.frame.n != zero_frame.n;
    }
    return pages;
}

/* Without the memory of the program. */
static void take_census(struct census *taken)
{
    expect(call(CALL_MUNMAP, TEXTS, MEMORY_BYTES), 0, "munmap");
    file_forget_spare();
    heap_trim(&kernel_heap, 0);
    vma_trim();
    census_take(taken);
    uint32_t pages = heap_pages();
    taken->totals[FRAME_ANONYMOUS] -= pages;
    taken->totals[FRAME_FREE] += pages;
    make_memory();
}

void system_count(void)
{
    take_census(&census);
}

void system_count_again(void)
{
    struct census now;
    take_census(&now);
    const char *broken = census_compare(&census, &now);
    if (broken != NULL)
        wrong("in the end: %s", broken);
}
