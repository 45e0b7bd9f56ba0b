/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The table of system calls, gathered from a linker set (system_call.h).
 */
#include <process/system_call.h>

#include <kernel/layer.h>
#include <kernel/panic.h>
#include <kernel/printk.h>

/* A call that is not there: said once for each number. */
static int32_t unknown(struct trap_frame *frame)
{
    static uint32_t said[SYSTEM_CALLS / 32];
    uint32_t number = frame->eax;
    uint32_t bit = number < SYSTEM_CALLS ? number : 0;
    if ((said[bit / 32] >> bit % 32 & 1) == 0) {
        said[bit / 32] |= 1u << bit % 32;
        printk("process %u (%s): system call %u is not known\n", process_current->pid,
               process_current->name, number);
    }
    return -ENOSYS;
}

int32_t error_number_of(enum kerr error)
{
    switch (error) {
    case KERR_OK:
        return 0;
    case KERR_NO_MEMORY:
    case KERR_NO_ROOM:
        return -ENOMEM;
    case KERR_EXISTS:
        return -EEXIST;
    case KERR_NOT_FOUND:
        return -ENOENT;
    case KERR_BAD_ACCESS:
        return -EFAULT;
    case KERR_UNSUPPORTED:
        return -ENOSYS;
    case KERR_IO:
        return -EIO;
    case KERR_READ_ONLY:
        return -EROFS;
    case KERR_NO_SPACE:
        return -ENOSPC;
    case KERR_NOT_EMPTY:
        return -ENOTEMPTY;
    case KERR_TOO_LARGE:
        return -EFBIG;
    case KERR_TOO_MANY:
        return -EMLINK;
    case KERR_BUSY:
        return -EBUSY;
    case KERR_MUST_WAIT: /* a caller's mistake: it is to be repeated, not told */
    case KERR_AGAIN:
    case KERR_BAD_RANGE:
    case KERR_BAD_VALUE:
        break;
    }
    return -EINVAL;
}

int32_t user_access_failed(enum kerr error)
{
    switch (error) {
    case KERR_NO_MEMORY:
        return process_out_of_memory();
    case KERR_MUST_WAIT:
        return process_must_wait();
    case KERR_IO:
        return -EIO;
    default:
        return -EFAULT;
    }
}

int32_t answer_prepare(uint32_t address, uint32_t bytes)
{
    enum kerr error = address != 0 ? user_touch(address, bytes) : KERR_OK;
    return error == KERR_OK ? 0 : user_access_failed(error);
}

void answer_tell(uint32_t address, const void *from, uint32_t bytes)
{
    enum kerr error = address != 0 ? user_write(address, from, bytes) : KERR_OK;
    ASSERT(error == KERR_OK, "an answer can't be written where it was prepared");
}

static enum kerr system_call_init(const struct boot_info *boot)
{
    (void)boot;
    for (uint32_t number = 0; number < SYSTEM_CALLS; number++)
        trap_system_calls[number] = unknown;
    for (const struct system_call *call = system_calls_first; call < system_calls_end; call++) {
        ASSERT(call->number < SYSTEM_CALLS && trap_system_calls[call->number] == unknown,
               "system call %u (%s) is there twice, or too large", call->number, call->name);
        trap_system_calls[call->number] = call->handler;
    }
    return KERR_OK;
}

LAYER(08a, "system calls", system_call_init);
