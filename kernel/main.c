/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. From boot.asm to whoever takes over: CPU tables, console, what the loader said, then the
 * layers in order.
 *
 * It names no layer: it finds them in a linker set, so that a kernel of layers 0..N alone is a
 * whole kernel. The command line may ask for tests or measurements instead of the main loop; they
 * run when every layer is up.
 */
#include <arch/i386/cpu.h>
#include <arch/i386/double_fault.h>
#include <arch/i386/gdt.h>
#include <arch/i386/pic.h>
#include <arch/i386/trap.h>
#include <kernel/boot_info.h>
#include <kernel/console.h>
#include <kernel/early.h>
#include <kernel/layer.h>
#include <kernel/machine.h>
#include <kernel/memmap.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/test.h>

struct boot_info boot_info;

OPTION(memmap, "memmap", OPTION_TEXT);
OPTION(panic, "panic", OPTION_TEXT, .exists = panic_test_exists, .is_task = true);
OPTION(test, "test", OPTION_SUBJECT, .exists = tests_exist, .is_task = true);
OPTION(bench, "bench", OPTION_SUBJECT, .exists = benches_exist, .is_task = true);

/* Called by boot.asm, on the kernel stack, with interrupts off. */
asmlinkage void kernel_entry(uint32_t information) noreturn;

/* A panic is for a broken rule; this is for a machine that has not what the kernel needs. */
static void noreturn cannot_start(const char *what, enum kerr error)
{
    printk("cannot start: %s: %s\n", what, kerr_text(error));
    machine_exit(EXIT_FAIL);
}

/* The block begins with its own size, so it is looked at twice. */
static enum kerr read_boot_information(paddr_t start)
{
    const void *view;
    enum kerr error = early_map_boot_window(start, sizeof(uint32_t), &view);

    if (error != KERR_OK)
        return error;
    uint32_t bytes = *(const uint32_t *)view;
    error = early_map_boot_window(start, bytes, &view);
    if (error != KERR_OK)
        return error;
    return boot_info_parse(view, bytes, start, &boot_info);
}

/* Returns how many options have a wrong value. */
static unsigned read_options(void)
{
    static char words[BOOT_COMMAND_LINE_BYTES];

    text_copy(words, sizeof(words), boot_info.command_line);
    return options_read(words, options_first, options_end);
}

/* A map on the command line also helps where the loader gave none. */
static void set_up_memory_map(enum kerr parsed)
{
    if (parsed == KERR_OK || parsed == KERR_NOT_FOUND) {
        if (memmap_option.is_given) {
            parsed = memmap_replace(memmap_option.text, &boot_info);
            if (parsed != KERR_OK)
                cannot_start("the option memmap=", parsed);
        }
        if (boot_info.memory_count == 0)
            cannot_start("the memory map", KERR_NOT_FOUND);
        return;
    }
    cannot_start("the boot information", parsed);
}

static void bring_up_layers(void)
{
    const struct layer *layer;

    for (layer = layers_first; layer < layers_end; layer++) {
        enum kerr error = layer->init(&boot_info);

        if (error != KERR_OK)
            cannot_start(layer->name, error);
        printk("up: %s\n", layer->name);
    }
}

static const char *subject(const struct option *option)
{
    return option->text[0] != '\0' ? option->text : NULL;
}

/* What the command line asks for instead of the main loop. Comes back if it asks for nothing. */
static void obey_command_line(void)
{
    if (panic_option.is_given) {
        panic_test_run(panic_option.text);
        machine_exit(EXIT_FAIL);
    }
    if (test_option.is_given)
        machine_exit(tests_run(subject(&test_option)) ? EXIT_PASS : EXIT_FAIL);
    if (bench_option.is_given)
        machine_exit(benches_run(subject(&bench_option)) ? EXIT_PASS : EXIT_FAIL);
}

asmlinkage void kernel_entry(uint32_t information)
{
    gdt_init();
    double_fault_init();
    trap_init();
    pic_init();
    console_init((volatile uint16_t *)vaddr_to_pointer(VADDR(KERNEL_BASE + VGA_TEXT_PHYSICAL)));
    printk("\nDroste, %s build\n", CHECKED ? "checked" : "plain");

    enum kerr parsed = read_boot_information(PADDR(information));
    unsigned wrong_options = read_options();
    set_up_memory_map(parsed);
    cpu_init();
    printk("CPU %s; loaded by %s; command line \"%s\"\n", cpu_features.name, boot_info.loader_name,
           boot_info.command_line);

    bring_up_layers();
    /* Only now: where GRUB left a graphics mode, nothing is to be seen before. */
    if (wrong_options > 0)
        cannot_start("the command line", KERR_BAD_VALUE);
    obey_command_line();
    for (void (*const *main_loop)(void) = main_loops_first; main_loop < main_loops_end; main_loop++)
        (*main_loop)();
    printk("this kernel has no prompt: halting\n");
    machine_exit(EXIT_HALT);
}
