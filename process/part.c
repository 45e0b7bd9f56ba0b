/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The parts of a process, one after another (process/part.h).
 */
#include <process/part.h>

int32_t process_parts_begin(struct process *process)
{
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++) {
        int32_t answer = part->begin != NULL ? part->begin(process) : 0;
        if (answer != 0)
            return answer;
    }
    return 0;
}

int32_t process_parts_fork(struct process *parent, struct process *child,
                           const struct clone_wish *wish)
{
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++) {
        int32_t answer = part->fork != NULL ? part->fork(parent, child, wish) : 0;
        if (answer != 0)
            return answer;
    }
    return 0;
}

enum kerr process_parts_prepare_exec(struct process *process)
{
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++) {
        enum kerr error = part->prepare_exec != NULL ? part->prepare_exec(process) : KERR_OK;
        if (error != KERR_OK)
            return error;
    }
    return KERR_OK;
}

void process_parts_exec(struct process *process)
{
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++)
        if (part->exec != NULL)
            part->exec(process);
}

void process_parts_drop(struct process *process)
{
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++)
        if (part->drop != NULL)
            part->drop(process);
}

uint32_t process_parts_footprint(const struct process *process)
{
    uint32_t frames = 0;
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++)
        if (part->footprint != NULL)
            frames += part->footprint(process);
    return frames;
}

const char *process_parts_audit(const struct process *process)
{
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++) {
        const char *broken = part->audit != NULL ? part->audit(process) : NULL;
        if (broken != NULL)
            return broken;
    }
    return NULL;
}
