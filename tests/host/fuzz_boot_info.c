/* SPDX-License-Identifier: MIT */
/*
 * Host test, for libFuzzer: multiboot2 information blocks. What is accepted must be a text with an
 * end, a count that fits, and a memory map from which layer 1 makes a pool that holds together and
 * gives out nothing but RAM.
 */
#include <kernel/boot_info.h>
#include <mm/frame.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

enum { FRAMES_MAX = 0x800 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool has_end(const char *text, size_t bytes)
{
    return memchr(text, 0, bytes) != NULL;
}

/* Does the available range RANGE hold the whole frame N? */
static bool holds(const struct memory_range *range, uint32_t n)
{
    uint64_t from = (uint64_t)n << PAGE_SHIFT;
    uint64_t end =
        range->base + range->bytes < range->base ? UINT64_MAX : range->base + range->bytes;
    return range->type == MEMORY_AVAILABLE && range->base <= from && end >= from + PAGE_BYTES;
}

/* Does RANGE, which is not available, touch frame N? */
static bool forbids(const struct memory_range *range, uint32_t n)
{
    uint64_t from = (uint64_t)n << PAGE_SHIFT;
    uint64_t end =
        range->base + range->bytes < range->base ? UINT64_MAX : range->base + range->bytes;
    return range->type != MEMORY_AVAILABLE && range->bytes > 0 && range->base < from + PAGE_BYTES &&
           end > from;
}

static bool is_ram(const struct boot_info *info, uint32_t n)
{
    bool is_held = false;
    for (uint32_t i = 0; i < info->memory_count; i++) {
        if (forbids(&info->memory[i], n))
            return false;
        is_held |= holds(&info->memory[i], n);
    }
    return is_held;
}

static void check_pool(const struct boot_info *info)
{
    static struct frame_pool pool;
    uint32_t frames = memory_map_frames(info->memory, info->memory_count);
    must(frames % 1024 == 0 && frames <= 0x100000);
    if (frames > FRAMES_MAX)
        frames = FRAMES_MAX; /* the rest is as good */
    void *storage = malloc(frame_pool_storage_bytes(frames) + 4);
    frame_pool_build(&pool, storage, frames);
    memory_map_apply(&pool, info->memory, info->memory_count);
    must(frame_pool_check(&pool) == NULL);
    for (uint32_t n = 0; n < frames; n++)
        must((frame_kind(&pool, FRAME(n)) == FRAME_FREE) == is_ram(info, n));
    free(storage);
}

/* The place for the pool's storage: RAM, above the first MiB, clear of the modules. */
static void check_place(const struct boot_info *info)
{
    struct memory_range blocked[BOOT_MODULES_MAX];
    frame_t first;
    for (uint32_t i = 0; i < info->module_count; i++)
        blocked[i] = (struct memory_range){info->modules[i].start.v, info->modules[i].bytes, 0};
    if (memory_map_find(info->memory, info->memory_count, blocked, info->module_count, 5, &first) !=
        KERR_OK)
        return;
    for (uint32_t n = first.n; n < first.n + 5; n++) {
        must(n >= 0x100 && is_ram(info, n));
        for (uint32_t i = 0; i < info->module_count; i++)
            must(!forbids(&blocked[i], n));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct boot_info info;
    /* A block of its own size, so that the sanitizer sees a read beyond it. */
    uint8_t *block = malloc(bytes + 1);
    uint8_t *at = bytes % 2 ? block : block + 1;
    machine_set_output(OUTPUT_HIDDEN);
    memcpy(at, data, bytes);
    if (bytes >= 4)
        memcpy(at, &(uint32_t){(uint32_t)bytes}, 4); /* mutation seldom finds that */
    enum kerr error = boot_info_parse(at, (uint32_t)bytes, PADDR(0x10000), &info);
    free(block);
    must(error == KERR_OK || error == KERR_BAD_VALUE || error == KERR_NOT_FOUND);
    must(info.memory_count <= BOOT_MEMORY_RANGES_MAX && info.module_count <= BOOT_MODULES_MAX);
    if (error == KERR_BAD_VALUE)
        return 0;
    must(has_end(info.command_line, sizeof(info.command_line)));
    must(has_end(info.loader_name, sizeof(info.loader_name)));
    for (uint32_t i = 0; i < info.module_count; i++)
        must(has_end(info.modules[i].name, sizeof(info.modules[i].name)));
    must((error == KERR_OK) == (info.memory_count > 0));
    if (error == KERR_OK) {
        check_pool(&info);
        check_place(&info);
    }
    return 0;
}
