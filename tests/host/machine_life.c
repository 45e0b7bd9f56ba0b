/* SPDX-License-Identifier: MIT */
/*
 * Host model. The life of the machine of machine.h: switched on, booted, saved and restored.
 */
#include "machine_parts.h"
#include "ram.h"

#include <arch/i386/cpu.h>
#include <arch/i386/pte.h>
#include <kernel/early.h>
#include <kernel/layer.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__clang__)
#define UNSANITIZED __attribute__((no_sanitize("address", "undefined")))
#else
#define UNSANITIZED __attribute__((no_sanitize_address, no_sanitize_undefined))
#endif

/* The kernel's own variables, from host.ld. */
extern uint8_t kernel_data_first[], kernel_data_end[];
static struct registers saved_cpu;
static struct cpu_features saved_features;
static uint8_t *pristine_data, *saved_data;

static UNSANITIZED void copy_data(uint8_t *to, const uint8_t *from)
{
    size_t words = (size_t)(kernel_data_end - kernel_data_first) / 8;
    for (size_t i = 0; i < words; i++)
        ((volatile uint64_t *)to)[i] = ((const volatile uint64_t *)from)[i];
}

static uint8_t *new_copy_of_data(void)
{
    uint8_t *copy = malloc((size_t)(kernel_data_end - kernel_data_first) + 8);
    copy_data(copy, kernel_data_first);
    return copy;
}

static void make_address_space(void)
{
    void *got = mmap((void *)ADDRESS_SPACE_BASE, ADDRESS_SPACE_BYTES, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got != (void *)ADDRESS_SPACE_BASE) {
        fprintf(stderr, "machine: no room for 4 GiB at %#lx\n", ADDRESS_SPACE_BASE);
        abort();
    }
}

static void set_up_host(void)
{
    pristine_data = new_copy_of_data();
    make_address_space();
    ram_make();
}

/* What boot.asm leaves (include/kernel/early.h). */
static void make_boot_tables(void)
{
    enum { FLAGS = ENTRY_PRESENT | ENTRY_WRITABLE };
    frame_t directory = paddr_to_frame(image_to_paddr(boot_directory));
    frame_t image = paddr_to_frame(image_to_paddr(boot_image_table));
    frame_t temp = paddr_to_frame(image_to_paddr(boot_temp_table));
    frame_t guard = paddr_to_frame(image_to_paddr(stack_guard));
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        machine_frame_write(directory, i, 0);
        machine_frame_write(temp, i, 0);
        machine_frame_write(image, i, i == guard.n ? 0 : pte_make(FRAME(i), FLAGS).bits);
    }
    machine_frame_write(directory, 0, pde_make(image, FLAGS).bits);
    machine_frame_write(directory, KERNEL_FIRST_SLOT, pde_make(image, FLAGS).bits);
    machine_frame_write(directory, TEMP_SLOT, pde_make(temp, FLAGS).bits);
    machine_frame_write(directory, WINDOW_SLOT, pde_make(directory, FLAGS).bits);
    cpu.cr3 = frame_to_paddr(directory).v;
    current_directory = frame_to_paddr(directory);
}

void machine_start(const struct machine_options *options)
{
    if (pristine_data == NULL)
        set_up_host();
    take_signal();
    machine_speculate(NULL);
    tlb_flush_pages(FLUSH_ALL);
    free(saved_data);
    saved_data = NULL;
    ram_new();
    copy_data(kernel_data_first, pristine_data);
    machine_omit_invalidation(0);
    machine_fail_allocation(0, FAIL_ONCE);
    cpu_features = (struct cpu_features){.pse = options->pse,
                                         .pge = options->pge,
                                         .cpuid = true,
                                         .cr4 = true,
                                         .name = "the host's model"};
    cpu = (struct registers){.cr0 = CR0_PROTECTED | CR0_WRITE_PROTECT | CR0_PAGING};
    make_boot_tables();
}

void machine_boot_info(uint32_t ram_bytes, struct boot_info *boot)
{
    *boot = (struct boot_info){.memory = {{0, 0x9FC00, MEMORY_AVAILABLE},
                                          {0x9FC00, 0x400, 2},
                                          {0xF0000, 0x10000, 2},
                                          {0x100000, ram_bytes - 0x100000, MEMORY_AVAILABLE}},
                               .memory_count = 4,
                               .information_start = PADDR(0x9000),
                               .information_bytes = 1000};
    const char *line = getenv("COMMAND_LINE");
    if (line != NULL)
        strncpy(boot->command_line, line, sizeof(boot->command_line) - 1);
}

/* All that the CPU may know while the layers come up. */
static void preload_early(void)
{
    machine_preload_window();
    machine_preload_pages(VADDR(0), SLOT_PAGES);
    machine_preload_pages(VADDR(KERNEL_BASE), 2 * SLOT_PAGES);
    machine_preload_pages(VADDR(TEMP_BASE), TEMP_BOOT_WINDOW + TEMP_BOOT_WINDOW_PAGES);
}

enum kerr machine_boot(const struct machine_options *options, const struct boot_info *boot)
{
    return machine_boot_failing(options, boot, 0);
}

enum kerr machine_boot_failing(const struct machine_options *options, const struct boot_info *boot,
                               uint32_t number)
{
    machine_start(options);
    machine_fail_allocation(number, FAIL_ONCE);
    machine_speculate(preload_early);
    boot_info = *boot;
    static char words[BOOT_COMMAND_LINE_BYTES];
    memcpy(words, boot->command_line, sizeof(words));
    if (options_read(words, options_first, options_end) > 0)
        return KERR_BAD_VALUE;
    early_map_cpu_tables();
    const void *view;
    enum kerr error =
        early_map_boot_window(boot->information_start, boot->information_bytes, &view);
    for (const struct layer *layer = layers_first; layer < layers_end && error == KERR_OK;
         layer++) {
        preload_early();
        error = layer->init(&boot_info);
    }
    machine_speculate(NULL);
    if (error != KERR_OK)
        return error;
    vaddr_t where;
    const char *broken = machine_check_tlb(&where);
    if (broken != NULL)
        panic("boot: page V0x%08x: %s", where.v, broken);
    return KERR_OK;
}

void machine_save(void)
{
    free(saved_data);
    saved_data = new_copy_of_data();
    saved_cpu = cpu;
    saved_features = cpu_features;
    ram_save();
    forget_host_mappings(); /* so that a page written from now on is noticed */
}

void machine_restore(void)
{
    machine_speculate(NULL);
    tlb_flush_pages(FLUSH_ALL);
    copy_data(kernel_data_first, saved_data);
    cpu = saved_cpu;
    cpu_features = saved_features;
    ram_restore();
}
