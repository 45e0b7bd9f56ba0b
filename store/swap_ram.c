/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Compressed memory (swap_ram.h): where the pages of its slots are kept.
 *
 * A frame of kind PACKED is 32 chunks of 128 bytes. A page is kept in pieces: some chunks of one
 * frame, any of them. The first 8 bytes of a piece say where the next one is.
 *
 *     slot ──▶ frame, chunks     frame  [. . A A A B . A . . C C ...]   A: one piece of 4 chunks
 *
 * So each free chunk can be used, wherever it is, and how many there are says what can be kept. A
 * frame all of whose chunks are free is given back, but for those put by.
 */
#include "swap_ram.h"

#include "page_compress.h"

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include <mm/heap.h>

enum {
    CHUNK_BYTES = 128,
    FRAME_CHUNKS = PAGE_BYTES / CHUNK_BYTES,
    HEAD_BYTES = 8,
    PIECES_MOST = (PAGE_BYTES + CHUNK_BYTES - HEAD_BYTES - 1) / (CHUNK_BYTES - HEAD_BYTES),
    KEPT_MOST = PAGE_BYTES * 3 / 4, /* a page that takes more is not kept: it would save little */
    ROOMY_CHUNKS = 8,               /* a frame with so many free ones is used first */
    LEFT_SHARE = 8, /* this part of what was free is not used for pages that are out */
};

/* Some CHUNKS of a frame. PLACE: the frame's number, and what else is to be known. */
struct piece {
    uint32_t place, chunks;
};
enum {
    PLACE_FRAME = 0xFFFFF,
    PLACE_GOES_ON = 0x100000, /* there is another piece behind it */
    PLACE_PLAIN = 0x200000,   /* the page is not compressed */
    PLACE_WORD = 0x400000,    /* the page is full of the word CHUNKS, and takes no room */
};

/* What is known of a frame. Those of kind PACKED with a free chunk are in one of two lists. */
struct shelf {
    uint32_t free; /* chunks, a bit each */
    uint32_t next, previous;
};

static struct {
    struct page_compressor compressor;
    uint8_t bytes[PIECES_MOST * CHUNK_BYTES + PAGE_BYTES]; /* of a page, in one piece */
    frame_t first;                                         /* slot */
    uint32_t pages, frames_most, free_chunks, by_frames;
    struct piece *slots;   /* [pages]; 0: nothing is kept */
    struct shelf *shelves; /* [frames of the machine, and the heads of two lists] */
} * ram;

struct swap_ram_counts swap_ram_counts;

/* ---- frames ---- */

/* The heads of the lists: frames with some free chunks, and those that are free as a whole. */
static uint32_t head_of_some(void)
{
    return frame_pool.frames;
}

static uint32_t head_of_by(void)
{
    return frame_pool.frames + 1;
}

static void unlist(uint32_t n)
{
    struct shelf *shelves = ram->shelves, *shelf = &shelves[n];
    shelves[shelf->next].previous = shelf->previous;
    shelves[shelf->previous].next = shelf->next;
}

static void list_behind(uint32_t n, uint32_t at)
{
    struct shelf *shelves = ram->shelves;
    shelves[n].previous = at;
    shelves[n].next = shelves[at].next;
    shelves[shelves[at].next].previous = n;
    shelves[at].next = n;
}

static uint32_t count_chunks(uint32_t chunks)
{
    uint32_t count = 0;
    for (; chunks != 0; chunks &= chunks - 1)
        count++;
    return count;
}

/* Frame N, whose free chunks are new, and which is in no list, goes where it belongs. */
static void list_frame(uint32_t n)
{
    uint32_t free = ram->shelves[n].free;
    if (free == UINT32_MAX && ram->by_frames == RAM_BY_FRAMES) {
        ram->free_chunks -= FRAME_CHUNKS;
        swap_ram_counts.frames--;
        frame_free(&frame_pool, FRAME(n));
    } else if (free == UINT32_MAX) {
        ram->by_frames++;
        list_behind(n, head_of_by());
    } else if (count_chunks(free) >= ROOMY_CHUNKS) {
        list_behind(n, head_of_some());
    } else if (free != 0) {
        list_behind(n, ram->shelves[head_of_some()].previous);
    }
}

void ram_put_by(uint32_t left)
{
    frame_t frame;
    while (ram != NULL && ram->by_frames < RAM_BY_FRAMES &&
           swap_ram_counts.frames < ram->frames_most && frame_available(&frame_pool) > left &&
           frame_alloc(&frame_pool, FRAME_PACKED, &frame) == KERR_OK) {
        ram->shelves[frame.n].free = UINT32_MAX;
        ram->free_chunks += FRAME_CHUNKS;
        swap_ram_counts.frames++;
        list_frame(frame.n);
    }
}

bool ram_has_room(uint32_t promised)
{
    return ram->free_chunks >= (promised + 1) * PIECES_MOST;
}

/* ---- pieces ---- */

/* The lowest COUNT ones of CHUNKS, or all. */
static uint32_t some_chunks(uint32_t chunks, uint32_t count)
{
    uint32_t rest = chunks;
    while (rest != 0 && count-- > 0)
        rest &= rest - 1;
    return chunks & ~rest;
}

/* How many bytes PIECE holds. */
static uint32_t piece_bytes(const struct piece *piece)
{
    return count_chunks(piece->chunks) * CHUNK_BYTES - HEAD_BYTES;
}

/* PIECES become what holds BYTES bytes, for which there is room. Returns how many they are. */
static uint32_t take_pieces(uint32_t bytes, struct piece pieces[])
{
    uint32_t count = 0;
    for (uint32_t left = bytes; left > 0; count++) {
        uint32_t n = ram->shelves[head_of_some()].next;
        if (n == head_of_some()) {
            n = ram->shelves[head_of_by()].next;
            ASSERT(n != head_of_by(), "%u free chunks are in no frame", ram->free_chunks);
            ram->by_frames--;
        }
        struct shelf *shelf = &ram->shelves[n];
        struct piece *piece = &pieces[count];
        *piece = (struct piece){
            n | PLACE_GOES_ON,
            some_chunks(shelf->free, (left + HEAD_BYTES + CHUNK_BYTES - 1) / CHUNK_BYTES)};
        unlist(n);
        shelf->free &= ~piece->chunks;
        ram->free_chunks -= count_chunks(piece->chunks);
        list_frame(n);
        left -= left < piece_bytes(piece) ? left : piece_bytes(piece);
    }
    pieces[count - 1].place &= ~(uint32_t)PLACE_GOES_ON;
    return count;
}

/* Which way bytes go between a piece and what is in one piece. */
enum direction { INTO_PIECE, OUT_OF_PIECE };

/* All that PIECE, mapped at FRAME, holds is copied. Returns how much that is. */
static uint32_t copy_piece(uint8_t *frame, const struct piece *piece, uint8_t *bytes,
                           enum direction direction)
{
    uint32_t skip = HEAD_BYTES, done = 0;
    for (uint32_t left = piece->chunks; left != 0; left &= left - 1, skip = 0) {
        uint8_t *chunk = frame + (uint32_t)__builtin_ctz(left) * CHUNK_BYTES + skip;
        uint32_t words = (CHUNK_BYTES - skip) / 4;
        words_copy(direction == INTO_PIECE ? chunk : bytes + done,
                   direction == INTO_PIECE ? bytes + done : chunk, words);
        done += words * 4;
    }
    return done;
}

/* The head of PIECE, mapped at FRAME. */
static struct piece *head_of(uint8_t *frame, const struct piece *piece)
{
    return (struct piece *)(void *)(frame + (uint32_t)__builtin_ctz(piece->chunks) * CHUNK_BYTES);
}

static frame_t frame_of(const struct piece *piece)
{
    return FRAME(piece->place & PLACE_FRAME);
}

/* The first BYTES of ram->bytes are kept, and found by the piece that is returned. */
static struct piece keep_bytes(uint32_t bytes)
{
    struct piece pieces[PIECES_MOST + 1];
    uint32_t count = take_pieces(bytes, pieces), done = 0;
    pieces[count] = (struct piece){0, 0};
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *frame = temp_map(TEMP_BLOCK_TO, frame_of(&pieces[i]));
        *head_of(frame, &pieces[i]) = pieces[i + 1];
        done += copy_piece(frame, &pieces[i], ram->bytes + done, INTO_PIECE);
        temp_unmap(TEMP_BLOCK_TO);
    }
    swap_ram_counts.pieces += count;
    return pieces[0];
}

/* The chunks of PIECE are free. */
static void free_piece(const struct piece *piece)
{
    uint32_t n = frame_of(piece).n;
    struct shelf *shelf = &ram->shelves[n];
    ASSERT((shelf->free & piece->chunks) == 0, "chunks %08x of frame %u are free twice",
           piece->chunks & shelf->free, n);
    if (shelf->free != 0)
        unlist(n);
    shelf->free |= piece->chunks;
    ram->free_chunks += count_chunks(piece->chunks);
    swap_ram_counts.pieces--;
    list_frame(n);
}

/* ---- slots ---- */

static struct piece *slot_record(frame_t slot)
{
    return &ram->slots[slot.n - ram->first.n];
}

static bool is_kept(const struct piece *record)
{
    return record->place != 0;
}

void ram_drop(frame_t slot)
{
    struct piece piece = *slot_record(slot);
    *slot_record(slot) = (struct piece){0, 0};
    if (piece.place == 0)
        return;
    swap_ram_counts.pages--;
    swap_ram_counts.words -= (piece.place & PLACE_WORD) != 0;
    if (piece.place & PLACE_WORD)
        return;
    for (bool goes_on = true; goes_on;) {
        struct piece next = {0, 0};
        goes_on = (piece.place & PLACE_GOES_ON) != 0;
        if (goes_on) {
            next = *head_of(temp_map(TEMP_BLOCK_FROM, frame_of(&piece)), &piece);
            temp_unmap(TEMP_BLOCK_FROM);
        }
        free_piece(&piece);
        piece = next;
    }
}

/* SLOT keeps what RECORD says. */
static void note_kept(frame_t slot, struct piece record)
{
    *slot_record(slot) = record;
    swap_ram_counts.pages++;
    swap_ram_counts.words += (record.place & PLACE_WORD) != 0;
}

/* What stands at PAGE, of one word only, or compressed to ram->bytes. *BYTES: how many; 0: it takes too many. */
static bool is_one_word(const uint32_t *page, uint32_t *bytes)
{
    if (words_run(page, page[0], PAGE_BYTES / 4) == PAGE_BYTES / 4)
        return true;
    *bytes = page_compress(page, ram->bytes, KEPT_MOST, &ram->compressor);
    return false;
}

bool ram_keep(frame_t slot, frame_t frame)
{
    uint32_t bytes = 0;
    ASSERT(!is_kept(slot_record(slot)), "slot %u keeps a page already", slot.n);
    const uint32_t *page = temp_map(TEMP_FAULT_FRAME, frame);
    struct piece record = {PLACE_WORD, page[0]};
    bool is_word = is_one_word(page, &bytes);
    temp_unmap(TEMP_FAULT_FRAME);
    if (!is_word && bytes == 0) {
        swap_ram_counts.refused++;
        return false;
    }
    note_kept(slot, is_word ? record : keep_bytes(bytes));
    return true;
}

void ram_write(frame_t slot, frame_t frame)
{
    ram_drop(slot);
    ASSERT(ram_has_room(0), "%u chunks are free, and a page is written", ram->free_chunks);
    if (ram_keep(slot, frame))
        return;
    page_copy(ram->bytes, temp_map(TEMP_BLOCK_FROM, frame));
    temp_unmap(TEMP_BLOCK_FROM);
    struct piece record = keep_bytes(PAGE_BYTES);
    record.place |= PLACE_PLAIN;
    note_kept(slot, record);
}

/* ram->bytes become all that is kept from PIECE on. Returns how many. */
static uint32_t gather(struct piece piece)
{
    uint32_t done = 0;
    for (bool goes_on = true; goes_on;) {
        uint8_t *frame = temp_map(TEMP_BLOCK_FROM, frame_of(&piece));
        done += copy_piece(frame, &piece, ram->bytes + done, OUT_OF_PIECE);
        goes_on = (piece.place & PLACE_GOES_ON) != 0;
        piece = *head_of(frame, &piece);
        temp_unmap(TEMP_BLOCK_FROM);
    }
    return done;
}

bool ram_fetch(frame_t slot, frame_t frame)
{
    const struct piece record = *slot_record(slot);
    bool is_word = !is_kept(&record) || (record.place & PLACE_WORD) != 0, is_page = true;
    uint32_t bytes = is_word ? 0 : gather(record);
    void *page = temp_map(TEMP_BLOCK_TO, frame);
    if (is_word)
        words_fill(page, record.chunks, PAGE_BYTES / 4);
    else if (record.place & PLACE_PLAIN)
        page_copy(page, ram->bytes);
    else
        is_page = page_decompress(ram->bytes, bytes, page);
    temp_unmap(TEMP_BLOCK_TO);
    return is_page;
}

/* ---- begin and end ---- */

static enum kerr take(size_t bytes, void **block)
{
    enum kerr error = kmalloc(bytes, block);
    if (error == KERR_OK)
        memset(*block, 0, bytes); /* and its frames are there */
    return error;
}

enum kerr ram_begin(frame_t first, uint32_t pages)
{
    void *record, *slots = NULL, *shelves = NULL;
    enum kerr error = take(sizeof(*ram), &record);
    if (error != KERR_OK)
        return error;
    error = take(pages * sizeof(struct piece), &slots);
    if (error == KERR_OK)
        error = take((frame_pool.frames + 2) * sizeof(struct shelf), &shelves);
    if (error != KERR_OK) {
        kfree(slots);
        kfree(record);
        return error;
    }
    uint32_t free = frame_available(&frame_pool);
    ram = record;
    ram->first = first;
    ram->pages = pages;
    ram->frames_most = free - free / LEFT_SHARE;
    ram->slots = slots;
    ram->shelves = shelves;
    for (uint32_t head = head_of_some(); head <= head_of_by(); head++)
        ram->shelves[head] = (struct shelf){0, head, head};
    swap_ram_counts = (struct swap_ram_counts){0};
    ram_put_by(0);
    return KERR_OK;
}

void ram_end(void)
{
    if (ram == NULL)
        return;
    ASSERT(swap_ram_counts.pages == 0, "%u pages are kept by an area that ends",
           swap_ram_counts.pages);
    uint32_t n;
    while ((n = ram->shelves[head_of_by()].next) != head_of_by()) {
        unlist(n);
        swap_ram_counts.frames--;
        frame_free(&frame_pool, FRAME(n));
    }
    ASSERT(swap_ram_counts.frames == 0, "%u frames of an area that ends keep nothing",
           swap_ram_counts.frames);
    kfree(ram->shelves);
    kfree(ram->slots);
    kfree(ram);
    ram = NULL;
}

/* ---- checking ---- */

/* All chunks that are in use, or free, of frames of kind PACKED. */
static uint32_t chunks_of_frames(bool that_are_free)
{
    uint32_t sum = 0;
    for (uint32_t n = 0; n < frame_pool.frames; n++)
        if (frame_pool.records[n].kind == FRAME_PACKED)
            sum += count_chunks(that_are_free ? ram->shelves[n].free : ~ram->shelves[n].free);
    return sum;
}

/* Those that SLOT has; all of them must be in use. */
static bool count_slot(frame_t slot, uint32_t *sum)
{
    struct piece piece = *slot_record(slot);
    bool is_good = true, goes_on = is_kept(&piece) && !(piece.place & PLACE_WORD);
    while (goes_on && is_good) {
        uint32_t free = ram->shelves[frame_of(&piece).n].free;
        is_good =
            frame_kind(&frame_pool, frame_of(&piece)) == FRAME_PACKED && (free & piece.chunks) == 0;
        *sum += count_chunks(piece.chunks);
        goes_on = (piece.place & PLACE_GOES_ON) != 0;
        piece = *head_of(temp_map(TEMP_BLOCK_FROM, frame_of(&piece)), &piece);
        temp_unmap(TEMP_BLOCK_FROM);
    }
    return is_good;
}

const char *ram_check(void)
{
    uint32_t sum = 0, kept = 0;
    if (ram == NULL)
        return frame_pool.totals[FRAME_PACKED] == 0 ? NULL : "frames without an area are kept";
    if (frame_pool.totals[FRAME_PACKED] != swap_ram_counts.frames)
        return "the frames of compressed memory are all that are of its kind";
    for (uint32_t i = 0; i < ram->pages; i++) {
        frame_t slot = FRAME(ram->first.n + i);
        kept += is_kept(slot_record(slot));
        if (!count_slot(slot, &sum))
            return "the chunks of a slot are in use";
        if (is_kept(slot_record(slot)) && frame_kind(&frame_pool, slot) != FRAME_SLOT)
            return "a slot that keeps a page is in use";
    }
    if (kept != swap_ram_counts.pages)
        return "the pages that are kept are counted";
    if (sum != chunks_of_frames(false))
        return "chunks in use are some slot's";
    return ram->free_chunks == chunks_of_frames(true) ? NULL : "the free chunks are counted";
}
