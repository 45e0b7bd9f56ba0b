/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. From the firmware's memory map to the frame pool.
 *
 * Maps of real machines are unsorted, overlap, have odd sizes and empty ranges, reach above 4 GiB
 * and end in holes; the loader's own data lies in the middle of them. The rule for all of it: a
 * frame is RAM if it lies wholly in an available range and nothing else claims any byte of it.
 */
#include <kernel/early.h>
#include <kernel/layer.h>
#include <kernel/printk.h>
#include <mm/frame.h>

#define ADDRESS_SPACE_BYTES 0x100000000ull

/* The end of RANGE in bytes, cut at 2^64 - 1 where it wraps. */
static uint64_t range_end(const struct memory_range *range)
{
    return range->base + range->bytes < range->base ? UINT64_MAX : range->base + range->bytes;
}

/* The frames of RANGE below 4 GiB: those it covers wholly, or those it touches. */
enum rounding { ROUND_INWARD, ROUND_OUTWARD };

static void range_frames(const struct memory_range *range, enum rounding rounding, uint32_t *first,
                         uint32_t *end)
{
    uint64_t from = range->base, to = range_end(range);
    if (rounding == ROUND_INWARD)
        from = from > UINT64_MAX - PAGE_BYTES ? UINT64_MAX : from + PAGE_BYTES - 1;
    else
        to = to > UINT64_MAX - PAGE_BYTES ? UINT64_MAX : to + PAGE_BYTES - 1;
    from = from > ADDRESS_SPACE_BYTES ? ADDRESS_SPACE_BYTES : from;
    to = to > ADDRESS_SPACE_BYTES ? ADDRESS_SPACE_BYTES : to;
    *first = (uint32_t)(from >> PAGE_SHIFT);
    *end = (uint32_t)(to >> PAGE_SHIFT);
    if (range->bytes == 0 || *end < *first)
        *end = *first;
}

uint32_t memory_map_frames(const struct memory_range *ranges, uint32_t count)
{
    uint32_t frames = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first, end;
        range_frames(&ranges[i], ROUND_INWARD, &first, &end);
        if (ranges[i].type == MEMORY_AVAILABLE && end > first && end > frames)
            frames = end;
    }
    return (frames + 1023) & ~1023u;
}

uint32_t memory_map_mib_above(const struct memory_range *ranges, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t from = ranges[i].base < ADDRESS_SPACE_BYTES ? ADDRESS_SPACE_BYTES : ranges[i].base;
        uint64_t to = range_end(&ranges[i]);
        if (ranges[i].type == MEMORY_AVAILABLE && to > from)
            bytes += to - from;
    }
    return (uint32_t)(bytes >> 20);
}

void memory_map_apply(struct frame_pool *pool, const struct memory_range *ranges, uint32_t count)
{
    uint32_t first, end;
    for (uint32_t i = 0; i < count; i++) {
        range_frames(&ranges[i], ROUND_INWARD, &first, &end);
        if (ranges[i].type == MEMORY_AVAILABLE)
            frame_pool_add(pool, FRAME(first), end - first);
    }
    for (uint32_t i = 0; i < count; i++) {
        range_frames(&ranges[i], ROUND_OUTWARD, &first, &end);
        if (ranges[i].type != MEMORY_AVAILABLE)
            frame_pool_claim(pool, FRAME(first), end - first, FRAME_RESERVED);
    }
}

/* If a range that is not available touches [first, end): *PAST is where it ends. */
static bool is_blocked(const struct memory_range *ranges, uint32_t count, uint32_t first,
                       uint32_t end, uint32_t *past)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from, to;
        if (ranges[i].type == MEMORY_AVAILABLE)
            continue;
        range_frames(&ranges[i], ROUND_OUTWARD, &from, &to);
        if (from < to && from < end && first < to) { /* an empty range is not in the way */
            *past = to;
            return true;
        }
    }
    return false;
}

/* The lowest run inside the available range AVAILABLE. */
static bool find_in(const struct memory_range *available, const struct memory_range *ranges,
                    uint32_t count, const struct memory_range *blocked, uint32_t blocked_count,
                    uint32_t pages, uint32_t *run)
{
    uint32_t first, end;
    range_frames(available, ROUND_INWARD, &first, &end);
    if (first < KERNEL_LOAD_ADDRESS >> PAGE_SHIFT)
        first = KERNEL_LOAD_ADDRESS >> PAGE_SHIFT; /* low memory is for those who need it */
    while (first < end && end - first >= pages) {
        if (!is_blocked(ranges, count, first, first + pages, &first) &&
            !is_blocked(blocked, blocked_count, first, first + pages, &first)) {
            *run = first;
            return true;
        }
    }
    return false;
}

enum kerr memory_map_find(const struct memory_range *ranges, uint32_t count,
                          const struct memory_range *blocked, uint32_t blocked_count,
                          uint32_t pages, frame_t *first)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t run;
        if (ranges[i].type != MEMORY_AVAILABLE ||
            !find_in(&ranges[i], ranges, count, blocked, blocked_count, pages, &run))
            continue;
        if (!found || run < first->n)
            *first = FRAME(run);
        found = true;
    }
    return found ? KERR_OK : KERR_NO_MEMORY;
}

/* ---- bringing the layer up ---- */

enum { BLOCKED_MAX = BOOT_MODULES_MAX + 3 };

/* And the pool, its tables, the BIOS data, the text screen. */
static struct frame_claim claims[BLOCKED_MAX + 4];
static uint32_t claim_count;

const struct frame_claim *frame_claims(uint32_t *count)
{
    *count = claim_count;
    return claims;
}

void frame_end_claim_of_file(frame_t first)
{
    for (uint32_t i = 0; i < claim_count; i++)
        if (claims[i].kind == FRAME_FILE && claims[i].first.n == first.n)
            claims[i].count = 0;
}

static void note_claim(const char *name, frame_t first, uint32_t count, enum frame_kind kind)
{
    claims[claim_count++] = (struct frame_claim){name, first, count, kind};
}

/*
 * The memory of the loader's framebuffer, empty without one. A screen has not half as many bytes as
 * there is RAM, and does not reach above 4 GiB: one of such a size is not believed.
 */
static struct memory_range framebuffer_range(const struct boot_framebuffer *screen, uint32_t frames)
{
    struct memory_range range = {screen->address, (uint64_t)screen->pitch_bytes * screen->height,
                                 0};
    uint32_t first, end;

    range_frames(&range, ROUND_OUTWARD, &first, &end);
    end = end < frames ? end : frames;
    if (range_end(&range) > ADDRESS_SPACE_BYTES || (end > first && end - first > frames / 2))
        range.bytes = 0;
    return range;
}

/* What lies in RAM, or may, and must stay: the image, the loader's block, its framebuffer, the
 * modules. */
static uint32_t collect_blocked(const struct boot_info *boot, uint32_t frames,
                                struct memory_range *blocked)
{
    uint32_t count = 0;
    paddr_t image = image_to_paddr(image_start);
    blocked[count++] = (struct memory_range){image.v, image_to_paddr(image_end).v - image.v, 0};
    blocked[count++] = (struct memory_range){boot->information_start.v, boot->information_bytes, 0};
    blocked[count++] = framebuffer_range(&boot->framebuffer, frames);
    for (uint32_t i = 0; i < boot->module_count; i++)
        blocked[count++] =
            (struct memory_range){boot->modules[i].start.v, boot->modules[i].bytes, 0};
    return count;
}

/* What the kernel runs in or was given is RAM, whatever the map says of it. */
static void claim_range(const char *name, const struct memory_range *range, enum frame_kind kind)
{
    uint32_t first, end;
    range_frames(range, ROUND_OUTWARD, &first, &end);
    note_claim(name, FRAME(first), end - first, kind);
    for (uint32_t n = first; n < end && n < frame_pool.frames; n++) {
        enum frame_kind now = frame_kind(&frame_pool, FRAME(n));
        if (now == FRAME_FREE || now == FRAME_RESERVED)
            frame_pool_claim(&frame_pool, FRAME(n), 1, kind);
    }
}

/* Something that is no screen lies in RANGE. */
static bool is_taken(const struct memory_range *range)
{
    uint32_t first, end;
    range_frames(range, ROUND_OUTWARD, &first, &end);
    for (uint32_t n = first; n < end && n < frame_pool.frames; n++) {
        enum frame_kind now = frame_kind(&frame_pool, FRAME(n));
        if (now != FRAME_FREE && now != FRAME_RESERVED)
            return true;
    }
    return false;
}

/* What the kernel draws on. The text screen may be there even if the map says RAM. */
static void claim_screens(const struct memory_range *framebuffer)
{
    struct memory_range text = {VGA_TEXT_PHYSICAL, VGA_TEXT_BYTES, 0};
    claim_range("text screen", &text, FRAME_RESERVED);
    /* The last to come: layer 2 refuses it if it is not all reserved. */
    if (!is_taken(framebuffer))
        claim_range("framebuffer", framebuffer, FRAME_RESERVED);
}

static enum kerr frame_layer_init(const struct boot_info *boot)
{
    uint32_t frames = memory_map_frames(boot->memory, boot->memory_count);
    uint32_t bytes = frame_pool_storage_bytes(frames);
    uint32_t pages = (bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;
    uint32_t tables = (pages + SLOT_PAGES - 1) / SLOT_PAGES;
    struct memory_range blocked[BLOCKED_MAX];
    uint32_t blocked_count = collect_blocked(boot, frames, blocked);
    frame_t first;

    if (frames == 0 || memory_map_find(boot->memory, boot->memory_count, blocked, blocked_count,
                                       pages + tables, &first) != KERR_OK)
        return KERR_NO_MEMORY;
    frame_t array = FRAME(first.n + tables);
    void *start;
    early_map_array(VADDR(FRAME_TABLE_BASE), array, pages, first, &start);

    /* The records end with a page, so that those of swap slots can follow them. */
    frame_pool_build(&frame_pool, (uint8_t *)start + (pages << PAGE_SHIFT) - bytes, frames);
    memory_map_apply(&frame_pool, boot->memory, boot->memory_count);
    frame_pool_claim(&frame_pool, first, tables, FRAME_TABLE);
    note_claim("tables of the frame table", first, tables, FRAME_TABLE);
    frame_pool_claim(&frame_pool, array, pages, FRAME_KERNEL);
    note_claim("frame table", array, pages, FRAME_KERNEL);
    for (uint32_t i = 0; i < tables; i++) {
        uint32_t left = pages - i * SLOT_PAGES;
        frame_record(&frame_pool, FRAME(first.n + i))->used_entries =
            (uint16_t)(left < SLOT_PAGES ? left : SLOT_PAGES);
    }
    /* The BIOS data page stays what it was, and a frame number of 0 is never handed out. */
    if (frame_kind(&frame_pool, FRAME(0)) == FRAME_FREE)
        frame_pool_claim(&frame_pool, FRAME(0), 1, FRAME_KERNEL);
    note_claim("BIOS data", FRAME(0), 1, FRAME_KERNEL);
    claim_range("kernel image", &blocked[0], FRAME_KERNEL);
    claim_range("boot information", &blocked[1], FRAME_KERNEL);
    for (uint32_t i = 3; i < blocked_count; i++)
        claim_range("module", &blocked[i], FRAME_FILE);
    claim_screens(&blocked[2]);

    uint32_t above = memory_map_mib_above(boot->memory, boot->memory_count);
    if (above > 0)
        printk("frame: %u MiB of RAM at or above 4 GiB are left alone\n", above);
    return KERR_OK;
}

LAYER(01a, "frame", frame_layer_init);
