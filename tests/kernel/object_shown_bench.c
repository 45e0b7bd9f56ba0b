/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. What it costs to take the writes of an object's pages, and to age them, by the page: as
 * many at once as a transfer has, and many; and where nothing is shown.
 */
#include "measure.h"

#include <kernel/printk.h>
#include <mm/object.h>
#include <mm/space.h>

enum { PAGES = 512 };

static void must(enum kerr error)
{
    if (error != KERR_OK)
        test_fail(__FILE__, __LINE__, kerr_text(error));
}

static void print_row(const char *what, uint32_t pages, uint64_t sum)
{
    char name[40];
    format_text(name, sizeof(name), "%s_%u_per_page", what, (unsigned)pages);
    bench_row(name, (uint32_t)sum / pages, "insn", NULL);
}

/* The first PAGES of OBJECT, which may all be written. */
static void measure(const struct object *object, const char *suffix, uint32_t pages)
{
    uint64_t taken = 0, forgotten = 0, dropped = 0;
    char name[40];
    MEASURE(taken, object_take_writes(object, 0, pages - 1));
    MEASURE(forgotten, (void)object_age(object, 0, pages - 1));
    MEASURE(dropped, (void)object_age(object, 0, pages - 1));
    format_text(name, sizeof(name), "take_writes%s", suffix);
    print_row(name, pages, taken);
    format_text(name, sizeof(name), "age_used%s", suffix);
    print_row(name, pages, forgotten);
    format_text(name, sizeof(name), "age_unused%s", suffix);
    print_row(name, pages, dropped);
}

BENCH("object_shown")
{
    static struct space copy;
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = "bench"};
    uint64_t taken = 0, aged = 0;
    vaddr_t first;
    frame_t frame;

    must(object_create_anonymous(PAGES, &wish.object));
    wish.object->owner = &copy; /* whose reference is no region's, as a file's */
    for (uint32_t i = 0; i < PAGES; i++)
        must(object_frame(wish.object, i, &frame));
    must(vma_map(&boot_space, PAGES, &wish, &first));
    MEASURE(taken, object_take_writes(wish.object, 0, 15));
    MEASURE(aged, (void)object_age(wish.object, 0, 15));
    print_row("take_writes_not_shown", 16, taken);
    print_row("age_not_shown", 16, aged);
    must(vma_make_real(first, PAGES));
    measure(wish.object, "", 16);
    must(vma_make_real(first, PAGES));
    measure(wish.object, "", PAGES);
    must(vma_make_real(first, PAGES));
    must(space_fork(&copy));
    measure(wish.object, "_of_fork", 16);
    space_destroy(&copy);
    must(vma_release(&boot_space, first, PAGES));
    object_put(wish.object);
}
