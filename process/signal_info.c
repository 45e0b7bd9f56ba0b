/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. What a signal tells of itself (siginfo).
 *
 * Of most signals the record says who sent them, and no more. What a signal that queues tells stands
 * in its queue. A child's end, stop or going on is told by SIGCHLD as it is when it is looked at; by
 * another exit signal as it was when it was sent, since several may pend.
 * Source: Linux manual page sigaction(2).
 */
#include <kernel/string.h>
#include <process/signal.h>
#include <process/signal_table.h>

enum { EXIT_SIGNAL_MASK = 0x7F, EXIT_CODE_SHIFT = 8 };

/* CHILD (NULL: it is gone by now) ended, stopped or goes on. */
static void describe_child(const struct process *child, struct signal_info *info)
{
    info->code = CLD_EXITED;
    if (child == NULL)
        return;
    info->user_time = child->ticks;
    uint32_t status = child->exit_status;
    if (child->state == PROCESS_ZOMBIE && (status & EXIT_SIGNAL_MASK) != 0) {
        info->code = CLD_KILLED;
        info->status = status & EXIT_SIGNAL_MASK;
    } else if (child->state == PROCESS_ZOMBIE) {
        info->status = status >> EXIT_CODE_SHIFT & 0xFF;
    } else {
        bool stopped = child->state == PROCESS_STOPPED;
        info->code = stopped ? CLD_STOPPED : CLD_CONTINUED;
        info->status = stopped ? status : SIGCONT;
    }
}

void signal_describe(const struct process *self, unsigned signal, struct signal_info *info)
{
    memset(info, 0, sizeof(*info));
    info->signal = (int32_t)signal;
    if (self->fault_signal == signal) {
        info->code = (int32_t)self->fault_code;
        info->address = self->fault_address;
        return;
    }
    if (signal_queue_tell(self, signal, info))
        return;
    unsigned slot = signal < ARRAY_LENGTH(self->senders) ? signal : 0;
    info->pid = self->senders[slot];
    if (info->pid == 0)
        info->code = SI_KERNEL;
    else if (signal == SIGCHLD)
        describe_child(process_find(info->pid), info);
    else
        info->code = (self->sent_by_tkill >> slot & 1) != 0 ? SI_TKILL : SI_USER;
}

void signal_send_end(struct process *parent, const struct process *child)
{
    struct signal_info info = {.signal = child->exit_signal, .pid = child->pid};
    if (child->exit_signal == 0)
        return;
    describe_child(child, &info);
    if (child->exit_signal == SIGCHLD ||
        signal_send_with(parent, child->exit_signal, child->pid, &info) != KERR_OK)
        signal_send(parent, child->exit_signal, child->pid); /* no room: it says less */
}
