/* SPDX-License-Identifier: MIT */
/*
 * User test. A program reads, writes and jumps to the kernel's addresses: SIGSEGV at that address
 * each time, and nothing else. Every page of the slots with the temporary pages and the windows,
 * where the page tables are, and 32 pages of each other slot: the image, all promises, the heap.
 *
 * run: on=droste
 */
#include "check.h"

#include <setjmp.h>
#include <stdint.h>

#define KERNEL_BASE 0xC0000000u
#define PAGE_BYTES  4096u
#define SLOT_BYTES  (1024 * PAGE_BYTES)
#define TEMP_BASE   0xFF400000u /* from here on every page */

enum access { READ, WRITE, JUMP, ACCESSES };
static const char *const access_names[] = {"read", "written", "jumped to"};

static sigjmp_buf after_signal;
static volatile uint32_t wanted_address;
static volatile int last_signal, wrong_addresses;

static void on_signal(int signal, siginfo_t *information, void *context)
{
    (void)context;
    last_signal = signal;
    if ((uint32_t)(uintptr_t)information->si_addr != wanted_address)
        wrong_addresses++;
    siglongjmp(after_signal, 1);
}

/* Returns the signal that it ends with; 0: none. */
static int try_access(uint32_t address, enum access access)
{
    volatile uint8_t *byte = (volatile uint8_t *)(uintptr_t)address;
    last_signal = 0;
    wanted_address = address;
    if (sigsetjmp(after_signal, 1) == 0) {
        if (access == READ)
            (void)*byte;
        else if (access == WRITE)
            *byte = 0x55;
        else
            ((void (*)(void))(uintptr_t)address)();
    }
    return last_signal;
}

static void try_all(enum access access, uint32_t offset)
{
    unsigned tried = 0, wrong = 0;
    for (uint32_t address = KERNEL_BASE; address >= KERNEL_BASE;) {
        if (try_access(address + offset, access) != SIGSEGV) {
            if (wrong++ < 5)
                check_note("%08x: signal %d", address + offset, last_signal);
        }
        tried++;
        address += address >= TEMP_BASE ? PAGE_BYTES : SLOT_BYTES / 32;
    }
    char text[100];
    snprintf(text, sizeof text, "%u kernel pages %s at byte %u: SIGSEGV", tried,
             access_names[access], offset);
    CHECK_THAT(text, wrong == 0);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    for (enum access access = READ; access < ACCESSES; access++) {
        try_all(access, 0);
        try_all(access, PAGE_BYTES - 4);
    }
    CHECK_EQUAL(wrong_addresses, 0);
    return check_end();
}
