/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The parts of a process, one after another (process/part.h).
 */
#include <process/part.h>

int32_t process_parts_begin(struct process *process)
{
    int32_t answer = 0;
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++)
        if (part->begin != NULL && answer == 0)
            answer = part->begin(process);
    return answer;
}

int32_t process_parts_fork(struct process *parent, struct process *child,
                           const struct clone_wish *wish)
{
    int32_t answer = 0;
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++)
        if (part->fork != NULL && answer == 0)
            answer = part->fork(parent, child, wish);
    return answer;
}

enum kerr process_parts_prepare_exec(struct process *process)
{
    enum kerr error = KERR_OK;
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++)
        if (part->prepare_exec != NULL && error == KERR_OK)
            error = part->prepare_exec(process);
    return error;
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
    const char *broken = NULL;
    for (const struct process_part *part = process_parts_first; part < process_parts_end; part++)
        if (part->audit != NULL && broken == NULL)
            broken = part->audit(process);
    return broken;
}
