/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: nothing. Used by: everything.
 *
 * The vocabulary of the kernel. A *page* is virtual, a *frame* is physical; a *table* is a page
 * table, a *directory* a page directory; a *slot* is one of the 1024 entries of a directory and
 * the 4 MiB of addresses below it. Each kind of address is a structure of its own, so that the
 * compiler refuses a physical address where a virtual one is meant. By value they cost nothing.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define must_check __attribute__((warn_unused_result))
#define noreturn   __attribute__((noreturn))
/* Arguments on the stack, for what is written in or called from assembly; C passes three in EAX,
 * EDX, ECX. */
#define asmlinkage                          __attribute__((regparm(0)))
#define printf_like(text, first)            __attribute__((format(printf, text, first)))
#define ARRAY_LENGTH(array)                 (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* The compiler is told which way a test almost always goes: used on the fault path only. */
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* For members of linker sets: gcc would lay out a file's variables in reverse; clang keeps order.
 */
#if __has_attribute(no_reorder)
#define in_link_order __attribute__((no_reorder))
#else
#define in_link_order
#endif

/* CHECKED is 0 or 1 in every build, so that disabled checks are compiled as well. */
#ifndef CHECKED
#define CHECKED 0
#endif

#define PAGE_SHIFT 12
#define PAGE_BYTES 0x1000u
#define SLOT_SHIFT 22
#define SLOT_BYTES 0x400000u
#define SLOT_PAGES 1024u /* pages of a slot = entries of a table = entries of a directory */

typedef struct {
    uint32_t v;
} paddr_t; /* a physical address, in bytes */

typedef struct {
    uint32_t v;
} vaddr_t; /* a virtual address, in bytes */

typedef struct {
    uint32_t n;
} frame_t; /* a physical frame, by number: physical address / 4096 */

#define PADDR(value)  ((paddr_t){(value)})
#define VADDR(value)  ((vaddr_t){(value)})
#define FRAME(number) ((frame_t){(number)})

static inline paddr_t frame_to_paddr(frame_t frame)
{
    return PADDR(frame.n << PAGE_SHIFT);
}

static inline frame_t paddr_to_frame(paddr_t address)
{
    return FRAME(address.v >> PAGE_SHIFT);
}

/* The start of the page that holds ADDRESS. */
static inline vaddr_t vaddr_to_page(vaddr_t address)
{
    return VADDR(address.v & ~(PAGE_BYTES - 1));
}

static inline bool vaddr_is_page_aligned(vaddr_t address)
{
    return (address.v & (PAGE_BYTES - 1)) == 0;
}

/* The directory entry, 0..1023, that covers ADDRESS. */
static inline uint32_t vaddr_to_slot(vaddr_t address)
{
    return address.v >> SLOT_SHIFT;
}

/* The table entry, 0..1023, that covers ADDRESS. */
static inline uint32_t vaddr_to_pte_idx(vaddr_t address)
{
    return (address.v >> PAGE_SHIFT) & (SLOT_PAGES - 1);
}

static inline vaddr_t slot_to_vaddr(uint32_t slot)
{
    return VADDR(slot << SLOT_SHIFT);
}

static inline vaddr_t vaddr_add(vaddr_t address, uint32_t bytes)
{
    return VADDR(address.v + bytes);
}

/*
 * Where the kernel's address 0 is for C: at 0. The host build (tests/host/) has 4 GiB of its own
 * address space for the kernel's; the base is a multiple of 4 GiB.
 */
#ifndef ADDRESS_SPACE_BASE
#define ADDRESS_SPACE_BASE 0
#endif

/* The one place where an address of the current space becomes a C pointer, and back. */
static inline void *vaddr_to_pointer(vaddr_t address)
{
    return (void *)(ADDRESS_SPACE_BASE + (uintptr_t)address.v);
}

static inline vaddr_t pointer_to_vaddr(const volatile void *pointer)
{
    return VADDR((uint32_t)(uintptr_t)pointer);
}

/* ADDRESS lies in the SIZE bytes from BASE on. Right at the top of the address space, too. */
static inline bool vaddr_in(vaddr_t address, vaddr_t base, uint32_t size_bytes)
{
    return address.v - base.v < size_bytes;
}

#endif
