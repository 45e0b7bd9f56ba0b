/* SPDX-License-Identifier: MIT */
/*
 * Host test. Sequences of operations (operations.h) on the playground (play.h), and the comparison
 * after each.
 *
 * Before each operation the TLB takes in all that it may: every page of the playground and every
 * table of the window. So an invalidation that is missing is seen at once.
 */
#include "play.h"

#include "audit.h"
#include "machine.h"
#include "play_swap.h"

#include <stdlib.h>
#include <store/swap.h>
#include <string.h>

/* ---- the TLB ---- */

static void preload(void)
{
    machine_preload_window();
    for (uint32_t p = 0; p < PLAY_POINTS; p++) {
        machine_preload(
            vaddr_add(slot_to_vaddr(SLOT_FIRST), (uint32_t)play_points[p] << PAGE_SHIFT));
        machine_preload(vaddr_add(VADDR(KERNEL_PLAY_BASE), (uint32_t)play_points[p] << PAGE_SHIFT));
    }
}

/* ---- comparing ---- */

/* The page of ADDRESS is out: its words. NULL: it is not, as far as DIRECTORY, RAM and disk alone tell. */
static const uint32_t *find_out(frame_t directory, vaddr_t address)
{
    pde_t pde = {machine_frame(directory)[vaddr_to_slot(address)]};
    const uint32_t *table = pde_is_swapped(pde) ? play_slot_words(pde_frame(pde))
                            : pde_is_table(pde) ? machine_frame(pde_frame(pde))
                                                : NULL;
    if (table == NULL)
        return NULL;
    pte_t pte = {table[vaddr_to_pte_idx(address)]};
    if (pte_is_swapped(pte))
        return play_slot_words(pte_frame(pte));
    return pde_is_swapped(pde) && pte_is_present(pte) ? machine_frame(pte_frame(pte)) : NULL;
}

static void compare_word(struct page *page, uint32_t i, const uint32_t *words)
{
    uint32_t wanted = *play_word_of(page);
    if (words[0] != wanted)
        play_wrong("page %u holds %x, written was %x", i, words[0], wanted);
}

/* Contents of page I of AREA, whose address is ADDRESS, by way of DIRECTORY, RAM and disk alone. */
static void compare_page(struct area *area, uint32_t i, frame_t directory, vaddr_t address)
{
    struct machine_walk found = machine_walk_from(directory, address);
    struct page *page = &area->pages[i];
    const uint32_t *out = found.present ? NULL : find_out(directory, address);
    bool may_read = page->is_reserved && page->rights != 0;
    bool may_write = may_read && (page->rights & RIGHTS_WRITE);
    if (out != NULL)
        compare_word(page, i, out);
    if (!found.present)
        return; /* a touch will build it; what may be kept is compared when it is back */
    if (!may_read || play_is_behind_the_end(page))
        play_wrong("page %u is present, but nobody may read it", i);
    else if (found.writable && !may_write)
        play_wrong("page %u can be written, but should not", i);
    else
        compare_word(page, i, machine_frame(found.frame));
}

static void compare_all(void)
{
    for (uint32_t number = 0; number < PLAY_SPACES; number++) {
        if (!play_model[number].exists || space_is_folded(play_space(number)))
            continue; /* without a directory: compared when it has one again */
        frame_t directory = machine_walk(directory_page(play_space(number)->directory)).frame;
        for (uint32_t p = 0; p < PLAY_POINTS; p++) {
            vaddr_t address =
                vaddr_add(slot_to_vaddr(SLOT_FIRST), (uint32_t)play_points[p] << PAGE_SHIFT);
            compare_page(&play_model[number].area, play_points[p], directory, address);
            address = vaddr_add(VADDR(KERNEL_PLAY_BASE), (uint32_t)play_points[p] << PAGE_SHIFT);
            compare_page(&play_kernel, play_points[p], directory, address);
        }
    }
}

static void compare_tlb(void)
{
    vaddr_t where;
    const char *broken = machine_check_tlb(&where);
    if (broken != NULL)
        play_wrong("page " PRI_VADDR ": %s", ARG_VADDR(where), broken);
}

/* Read every point of every space by the kernel's own means. */
static void read_everything(void)
{
    uint32_t former = play_current;
    machine_fail_allocation(0, FAIL_ONCE);
    for (uint32_t number = 0; number < PLAY_SPACES; number++) {
        struct operation go = {OP_SWITCH, (uint8_t)number, 0, 0};
        play_do(&go);
        for (uint8_t p = 0; p < PLAY_POINTS && play_current == number; p++) {
            play_do(&(struct operation){OP_READ, p, 0, 0});
            play_do(&(struct operation){OP_READ, p | 0x80, 0, 0});
        }
    }
    play_do(&(struct operation){OP_SWITCH, (uint8_t)former, 0, 0});
}

static void audit_everything(void)
{
    struct space *spaces[PLAY_SPACES];
    uint32_t count = 0;
    for (uint32_t number = 0; number < PLAY_SPACES; number++)
        if (play_model[number].exists)
            spaces[count++] = play_space(number);
    const char *broken = audit(spaces, count);
    if (broken != NULL)
        play_wrong("audit: %s", broken);
}

/* ---- running ---- */

static void run_one(const struct operation *operation)
{
    enum operation_kind kind = operation->kind % OP_KINDS;
    if (kind == OP_FAIL) {
        machine_fail_allocation(1 + operation->how % 6,
                                operation->to & 1 ? FAIL_ONCE : FAIL_FROM_THERE_ON);
        return;
    }
    preload();
    machine_speculate(preload);
    play_swap_be_patient();
    play_do(operation);
    machine_speculate(NULL);
    machine_fail_allocation(0, FAIL_ONCE);
    compare_tlb();
    compare_all();
}

static struct {
    const struct operation *operations;
    uint32_t count, at;
    enum strictness strictness;
} sequence;

static void run_sequence(void)
{
    for (sequence.at = 0; sequence.at < sequence.count && !play_is_wrong; sequence.at++) {
        run_one(&sequence.operations[sequence.at]);
        if (sequence.strictness == CHECK_AUDIT && !play_is_wrong)
            audit_everything();
        if (play_is_wrong)
            return;
    }
    if (!play_is_wrong)
        audit_everything();
    if (!play_is_wrong)
        read_everything();
    if (!play_is_wrong && sequence.strictness == CHECK_AUDIT)
        audit_everything();
}

struct operations_swapped operations_swapped;

static void count_swapped(void)
{
    operations_swapped.out += swap_counts.out;
    operations_swapped.in += swap_counts.in;
    operations_swapped.tables_out += swap_counts.tables_out;
    operations_swapped.tables_in += swap_counts.tables_in;
}

const char *operations_run(const struct operation *operations, uint32_t count,
                           enum strictness strictness, uint32_t *at)
{
    static char panic_copy[400];
    machine_restore();
    play_reset();
    play_swap_reset();
    sequence.operations = operations;
    sequence.count = count;
    sequence.strictness = strictness;
    const char *panicked = machine_expect_panic(run_sequence);
    *at = sequence.at;
    count_swapped();
    if (panicked == NULL)
        return play_is_wrong ? play_text : NULL;
    strncpy(panic_copy, panicked, sizeof(panic_copy) - 1);
    return panic_copy;
}

void operations_boot(uint32_t ram_bytes, uint32_t slots)
{
    struct machine_options options = {.ram_bytes = ram_bytes, .pse = true, .pge = true};
    struct boot_info boot;
    machine_boot_info(ram_bytes, &boot);
    machine_set_output(boot.command_line[0] != '\0' ? OUTPUT_SHOWN : OUTPUT_HIDDEN);
    if (machine_boot(&options, &boot) != KERR_OK)
        abort();
    machine_set_output(OUTPUT_HIDDEN);
    play_make_objects();
    if (slots > 0)
        play_swap_begin(slots);
    machine_save();
}

/* ---- for people ---- */

void operation_print(const struct operation *operation, char *line, size_t bytes)
{
    static const char *const names[OP_KINDS] = {
        "RESERVE", "RELEASE", "PROTECT", "DISCARD",  "MAKE_REAL", "WRITE",     "READ",
        "UNSHARE", "CREATE",  "DESTROY", "SWITCH",   "FORK",      "ALLOCATE",  "RESIZE",
        "FREE",    "TRIM",    "FAIL",    "PRESSURE", "MAP",       "MOVE",      "STRETCH",
        "TAKE",    "AGE",     "PUT_OUT", "DISK",     "RECLAIM",   "DISK_FAILS"};
    format_text(line, bytes, "{OP_%s, 0x%02x, %u, %u},", names[operation->kind % OP_KINDS],
                operation->where, operation->to, operation->how);
}

uint32_t operations_shrink(struct operation *operations, uint32_t count)
{
    struct operation *shorter = malloc(count * sizeof(*shorter) + 1);
    uint32_t piece = count > 1 ? count / 2 : 1, at;
    while (piece > 0) {
        bool has_shrunk = false;
        for (uint32_t first = 0; first < count;) {
            uint32_t length = count - first < piece ? count - first : piece;
            memcpy(shorter, operations, first * sizeof(*shorter));
            memcpy(shorter + first, operations + first + length,
                   (count - first - length) * sizeof(*shorter));
            if (operations_run(shorter, count - length, CHECK_AUDIT, &at) == NULL) {
                first += length;
                continue;
            }
            count -= length;
            memcpy(operations, shorter, count * sizeof(*shorter));
            has_shrunk = true;
        }
        if (!has_shrunk || piece > 1)
            piece /= 2;
    }
    free(shorter);
    return count;
}
