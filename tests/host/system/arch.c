/* SPDX-License-Identifier: MIT */
/*
 * Host model. What layers 7-10 want from the CPU and the chips beside it: gates, timer, clock, and the
 * points where interrupts come. There is no x87 unit. Compiled as a part of the kernel: what it keeps is
 * of the machine, and goes back with it.
 */
#include "arch.h"

#include "disk.h"

#include <arch/i386/cpu.h>
#include <arch/i386/fpu.h>
#include <arch/i386/gdt.h>
#include <arch/i386/pic.h>
#include <arch/i386/pit.h>
#include <arch/i386/rtc.h>
#include <kernel/machine.h>
#include <kernel/panic.h>

#include "../machine.h"

/* So many ticks in a row without anything else, and nobody will ever go on. */
enum { IDLE_TICKS_MAX = 20000 };

/* ---- gates ---- */

system_call_t *trap_system_calls[SYSTEM_CALLS];
uint32_t trap_leave_work;
struct trap_frame *(*trap_leave)(struct trap_frame *frame);
struct tss main_tss;

void trap_open_system_calls(void)
{
    const struct trap_user_client *client = trap_set_user_client(NULL);
    trap_set_user_client(client);
    trap_leave = client->leave;
}

void trap_resume(struct trap_frame *frame)
{
    (void)frame;
    panic("programs of the model are resumed by their own stacks");
}

const char *trap_name(unsigned vector)
{
    (void)vector;
    return "exception";
}

uint64_t gdt_user_data(uint32_t base, uint32_t limit, unsigned type, unsigned flags)
{
    (void)base;
    (void)limit;
    (void)type;
    (void)flags;
    return 0;
}

void gdt_set_tls(const uint64_t tls[TLS_ENTRIES])
{
    (void)tls;
}

/* ---- time ---- */

void pit_start(uint32_t hz)
{
    (void)hz;
}

uint32_t pit_ticks_served(void)
{
    return 1;
}

uint32_t pit_clocks_since_tick(void)
{
    return 0;
}

uint64_t rtc_read(void)
{
    enum { A_DAY_IN_2023 = 1700000000 };
    return A_DAY_IN_2023;
}

/* ---- interrupts ---- */

struct arch_chance arch_chance = {.tick = 64, .disk = 2};
static uint32_t idle_ticks;

static void tick(void)
{
    struct trap_frame frame = {.vector = PIC_FIRST_VECTOR + PIT_IRQ};
    machine_trap_handler(frame.vector)(&frame);
}

void cpu_take_interrupts(void)
{
    idle_ticks = 0;
    if (disk_chance(arch_chance.disk))
        disk_step();
    if (disk_chance(arch_chance.tick))
        tick();
}

/* Nobody can go on: something has to come from outside. */
void cpu_idle(void)
{
    if (disk_step()) {
        idle_ticks = 0;
        return;
    }
    if (++idle_ticks > IDLE_TICKS_MAX)
        panic("all sleep, and nothing is under way");
    tick();
}

/* ---- what is not there ---- */

void fpu_unit_init(void)
{
}

enum fpu_format fpu_unit_format(void)
{
    return FPU_NONE;
}

uint32_t fpu_unit_mxcsr_mask(void)
{
    return 0;
}

void fpu_unit_close(void)
{
}

void fpu_unit_open(void)
{
}

void fpu_unit_save(struct fpu_image *image)
{
    (void)image;
}

void fpu_unit_load(const struct fpu_image *image)
{
    (void)image;
}

void fpu_image_reset(struct fpu_image *image)
{
    (void)image;
}

void fpu_image_to_old(const struct fpu_image *image, struct fpu_old_image *old)
{
    (void)image;
    (void)old;
}

void fpu_image_from_old(struct fpu_image *image, const struct fpu_old_image *old)
{
    (void)image;
    (void)old;
}

void machine_exit(enum exit_status status)
{
    panic("the machine is left with status %u", status);
}

void machine_reboot(void)
{
    panic("the machine is started again");
}
