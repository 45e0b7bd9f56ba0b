/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Leaving: by the doors that emulators have, and the reset of a PC.
 *
 * A door is tried only where it is known to be one. On a real PC halting is all there is: switching
 * it off would need ACPI.
 */
#include <arch/i386/cpu.h>
#include <arch/i386/io.h>
#include <kernel/machine.h>
#include <kernel/printk.h>

enum {
    FW_CFG_SELECTOR = 0x510,
    FW_CFG_DATA = 0x511,
    FW_CFG_SIGNATURE = 0,      /* the item that reads "QEMU" */
    QEMU_DEBUG_EXIT = 0xF4,    /* where our command lines put isa-debug-exit */
    QEMU_ACPI_CONTROL = 0x604, /* PM1a control block, on both pc and q35 */
    ACPI_SLEEP_ENABLE = 1 << 13,
    BOCHS_SHUTDOWN = 0x8900, /* takes the word "Shutdown" letter by letter */
    I8042_STATUS = 0x64,
    I8042_COMMAND = 0x64,
    I8042_INPUT_FULL = 0x02,
    I8042_PULSE_RESET = 0xFE,
    READY_POLLS = 100000,
};

static bool is_qemu(void)
{
    static const uint8_t signature[] = {'Q', 'E', 'M', 'U'};

    outw(FW_CFG_SELECTOR, FW_CFG_SIGNATURE);
    for (unsigned i = 0; i < sizeof(signature); i++)
        if (inb(FW_CFG_DATA) != signature[i])
            return false;
    return true;
}

void machine_try_exit(enum exit_status status)
{
    cpu_interrupts_off();
    if (is_qemu()) {
        outb(QEMU_DEBUG_EXIT, (uint8_t)status);
        /* Still here: no such device. Only a wish to halt may close the window on a report. */
        if (status == EXIT_HALT)
            outw(QEMU_ACPI_CONTROL, ACPI_SLEEP_ENABLE);
    } else {
        for (const char *letter = "Shutdown"; *letter != '\0'; letter++)
            outb(BOCHS_SHUTDOWN, (uint8_t)*letter);
    }
}

void machine_exit(enum exit_status status)
{
    machine_try_exit(status);
    printk("The machine is halted: you may switch it off.\n");
    cpu_halt();
}

void machine_reboot(void)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } no_idt = {0, 0};

    cpu_interrupts_off();
    for (uint32_t polls = READY_POLLS; polls > 0; polls--)
        if (!(inb(I8042_STATUS) & I8042_INPUT_FULL))
            break;
    outb(I8042_COMMAND, I8042_PULSE_RESET);
    for (uint32_t polls = READY_POLLS; polls > 0; polls--)
        io_wait();

    /* No keyboard controller: an exception without an IDT is a triple fault, and that a reset. */
    __asm__ volatile("lidt %0\n\tint3" : : "m"(no_idt));
    cpu_halt();
}
