/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The audit of processes (process/audit.h).
 *
 * First each record by the rules below, then what only all together can show: the rings of children
 * against the parents; the references of memories and of shared memory, which are taken out one by
 * one and must then be 0; and the account of promises, to which each of these is added when its
 * last reference goes. What vm_audit() recounts (frames, entries, regions) is not looked at again.
 */
#include <process/audit.h>

#include <kernel/printk.h>
#include <mm/object.h>
#include <process/part.h>
#include <process/tls.h>

static void broken(struct process_audit *audit, const char *sentence, const struct process *process)
{
    if (audit->broken != NULL)
        return;
    audit->broken = sentence;
    if (process != NULL)
        format_text(audit->where, sizeof(audit->where), "process %u (state %u)",
                    (unsigned)process->pid, (unsigned)process->state);
}

/* ---- one record ---- */

static bool number_is_right(const struct process *process)
{
    return process_find(process->pid) == process;
}

static bool state_is_known(const struct process *process)
{
    return process->state <= PROCESS_ZOMBIE;
}

static bool has_memory_until_it_ends(const struct process *process)
{
    /* A record that was not started yet may have none. */
    return process->state == PROCESS_NONE ||
           (process->memory == NULL) == (process->state == PROCESS_ZOMBIE);
}

static bool zombie_has_nothing(const struct process *process)
{
    if (process->state != PROCESS_ZOMBIE)
        return true;
    for (uint32_t place = 0; place < PROCESS_STATES; place++)
        if (process->states[place] != NULL)
            return false;
    return process->signals == NULL && process->fpu == NULL && process->alarm == NULL &&
           process->signal_queue == NULL && process->limits == NULL;
}

static bool parent_is_alive(const struct process *process)
{
    const struct process *parent = process->parent;
    return parent == NULL ||
           (process_find(parent->pid) == parent && parent->state != PROCESS_ZOMBIE);
}

static bool waits_in_a_ring(const struct process *process)
{
    bool is_in_ring = !list_is_empty(&process->queue);
    switch ((enum process_state)process->state) {
    case PROCESS_RUNNABLE:
        return is_in_ring == (process != process_current);
    case PROCESS_SLEEPING:
        return is_in_ring == (process->channel != NULL);
    case PROCESS_ENDING:
        return is_in_ring;
    case PROCESS_ZOMBIE: /* in the kernel's ring of them, or in none */
        return true;
    case PROCESS_NONE:
    case PROCESS_VFORKING:
    case PROCESS_STOPPED:
        break;
    }
    return !is_in_ring;
}

static bool only_sleepers_have_deadlines(const struct process *process)
{
    return process->deadline == 0 || process->state == PROCESS_SLEEPING;
}

static bool vfork_child_lives(const struct process *process)
{
    if (process->state != PROCESS_VFORKING)
        return true;
    const struct process *child = process->channel;
    return child != NULL && child->parent == process && child->is_vfork_child != 0 &&
           child->state != PROCESS_ZOMBIE;
}

static bool space_is_live(const struct process *process)
{
    const struct memory *memory = process->memory;
    return memory == NULL ||
           (memory->references != 0 &&
            (space_is_folded(&memory->space) || directory_is_live(memory->space.directory)));
}

/* A process that was not started yet has no registers, and one that has ended needs none. */
static bool registers_are_loadable(const struct process *process)
{
    return process->state == PROCESS_NONE || process->state == PROCESS_ZOMBIE ||
           tls_frame_is_loadable(process);
}

static bool calls_are_where_the_stub_looks(const struct process *process)
{
    return process->no_calls == 0 && process->calls == SYSTEM_CALLS;
}

/* In this order: each may rely on those above. */
static const struct {
    const char *sentence;
    bool (*holds)(const struct process *process);
} rules[] = {
    {"the number of a record is the pid of its process", number_is_right},
    {"a process is in a state that there is", state_is_known},
    {"a process has a memory until it ends", has_memory_until_it_ends},
    {"a zombie has nothing but its record", zombie_has_nothing},
    {"a parent is alive", parent_is_alive},
    {"who can run or sleeps on something stands in a ring", waits_in_a_ring},
    {"only sleepers have a deadline", only_sleepers_have_deadlines},
    {"who waits for a vfork child has one", vfork_child_lives},
    {"a process's space is live", space_is_live},
    {"the registers in a record can be loaded", registers_are_loadable},
    {"behind a frame stands the number of calls, and 16 bytes lower 0",
     calls_are_where_the_stub_looks},
};

static void check_record(struct process_audit *audit, const struct process *process)
{
    audit->processes++;
    audit->zombies += process->state == PROCESS_ZOMBIE;
    for (unsigned i = 0; i < ARRAY_LENGTH(rules) && audit->broken == NULL; i++)
        if (!rules[i].holds(process))
            broken(audit, rules[i].sentence, process);
    const char *part_broken = process_parts_audit(process);
    if (part_broken != NULL)
        broken(audit, part_broken, process);
}

static void check_records(struct process_audit *audit)
{
    for (const struct process *process = process_next(NULL);
         process != NULL && audit->broken == NULL; process = process_next(process))
        check_record(audit, process);
    if (audit->broken == NULL && audit->processes != process_count())
        broken(audit, "the count of processes is what a recount gives", NULL);
}

/* ---- families ---- */

/* The links of PROCESS's children lead there and back. Returns how many they are. */
static uint32_t check_children(struct process_audit *audit, const struct process *process)
{
    uint32_t children = 0;
    for (const struct list *link = process->children.next;
         link != &process->children && audit->broken == NULL; link = link->next) {
        const struct process *child = container_of(link, struct process, sibling);
        if (link->next->previous != link || child->parent != process ||
            ++children > process_count())
            broken(audit, "the ring of a process's children leads from child to child", process);
    }
    return children;
}

static void check_families(struct process_audit *audit)
{
    uint32_t with_parent = 0, in_rings = 0;
    for (const struct process *process = process_next(NULL);
         process != NULL && audit->broken == NULL; process = process_next(process)) {
        with_parent += process->parent != NULL;
        in_rings += check_children(audit, process);
    }
    if (with_parent != in_rings)
        broken(audit, "who has a parent is among its children", NULL);
}

/* ---- memories ---- */

static void check_spaces(struct process_audit *audit)
{
    uint32_t spaces = 0;
    for (const struct space *space = space_first(); space != NULL; space = space_next(space))
        spaces++;
    if (spaces != audit->memories + 1)
        broken(audit, "every space but the boot space is a process's", NULL);
}

/* A memory is counted when its last reference is taken out. */
static void check_memories(struct process_audit *audit)
{
    const struct process *miscounted = NULL;
    for (const struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        if (process->memory != NULL && --process->memory->references == 0) {
            audit->memories++;
            audit->committed += process->memory->space.promised_frames;
        }
    for (const struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        if (process->memory != NULL && process->memory->references != 0)
            miscounted = process;
    for (const struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        if (process->memory != NULL)
            process->memory->references++;
    if (miscounted != NULL)
        broken(audit, "a memory has as many references as processes", miscounted);
    else
        check_spaces(audit);
}

/* ---- objects, and the account ---- */

typedef void visit_object_t(struct object *object);

/* Once for each region that shows an object. */
static void for_each_reference(visit_object_t *visit)
{
    for (const struct space *space = space_first(); space != NULL; space = space_next(space))
        for (const struct vma *region = vma_stands_for_tree(space) ? vma_first(space) : NULL;
             region != NULL; region = vma_next(region))
            if (region->object != NULL)
                visit(region->object);
}

static void take_out(struct object *object)
{
    object->references--;
}

static void put_back(struct object *object)
{
    object->references++;
}

/* Regions show objects, and owners have them; a run of frames may have owners that don't say so. */
static void check_objects(struct process_audit *audit)
{
    for_each_reference(take_out);
    for (const struct object *object = object_first(); object != NULL; object = object->next) {
        uint32_t owners = object->owner != NULL;
        audit->objects += object->kind == OBJECT_ANONYMOUS;
        audit->committed += object->committed;
        if (object->references != owners && (owners != 0 || object->kind == OBJECT_ANONYMOUS))
            broken(audit, "an object has as many references as regions and owners", NULL);
    }
    for_each_reference(put_back);
    if (frame_pool.committed != audit->committed)
        broken(audit, "what is promised is the sum of what memories and objects are charged with",
               NULL);
}

const char *process_audit(struct process_audit *audit)
{
    static void (*const parts[])(struct process_audit * audit) = {check_records, check_families,
                                                                  check_memories, check_objects};
    *audit = (struct process_audit){0};
    for (unsigned i = 0; i < ARRAY_LENGTH(parts) && audit->broken == NULL; i++)
        parts[i](audit);
    return audit->broken;
}
