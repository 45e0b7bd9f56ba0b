/* SPDX-License-Identifier: MIT */
/*
 * Host model. The CPU of the machine of machine.h: registers, page walk, TLB, faults.
 *
 * Invariants: `tlb` is what the CPU remembers, and the host maps a part of it: a page that the host
 * maps is in `tlb` with at least these rights. A page may be written on the host only if its entry
 * is dirty, so that the walk that sets D can't be missed.
 */
#include "machine_parts.h"
#include "ram.h"

#include <arch/i386/cpu.h>
#include <arch/i386/pte.h>
#include <arch/i386/trap.h>
#include <errno.h>
#include <kernel/early.h>
#include <kernel/panic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define FRAMES 0x100000u

struct cpu_features cpu_features;
struct machine_counters machine_counters;

/* ---- state ---- */

struct registers cpu;

enum tlb_flags {
    TLB_VALID = 1,
    TLB_WRITABLE = 2,
    TLB_USER = 4,
    TLB_GLOBAL = 8,
    TLB_DIRTY = 16,
    TLB_HOST_READ = 32, /* the host maps it */
    TLB_HOST_WRITE = 64,
};

static struct {
    uint32_t frame, at; /* AT: its place in tlb_pages */
    uint8_t flags;
} tlb[FRAMES];
static uint32_t tlb_pages[FRAMES], tlb_length;
static uint32_t tlb_of_frame[FRAMES];
static struct {
    bool valid;
    pde_t pde;
} pdes[SLOT_PAGES];
static uint32_t pde_slots[SLOT_PAGES], pde_count; /* those that are valid */
static uint32_t host_mapped;                      /* pages that the host maps */
static uint64_t omitted;
static void (*speculation)(void);

/* More than so many mappings at once and the host may refuse. They come back one by one. */
enum { HOST_MAPPED_MAX = 24000, DROPPED_ONE_BY_ONE_MAX = 32 };

/* ---- what the host maps ---- */

/* Bypasses libc, whose wrappers the sanitizers watch. */
static void host_map(uintptr_t at, size_t bytes, int rights, int flags, int file, off_t offset)
{
    long got = syscall(SYS_mmap, at, bytes, rights, flags | MAP_FIXED, file, offset);
    if (got != (long)at) {
        fprintf(stderr, "machine: mmap of %zu bytes at %#lx: %s\n", bytes, at, strerror(errno));
        abort();
    }
}

void forget_host_mappings(void)
{
    host_map(ADDRESS_SPACE_BASE, ADDRESS_SPACE_BYTES, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (uint32_t i = 0; i < tlb_length; i++)
        tlb[tlb_pages[i]].flags &= (uint8_t) ~(TLB_HOST_READ | TLB_HOST_WRITE);
    host_mapped = 0;
}

/* ---- the TLB ---- */

static void host_unmap(uint32_t page)
{
    if (!(tlb[page].flags & TLB_HOST_READ))
        return;
    host_map(ADDRESS_SPACE_BASE + ((uintptr_t)page << PAGE_SHIFT), PAGE_BYTES, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    tlb[page].flags &= (uint8_t) ~(TLB_HOST_READ | TLB_HOST_WRITE);
    host_mapped--;
}

static void tlb_drop(uint32_t page)
{
    if (!(tlb[page].flags & TLB_VALID))
        return;
    host_unmap(page);
    tlb_of_frame[tlb[page].frame]--;
    uint32_t last = tlb_pages[--tlb_length];
    tlb_pages[tlb[page].at] = last;
    tlb[last].at = tlb[page].at;
    tlb[page].flags = 0;
}

static void tlb_put(uint32_t page, uint32_t frame, uint8_t flags)
{
    tlb_drop(page);
    tlb[page].frame = frame;
    tlb[page].flags = flags | TLB_VALID;
    tlb[page].at = tlb_length;
    tlb_pages[tlb_length++] = page;
    tlb_of_frame[frame]++;
}

static void forget_pdes(void)
{
    while (pde_count > 0) {
        uint32_t slot = pde_slots[--pde_count];
        pdes[slot].valid = false;
        tlb_of_frame[pde_frame(pdes[slot].pde).n]--;
    }
}

void tlb_flush_pages(enum flush flush)
{
    uint32_t mapped = 0;
    machine_counters.flushes++;
    for (uint32_t i = 0; i < tlb_length; i++)
        mapped += (tlb[tlb_pages[i]].flags & TLB_HOST_READ) != 0 &&
                  (flush == FLUSH_ALL || !(tlb[tlb_pages[i]].flags & TLB_GLOBAL));
    if (mapped > DROPPED_ONE_BY_ONE_MAX)
        forget_host_mappings();
    for (uint32_t i = tlb_length; i-- > 0;)
        if (flush == FLUSH_ALL || !(tlb[tlb_pages[i]].flags & TLB_GLOBAL))
            tlb_drop(tlb_pages[i]);
    forget_pdes();
    if (speculation != NULL)
        speculation();
}

const uint32_t *machine_frame(frame_t frame)
{
    return ram_words(frame.n);
}

void machine_frame_write(frame_t frame, uint32_t index, uint32_t value)
{
    ram_words(frame.n)[index] = value;
    ram_will_change(frame.n);
}

void machine_speculate(void (*preload)(void))
{
    speculation = preload;
}

uint32_t machine_tlb_count(frame_t frame)
{
    return tlb_of_frame[frame.n];
}

void machine_omit_invalidation(uint64_t number)
{
    omitted = number == 0 ? 0 : machine_counters.invalidations + number;
}

/* ---- registers ---- */

uint32_t cpu_read_cr0(void)
{
    return cpu.cr0;
}

uint32_t cpu_read_cr2(void)
{
    return cpu.cr2;
}

uint32_t cpu_read_cr3(void)
{
    return cpu.cr3;
}

uint32_t cpu_read_cr4(void)
{
    return cpu.cr4;
}

void cpu_write_cr0(uint32_t value)
{
    cpu.cr0 = value;
    tlb_flush_pages(FLUSH_ALL);
}

/* Is it the one that is to be left out? */
static bool is_omitted(void)
{
    return ++machine_counters.invalidations == omitted;
}

void cpu_write_cr3(uint32_t value)
{
    bool is_reload = value == cpu.cr3;
    cpu.cr3 = value;
    if (!is_reload || !is_omitted())
        tlb_flush_pages(cpu.cr4 & CR4_PGE ? FLUSH_NOT_GLOBAL : FLUSH_ALL);
}

void cpu_write_cr4(uint32_t value)
{
    static bool toggle_is_omitted; /* off and on again are one invalidation */
    uint32_t flips = cpu.cr4 ^ value;
    cpu.cr4 = value;
    if ((flips & CR4_PGE) != 0 && !(value & CR4_PGE))
        toggle_is_omitted = is_omitted();
    if ((flips & CR4_PSE) != 0 || ((flips & CR4_PGE) != 0 && !toggle_is_omitted))
        tlb_flush_pages(FLUSH_ALL);
}

void cpu_invalidate_page(vaddr_t address)
{
    if (is_omitted())
        return;
    tlb_drop(address.v >> PAGE_SHIFT);
    forget_pdes();
}

/* ---- the walk ---- */

/* source: SDM vol. 3A, "32-Bit Paging", "Page-Fault Exceptions" */
enum error_bits { ERROR_PRESENT = 1, ERROR_WRITE = 2, ERROR_USER = 4, ERROR_RESERVED = 8 };

/* With PSE and without PSE-36 these bits of a large PDE are reserved. */
#define LARGE_RESERVED (SLOT_BYTES - 1 - (2 * PAGE_BYTES - 1))

enum walk_kind { WALK_LOOK, WALK_USE };

struct walked {
    bool present, reserved;
    uint32_t frame;
    bool writable, user, global, dirty;
};

/* The entry at INDEX of the table in FRAME; USE sets the bits SET, as the CPU does, if needed. */
static uint32_t entry_read(uint32_t frame, uint32_t index, enum walk_kind kind, uint32_t set)
{
    uint32_t *entry = ram_words(frame) + index;
    if (kind == WALK_USE && (*entry & ENTRY_PRESENT) && (*entry & set) != set) {
        *entry |= set;
        ram_will_change(frame);
    }
    return *entry;
}

/* The PDE: the cached one in a walk that counts, if there is one. */
static pde_t walk_pde(uint32_t directory, uint32_t slot, enum walk_kind kind)
{
    if (kind == WALK_USE && pdes[slot].valid)
        return pdes[slot].pde;
    pde_t pde = {entry_read(directory, slot, WALK_LOOK, 0)};
    bool is_large = pde_is_large(pde) && (cpu.cr4 & CR4_PSE);
    if (kind == WALK_USE && pde_is_present(pde) && !is_large) {
        pde.bits = entry_read(directory, slot, kind, ENTRY_ACCESSED);
        pdes[slot].valid = true;
        pdes[slot].pde = pde;
        pde_slots[pde_count++] = slot;
        tlb_of_frame[pde_frame(pde).n]++;
    }
    return pde;
}

static struct walked walk_large(uint32_t directory, uint32_t page, pde_t pde, enum walk_kind kind,
                                enum access access)
{
    bool is_write = access == ACCESS_WRITE && (pde.bits & ENTRY_WRITABLE);
    if (pde.bits & LARGE_RESERVED)
        return (struct walked){.present = true, .reserved = true};
    pde.bits = entry_read(directory, page / SLOT_PAGES, kind,
                          ENTRY_ACCESSED | (is_write ? (uint32_t)ENTRY_DIRTY : 0));
    return (struct walked){
        .present = true,
        .frame = pde_frame(pde).n + page % SLOT_PAGES,
        .writable = (pde.bits & ENTRY_WRITABLE) != 0,
        .user = (pde.bits & ENTRY_USER) != 0,
        .global = (pde.bits & ENTRY_GLOBAL) != 0,
        .dirty = (pde.bits & ENTRY_DIRTY) != 0,
    };
}

static struct walked walk(uint32_t directory, uint32_t page, enum walk_kind kind,
                          enum access access)
{
    pde_t pde = walk_pde(directory, page / SLOT_PAGES, kind);
    if (!pde_is_present(pde))
        return (struct walked){0};
    if (pde_is_large(pde) && (cpu.cr4 & CR4_PSE))
        return walk_large(directory, page, pde, kind, access);
    uint32_t table = pde_frame(pde).n, index = page % SLOT_PAGES;
    pte_t pte = {entry_read(table, index, WALK_LOOK, 0)};
    if (!pte_is_present(pte))
        return (struct walked){0};
    uint32_t rights = pde.bits & pte.bits;
    bool is_write = access == ACCESS_WRITE && (rights & ENTRY_WRITABLE);
    pte.bits =
        entry_read(table, index, kind, ENTRY_ACCESSED | (is_write ? (uint32_t)ENTRY_DIRTY : 0));
    return (struct walked){
        .present = true,
        .frame = pte_frame(pte).n,
        .writable = (rights & ENTRY_WRITABLE) != 0,
        .user = (rights & ENTRY_USER) != 0,
        .global = (pte.bits & ENTRY_GLOBAL) != 0,
        .dirty = (pte.bits & ENTRY_DIRTY) != 0,
    };
}

static uint32_t directory_frame(void)
{
    return cpu.cr3 >> PAGE_SHIFT;
}

/* Walk to PAGE and remember what is found. */
static struct walked walk_and_remember(uint32_t page, enum access access)
{
    struct walked found = walk(directory_frame(), page, WALK_USE, access);
    machine_counters.walks++;
    if (!found.present || found.reserved)
        return found;
    tlb_put(page, found.frame,
            (uint8_t)((found.writable ? TLB_WRITABLE : 0) | (found.user ? TLB_USER : 0) |
                      (found.dirty ? TLB_DIRTY : 0) |
                      (found.global && (cpu.cr4 & CR4_PGE) ? TLB_GLOBAL : 0)));
    return found;
}

struct machine_walk machine_walk_from(frame_t directory, vaddr_t address)
{
    struct walked found = walk(directory.n, address.v >> PAGE_SHIFT, WALK_LOOK, ACCESS_READ);
    return (struct machine_walk){found.present && !found.reserved,
                                 FRAME(found.frame),
                                 found.writable,
                                 found.user,
                                 found.global,
                                 found.dirty};
}

struct machine_walk machine_walk(vaddr_t address)
{
    return machine_walk_from(FRAME(directory_frame()), address);
}

void machine_preload(vaddr_t address)
{
    uint32_t page = address.v >> PAGE_SHIFT;
    if (!(tlb[page].flags & TLB_VALID))
        (void)walk_and_remember(page, ACCESS_READ);
}

void machine_preload_pages(vaddr_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        machine_preload(vaddr_add(first, i << PAGE_SHIFT));
}

void machine_preload_window(void)
{
    const uint32_t *directory = ram_words(directory_frame());
    for (uint32_t slot = 0; slot < SLOT_PAGES; slot++)
        if (directory[slot] & ENTRY_PRESENT)
            machine_preload(VADDR(WINDOW_BASE + slot * PAGE_BYTES));
}

/* ---- comparing ---- */

/* Where a missing right may wait for the fault that it costs: the rule, or what works as well. */
enum leniency { BELOW_3_GIB, BELOW_THE_WINDOWS };

static const char *check_page(uint32_t page, enum leniency leniency)
{
    struct walked now = walk(directory_frame(), page, WALK_LOOK, ACCESS_READ);
    uint32_t may_wait = (leniency == BELOW_3_GIB ? KERNEL_BASE : TEMP_BASE) >> PAGE_SHIFT;
    bool was_writable = (tlb[page].flags & TLB_WRITABLE) != 0;
    bool was_user = (tlb[page].flags & TLB_USER) != 0;
    if (!now.present)
        return "the TLB remembers no page that is gone";
    if (now.frame != tlb[page].frame)
        return "the TLB remembers no frame that was replaced";
    if ((was_writable && !now.writable) || (was_user && !now.user))
        return "the TLB remembers no right that was taken away";
    if (((now.writable && !was_writable) || (now.user && !was_user)) && page >= may_wait)
        return "the TLB misses no right of a kernel page";
    return NULL;
}

static const char *check_pde(uint32_t slot)
{
    pde_t now = {ram_words(directory_frame())[slot]};
    uint32_t rights = ENTRY_WRITABLE | ENTRY_USER;
    if (!pde_is_present(now) || pde_frame(now).n != pde_frame(pdes[slot].pde).n ||
        (pdes[slot].pde.bits & ~now.bits & rights) != 0)
        return "the CPU remembers no directory entry that has changed";
    return NULL;
}

static const char *check_tlb(vaddr_t *where, enum leniency leniency)
{
    for (uint32_t i = 0; i < tlb_length; i++) {
        const char *broken = check_page(tlb_pages[i], leniency);
        *where = VADDR(tlb_pages[i] << PAGE_SHIFT);
        if (broken != NULL)
            return broken;
    }
    for (uint32_t i = 0; i < pde_count; i++) {
        const char *broken = check_pde(pde_slots[i]);
        *where = slot_to_vaddr(pde_slots[i]);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

const char *machine_check_tlb(vaddr_t *where)
{
    return check_tlb(where, BELOW_3_GIB);
}

const char *machine_check_tlb_after_event(vaddr_t *where)
{
    enum { SMALL = 4096 };
    return tlb_length < SMALL ? check_tlb(where, BELOW_THE_WINDOWS) : NULL;
}

/* ---- accesses ---- */

/* Let the host do what the CPU remembers of PAGE. */
static void host_map_page(uint32_t page)
{
    uint8_t flags = tlb[page].flags;
    bool is_writable = (flags & TLB_DIRTY) && (flags & TLB_WRITABLE);
    if (!(flags & TLB_HOST_READ) && ++host_mapped > HOST_MAPPED_MAX) {
        forget_host_mappings();
        host_mapped = 1;
    }
    (void)ram_words(tlb[page].frame);
    if (is_writable)
        ram_will_change(tlb[page].frame);
    host_map(ADDRESS_SPACE_BASE + ((uintptr_t)page << PAGE_SHIFT), PAGE_BYTES,
             PROT_READ | (is_writable ? PROT_WRITE : 0), MAP_SHARED | MAP_POPULATE, ram_file(),
             (off_t)tlb[page].frame << PAGE_SHIFT);
    tlb[page].flags |= (uint8_t)(TLB_HOST_READ | (is_writable ? TLB_HOST_WRITE : 0));
}

/* What the CPU says to an access of kernel mode: -1, it goes through (again), or an error code. */
static int cpu_access(uint32_t page, enum access access)
{
    uint32_t error = access == ACCESS_WRITE ? ERROR_WRITE : 0;
    bool is_allowed, is_dirty;
    if (!(tlb[page].flags & TLB_VALID)) {
        struct walked found = walk_and_remember(page, access);
        if (!found.present || found.reserved)
            return (int)(error | (found.present ? ERROR_PRESENT : 0) |
                         (found.reserved ? ERROR_RESERVED : 0));
    }
    is_allowed = access != ACCESS_WRITE || (tlb[page].flags & TLB_WRITABLE);
    if (!is_allowed)
        return (int)(error | ERROR_PRESENT);
    is_dirty = access != ACCESS_WRITE || (tlb[page].flags & TLB_DIRTY);
    if (!is_dirty) { /* D has to be set: a new walk, which may find something new */
        tlb_drop(page);
        return cpu_access(page, access);
    }
    host_map_page(page);
    return -1;
}

CALLED_BY_STUB(2) void page_fault_entry(struct trap_frame *frame, uint32_t address);

extern const char probe_read_access[], probe_write_access[];

/* The same fault at the same instruction, with no register changed, resolved so often: a bug. */
enum { RESOLVED_REPEATS_MAX = 1000 };

static void note_progress(uint32_t address, const greg_t *registers, uint64_t mapped)
{
    static uint32_t last_address, repeats;
    static greg_t last_rip, last_rcx;
    if (address == last_address && registers[REG_RIP] == last_rip &&
        registers[REG_RCX] == last_rcx && mapped == machine_counters.walks)
        repeats++;
    else
        repeats = 0;
    last_address = address;
    last_rip = registers[REG_RIP];
    last_rcx = registers[REG_RCX];
    if (repeats > RESOLVED_REPEATS_MAX) {
        fprintf(stderr, "machine: the fault at %#x is resolved again and again\n", address);
        abort();
    }
}

static void deliver(uint32_t address, uint32_t error, struct trap_frame *frame)
{
    frame->vector = VECTOR_PAGE_FAULT;
    frame->error_code = error;
    cpu.cr2 = address;
    machine_counters.page_faults++;
    page_fault_entry(frame, address);
}

static void deliver_from_host(uint32_t address, uint32_t error, greg_t *registers)
{
    struct trap_frame frame = {
        .edi = (uint32_t)registers[REG_RDI],
        .esi = (uint32_t)registers[REG_RSI],
        .ebp = (uint32_t)registers[REG_RBP],
        .ebx = (uint32_t)registers[REG_RBX],
        .edx = (uint32_t)registers[REG_RDX],
        .ecx = (uint32_t)registers[REG_RCX],
        .eax = (uint32_t)registers[REG_RAX],
        .eip = (uint32_t)registers[REG_RIP],
    };
    uint32_t eip = frame.eip;
    uint64_t walks = machine_counters.walks;
    deliver(address, error, &frame);
    if (frame.eip != eip) { /* a probe routine's landing */
        registers[REG_RIP] = frame.eip;
        registers[REG_RAX] = frame.eax;
    }
    note_progress(address, registers, walks);
}

bool machine_user_try(struct trap_frame *frame, vaddr_t address, enum access access)
{
    uint32_t page = address.v >> PAGE_SHIFT;
    int error = cpu_access(page, access);
    if (error < 0 && !(tlb[page].flags & TLB_USER))
        error = ERROR_PRESENT | (access == ACCESS_WRITE ? ERROR_WRITE : 0);
    if (error < 0)
        return true;
    deliver(address.v, (uint32_t)error | ERROR_USER, frame);
    return false;
}

void machine_user_access(vaddr_t address, enum access access)
{
    enum { USER_CODE_SELECTOR = 0x1B };
    for (uint32_t i = 0; i < RESOLVED_REPEATS_MAX; i++) {
        struct trap_frame frame = {.cs = USER_CODE_SELECTOR};
        if (machine_user_try(&frame, address, access))
            return;
    }
    panic("machine: the fault of user mode at %#x is resolved again and again", address.v);
}

static struct sigaction former_handler;

static void on_segv(int signal, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t offset = (uintptr_t)info->si_addr - ADDRESS_SPACE_BASE;
    if (offset >= ADDRESS_SPACE_BYTES) { /* a bug of the tests, or of the kernel's */
        sigaction(signal, &former_handler, NULL);
        return;
    }
    enum access access = registers[REG_ERR] & ERROR_WRITE ? ACCESS_WRITE : ACCESS_READ;
    machine_counters.host_faults++;
    int error = cpu_access((uint32_t)(offset >> PAGE_SHIFT), access);
    if (error >= 0)
        deliver_from_host((uint32_t)offset, (uint32_t)error, registers);
}

void take_signal(void)
{
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction former;
    sigaction(SIGSEGV, &action, &former);
    if (former.sa_sigaction != on_segv)
        former_handler = former;
}
