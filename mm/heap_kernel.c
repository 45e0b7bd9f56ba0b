/* SPDX-License-Identifier: MIT */
/*
 * Layer 5. The kernel's own heap: its room is one region of kernel space, a promise from end to
 * end between two unmapped pages.
 */
#include <kernel/layer.h>
#include <mm/heap.h>
#include <mm/kernel_pages.h>
#include <mm/vma.h>

enum { ROOM_PAGES = HEAP_ROOM_BYTES / PAGE_BYTES - 2 };

_Static_assert(HEAP_ROOM_BYTES == 128u << (HEAP_ROWS - 1), "a row for each power of two");

struct heap kernel_heap;

enum kerr kmalloc(size_t bytes, void **block)
{
    return heap_allocate(&kernel_heap, bytes, 1, __builtin_return_address(0), block);
}

enum kerr kmalloc_aligned(size_t bytes, size_t alignment, void **block)
{
    return heap_allocate(&kernel_heap, bytes, alignment, __builtin_return_address(0), block);
}

enum kerr krealloc(void *old, size_t bytes, void **block)
{
    return heap_resize(&kernel_heap, old, bytes, __builtin_return_address(0), block);
}

void kfree(void *block)
{
    heap_free(&kernel_heap, block, __builtin_return_address(0));
}

static enum kerr heap_layer_init(const struct boot_info *boot)
{
    static const struct heap_backing backing = {.make_real = kernel_pages_make_real,
                                                .discard = kernel_pages_discard};
    vaddr_t room = VADDR(HEAP_BASE + PAGE_BYTES);
    enum kerr error;

    (void)boot;
    error = vma_register_kernel(room, ROOM_PAGES, RIGHTS_READ_WRITE, VMA_PROMISE, "kernel heap");
    if (error != KERR_OK)
        return error;
    return heap_build(&kernel_heap, room, ROOM_PAGES, &backing);
}

LAYER(05a, "heap", heap_layer_init);
