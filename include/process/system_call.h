/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: who offers calls, in process/, file/ and program/.
 *
 * System calls: int 0x80, numbers, structures and error codes of Linux for i386. Whoever has one to
 * offer writes it where it belongs; a linker set gathers them.
 */
#ifndef PROCESS_SYSTEM_CALL_H
#define PROCESS_SYSTEM_CALL_H

#include <process/errno.h>
#include <process/process.h>
#include <process/user.h>

struct system_call {
    uint32_t number;
    const char *name;
    system_call_t *handler;
};

/*
 * SYSTEM_CALL(20, getpid) { return (int32_t)self->pid; }
 * The body has `self`, the calling process, whose registers hold the arguments (ARG1..ARG6). What
 * it returns is what the program sees in EAX: a result, or an error_number negated. To block, it
 * returns process_sleep(...): the program repeats the call when it wakes.
 */
#define SYSTEM_CALL(call_number, call_name)                                                        \
    static int32_t sys_##call_name##_body(struct process *self);                                   \
    static int32_t sys_##call_name(struct trap_frame *frame)                                       \
    {                                                                                              \
        return sys_##call_name##_body(process_of_frame(frame));                                    \
    }                                                                                              \
    static const struct system_call system_call_##call_name                                        \
        __attribute__((section(".system_calls"), used)) = {(call_number), #call_name,              \
                                                           sys_##call_name};                       \
    static inline int32_t sys_##call_name##_body(__attribute__((unused)) struct process *self)

#define ARG1 (self->frame.ebx)
#define ARG2 (self->frame.ecx)
#define ARG3 (self->frame.edx)
#define ARG4 (self->frame.esi)
#define ARG5 (self->frame.edi)
#define ARG6 (self->frame.ebp)

/* The set; from linker.ld. */
extern const struct system_call system_calls_first[], system_calls_end[];

/* What this system calls itself: struct utsname of the i386 ABI. */
enum { SYSTEM_NAME_BYTES = 65 };
struct system_name {
    char system[SYSTEM_NAME_BYTES], node[SYSTEM_NAME_BYTES], release[SYSTEM_NAME_BYTES];
    char version[SYSTEM_NAME_BYTES], machine[SYSTEM_NAME_BYTES], domain[SYSTEM_NAME_BYTES];
};
extern const struct system_name system_name;

/* The error_number, negated, that ERROR stands for. KERR_NO_MEMORY: ENOMEM. */
int32_t error_number_of(enum kerr error);

/*
 * What a handler returns when access to the program's memory failed with ERROR: -EFAULT, or -EIO if
 * what stands behind a page can't be read. Where it only lacked a frame, or a page that has to come
 * first, it waits for that and repeats the call.
 */
int32_t user_access_failed(enum kerr error) must_check;

/*
 * An answer of BYTES bytes at ADDRESS (0: none is wanted) beside the result, as old values are. It
 * may lie over what the call reads again when it is repeated. So it is prepared before anything
 * changes, which returns 0 or what the call must return, and told when nothing can fail any more.
 */
int32_t answer_prepare(uint32_t address, uint32_t bytes) must_check;
void answer_tell(uint32_t address, const void *from, uint32_t bytes);

/* ERROR goes by: the call is to be repeated, by user_access_failed(). */
static inline bool error_goes_by(enum kerr error)
{
    return error == KERR_NO_MEMORY || error == KERR_MUST_WAIT;
}

#endif
