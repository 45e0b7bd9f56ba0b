/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Forks, exactly: every order of writes, forks and exits over up to four spaces, parent to
 * great-grandchild. After each step every space sees its own data in a private page and in a
 * private page of a file, and everybody's last write in shared memory; at the end all frames are
 * back. All three pages lie below one table.
 */
#include "vm_testing.h"

#include <arch/i386/entry.h>
#include <mm/cow.h>
#include <mm/object.h>
#include <mm/space.h>

enum { SIDES = 4, STEPS_MAX = 6 };
enum { OWN, FILE_PAGE, SHARED, PAGES };

#define FILE_WORD 0xF11E0000u

/* What a side does: a step is a side and a deed. */
enum deed { WRITE_OWN, FORK, EXIT, WRITE_FILE, WRITE_SHARED, DEEDS };

struct step {
    uint32_t side;
    enum deed deed;
};

static const char name[] = "fork";
static struct space spaces[SIDES]; /* of side 1 and up; side 0 is the boot space */
static struct object *file, *shared;

static struct side {
    bool is_live;
    uint32_t own, file_page;
} sides[SIDES];
static uint32_t shared_word;

static struct space *space_at(uint32_t side)
{
    return side == 0 ? &boot_space : &spaces[side];
}

static vaddr_t page_at(uint32_t page)
{
    return page_of_slot(TEST_SLOT, 10 * page);
}

/* ---- the objects, and the pages of side 0 ---- */

static bool must_check make_objects(void)
{
    frame_t frame;
    if (frame_alloc(&frame_pool, FRAME_FILE, &frame) != KERR_OK)
        return false;
    uint32_t *words = temp_map(TEMP_FRAME, frame);
    words[0] = FILE_WORD;
    temp_unmap(TEMP_FRAME);
    return object_create_file(frame, 1, &file) == KERR_OK &&
           object_create_anonymous(1, &shared) == KERR_OK;
}

static bool must_check begin(void)
{
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .name = name};
    bool done = vma_map_at(&boot_space, page_at(OWN), 1, &wish) == KERR_OK;
    wish.object = file;
    done = done && vma_map_at(&boot_space, page_at(FILE_PAGE), 1, &wish) == KERR_OK;
    wish.object = shared;
    wish.flags = VMA_SHARED;
    done = done && vma_map_at(&boot_space, page_at(SHARED), 1, &wish) == KERR_OK;
    for (uint32_t side = 0; side < SIDES; side++)
        sides[side].is_live = side == 0;
    sides[0].own = 1;
    sides[0].file_page = FILE_WORD;
    shared_word = 2;
    poke(page_at(OWN), 1);
    poke(page_at(SHARED), 2);
    (void)peek(page_at(FILE_PAGE));
    return done;
}

static void end(void)
{
    space_switch(&boot_space);
    for (uint32_t side = 1; side < SIDES; side++)
        if (sides[side].is_live)
            space_destroy(space_at(side));
    EXPECT(vma_release(&boot_space, page_at(0), 10 * PAGES) == KERR_OK);
}

/* ---- steps ---- */

/* The lowest side that is not there, or SIDES. */
static uint32_t next_side(const bool *live)
{
    uint32_t side = 0;
    while (side < SIDES && live[side])
        side++;
    return side;
}

/* May the steps follow each other? */
static bool is_possible(const struct step *steps, uint32_t length)
{
    bool live[SIDES] = {true};
    for (uint32_t i = 0; i < length; i++) {
        uint32_t side = steps[i].side, new = next_side(live);
        if (!live[side] || (side == 0 && steps[i].deed == EXIT) ||
            (new == SIDES &&steps[i].deed == FORK))
            return false;
        if (steps[i].deed == FORK)
            live[new] = true;
        if (steps[i].deed == EXIT)
            live[side] = false;
    }
    return true;
}

static bool must_check fork_side(uint32_t side)
{
    bool live[SIDES];
    for (uint32_t i = 0; i < SIDES; i++)
        live[i] = sides[i].is_live;
    uint32_t new = next_side(live);
    sides[new] = sides[side];
    sides[new].is_live = space_fork(space_at(new)) == KERR_OK;
    return sides[new].is_live;
}

static bool must_check take_step(const struct step *step, uint32_t value)
{
    struct side *side = &sides[step->side];
    space_switch(space_at(step->side));
    switch (step->deed) {
    case WRITE_OWN:
        poke(page_at(OWN), side->own = value);
        return true;
    case WRITE_FILE:
        poke(page_at(FILE_PAGE), side->file_page = value);
        return true;
    case WRITE_SHARED:
        poke(page_at(SHARED), shared_word = value);
        return true;
    case FORK:
        return fork_side(step->side);
    case EXIT:
        space_switch(&boot_space);
        space_destroy(space_at(step->side));
        side->is_live = false;
        return true;
    case DEEDS:
        break;
    }
    return false;
}

static void expect_all_sides(void)
{
    for (uint32_t side = 0; side < SIDES; side++) {
        if (!sides[side].is_live)
            continue;
        space_switch(space_at(side));
        EXPECT_EQUAL(peek(page_at(OWN)), sides[side].own);
        EXPECT_EQUAL(peek(page_at(FILE_PAGE)), sides[side].file_page);
        EXPECT_EQUAL(peek(page_at(SHARED)), shared_word);
    }
}

static bool must_check run(const struct step *steps, uint32_t length)
{
    if (!begin())
        return false;
    for (uint32_t i = 0; i < length; i++) {
        if (!take_step(&steps[i], 1000 + i))
            return false;
        expect_all_sides();
    }
    end();
    return true;
}

/* FIRST_STEPS, then every sequence of LENGTH steps with the first DEEDS_USED deeds. */
static void all_sequences(const struct step *first_steps, uint32_t first_length, uint32_t length,
                          uint32_t deeds_used)
{
    struct step steps[STEPS_MAX];
    struct cost cost;
    uint32_t total = 1, done = 0;
    for (uint32_t i = 0; i < first_length; i++)
        steps[i] = first_steps[i];
    for (uint32_t i = 0; i < length; i++)
        total *= SIDES * deeds_used;
    REQUIRE(make_objects());
    REQUIRE(run(NULL, 0));
    cost_start(&cost);
    for (uint32_t number = 0; number < total; number++) {
        uint32_t rest = number;
        for (uint32_t i = first_length; i < first_length + length; i++) {
            steps[i] = (struct step){rest % SIDES, (enum deed)(rest / SIDES % deeds_used)};
            rest /= SIDES * deeds_used;
        }
        if (!is_possible(steps, first_length + length))
            continue;
        REQUIRE(run(steps, first_length + length));
        done++;
    }
    EXPECT(done > 0);
    EXPECT_COST(cost, 0, 0);
    object_put(file);
    object_put(shared);
}

TEST("fork", "every sequence of five writes, forks and exits: each side sees its own data")
{
    all_sequences(NULL, 0, 5, EXIT + 1);
}

TEST("fork", "four generations, every sequence of two deeds: each side sees its own data")
{
    static const struct step generations[] = {{0, FORK}, {1, FORK}, {2, FORK}};
    all_sequences(generations, ARRAY_LENGTH(generations), 2, DEEDS);
}

TEST("fork", "three children of one, every sequence of two deeds: each side sees its own data")
{
    static const struct step children[] = {{0, FORK}, {0, FORK}, {0, FORK}};
    all_sequences(children, ARRAY_LENGTH(children), 2, DEEDS);
}
