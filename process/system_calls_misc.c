/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Small system calls: who and where am I, what is this machine, and stubs.
 *
 * There is one user, 0, and one CPU. The kernel names itself Linux with a release of its own: what
 * asks for the name wants to know which calls there are, and those are Linux's; C libraries refuse
 * a release that is too old.
 * Source: Linux manual pages uname(2), sysinfo(2), getrusage(2), getrandom(2), prctl(2),
 * credentials(7), reboot(2).
 */
#include <kernel/machine.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <process/client.h>
#include <process/clock.h>
#include <process/random.h>
#include <process/repeat.h>
#include <process/schedule.h>
#include <process/system_call.h>
#include <process/timer.h>
#include <store/swap.h>

static int32_t write_all(uint32_t to, const void *from, uint32_t bytes)
{
    enum kerr error = user_write(to, from, bytes);
    return error == KERR_OK ? 0 : user_access_failed(error);
}

/* ---- the machine ---- */

const struct system_name system_name = {
    .system = "Linux",
    .node = "droste",
    .release = "5.10.0-droste",
    .version = "#1 Droste",
    .machine = "i686",
    .domain = "(none)",
};

SYSTEM_CALL(122, uname)
{
    return write_all(ARG1, &system_name, sizeof(system_name));
}

/* struct sysinfo of the i386 ABI */
struct system_information {
    int32_t uptime;
    uint32_t loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    uint16_t processes, padding;
    uint32_t total_high, free_high, unit_bytes;
    uint8_t unused[8];
};
_Static_assert(sizeof(struct system_information) == 64, "as the i386 ABI has it");

SYSTEM_CALL(116, sysinfo)
{
    uint32_t total = frame_pool.frames - frame_pool.totals[FRAME_RESERVED];
    struct swap_sum swap = swap_sum();
    bool fits = total + swap.pages < UINT32_MAX / PAGE_BYTES;
    uint32_t unit = fits ? 1 : PAGE_BYTES, per_frame = PAGE_BYTES / unit;
    uint32_t processes = process_count();
    struct system_information information = {
        .uptime = (int32_t)clock_monotonic().seconds,
        .total_ram = total * per_frame,
        .free_ram = frame_available(&frame_pool) * per_frame,
        .total_swap = swap.pages * per_frame,
        .free_swap = (swap.pages - swap.used) * per_frame,
        .processes = (uint16_t)processes,
        .unit_bytes = unit,
    };
    return write_all(ARG1, &information, sizeof(information));
}

/* struct rusage of the i386 ABI */
struct usage {
    uint32_t user_seconds, user_useconds, system_seconds, system_useconds;
    uint32_t resident_kib_max, shared, data, stack;
    uint32_t faults, faults_with_io, swaps, reads, writes, messages_sent, messages_received;
    uint32_t signals, switches, forced_switches;
};
enum usage_of { USAGE_SELF = 0, USAGE_CHILDREN = -1, USAGE_THREAD = 1 };

SYSTEM_CALL(77, getrusage)
{
    struct usage usage = {0};
    int32_t who = (int32_t)ARG1;
    if (who == USAGE_CHILDREN) {
        usage.faults = self->child_faults;
        usage.faults_with_io = self->child_major_faults;
    } else if (who == USAGE_SELF || who == USAGE_THREAD) {
        struct time time = ticks_to_time(self->ticks);
        usage.user_seconds = (uint32_t)time.seconds;
        usage.user_useconds = time.nanoseconds / 1000;
        process_count_faults();
        usage.faults = process_minor_faults(self);
        usage.faults_with_io = self->major_faults;
    } else {
        return -EINVAL;
    }
    return write_all(ARG2, &usage, sizeof(usage));
}

enum { RANDOM_NONBLOCK = 1, RANDOM_TRUE = 2, RANDOM_INSECURE = 4, RANDOM_FLAGS = 7 };

/* Twenty instructions a byte. */
enum { RANDOM_PIECE_BYTES = CALL_PIECE_BYTES / 16 };

SYSTEM_CALL(355, getrandom)
{
    uint32_t address = ARG1, bytes = ARG2, flags = ARG3, done = progress_of(self, PROGRESS_BYTES);
    if ((flags & ~(uint32_t)RANDOM_FLAGS) != 0 ||
        (flags & (RANDOM_TRUE | RANDOM_INSECURE)) == (RANDOM_TRUE | RANDOM_INSECURE))
        return -EINVAL;
    if (bytes > INT32_MAX)
        bytes = INT32_MAX;
    for (uint32_t piece_end = done + RANDOM_PIECE_BYTES; done < bytes;) {
        uint8_t part[256];
        uint32_t count = bytes - done < sizeof(part) ? bytes - done : sizeof(part);
        if (done >= piece_end)
            return call_continue(self, PROGRESS_BYTES, done);
        random_bytes(part, count);
        enum kerr error = user_write(address + done, part, count);
        if (done > 0 && error_goes_by(error))
            progress_note(self, PROGRESS_BYTES, done);
        else if (done > 0 && error != KERR_OK)
            return (int32_t)done;
        if (error != KERR_OK)
            return user_access_failed(error);
        done += count;
    }
    return (int32_t)done;
}

/* The words that keep an accident from switching the machine off. */
#define REBOOT_MAGIC   0xFEE1DEADu
#define REBOOT_RESTART 0x01234567u
#define REBOOT_HALT    0xCDEF0123u
#define REBOOT_OFF     0x4321FEDCu
#define REBOOT_KEYS_ON 0x89ABCDEFu
enum { REBOOT_KEYS_OFF = 0 };
static bool is_second_magic(uint32_t word)
{
    return word == 672274793 || word == 85072278 || word == 369367448 || word == 537993216;
}

/* For process 1 alone: other programs end themselves, not the machine. */
SYSTEM_CALL(88, reboot)
{
    if (self != process_reaper())
        return -EPERM;
    if (ARG1 != REBOOT_MAGIC || !is_second_magic(ARG2))
        return -EINVAL;
    switch (ARG3) {
    case REBOOT_KEYS_ON:
    case REBOOT_KEYS_OFF:
        return 0;
    case REBOOT_HALT:
    case REBOOT_OFF:
        printk("process 1 switches the machine off\n");
        process_clients_stop();
        machine_exit(EXIT_HALT);
    case REBOOT_RESTART:
        process_clients_stop();
        machine_reboot();
    default:
        return -EINVAL;
    }
}

/* ---- the process ---- */

enum prctl {
    PRCTL_SET_DEATH_SIGNAL = 1,
    PRCTL_GET_DUMPABLE = 3,
    PRCTL_SET_DUMPABLE = 4,
    PRCTL_SET_NAME = 15,
    PRCTL_GET_NAME = 16,
};

static int32_t set_name(struct process *self, uint32_t address)
{
    char name[sizeof(self->name)];
    uint32_t length;
    enum kerr error = user_read_string(name, address, sizeof(name), &length);
    if (error == KERR_NO_ROOM)
        length = sizeof(name) - 1; /* cut, as on Linux */
    else if (error != KERR_OK)
        return user_access_failed(error);
    name[length] = '\0';
    text_copy(self->name, sizeof(self->name), name);
    return 0;
}

SYSTEM_CALL(172, prctl)
{
    switch (ARG1) {
    case PRCTL_SET_NAME:
        return set_name(self, ARG2);
    case PRCTL_GET_NAME:
        return write_all(ARG2, self->name, sizeof(self->name));
    case PRCTL_GET_DUMPABLE:
        return 1;
    case PRCTL_SET_DUMPABLE:
        return ARG2 <= 1 ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

enum { PERSONALITY_FIXED_ADDRESSES = 0x40000 }; /* which they are anyway */
#define PERSONALITY_ASK 0xFFFFFFFFu

SYSTEM_CALL(136, personality)
{
    return ARG1 == PERSONALITY_ASK || (ARG1 & ~(uint32_t)PERSONALITY_FIXED_ADDRESSES) == 0
               ? 0
               : -EINVAL;
}

/* The list is for threads that die with a lock held: there are none. */
SYSTEM_CALL(311, set_robust_list)
{
    enum { HEAD_BYTES = 12 };
    return ARG2 == HEAD_BYTES ? 0 : -EINVAL;
}

/* ---- users: there is one ---- */

#define ROOT_IS_ALL(number, name)                                                                  \
    SYSTEM_CALL(number, name)                                                                      \
    {                                                                                              \
        return 0;                                                                                  \
    }
ROOT_IS_ALL(24, getuid16)
ROOT_IS_ALL(47, getgid16)
ROOT_IS_ALL(49, geteuid16)
ROOT_IS_ALL(50, getegid16)
ROOT_IS_ALL(199, getuid)
ROOT_IS_ALL(200, getgid)
ROOT_IS_ALL(201, geteuid)
ROOT_IS_ALL(202, getegid)
ROOT_IS_ALL(80, getgroups16)
ROOT_IS_ALL(205, getgroups)
ROOT_IS_ALL(138, setfsuid16)
ROOT_IS_ALL(139, setfsgid16)
ROOT_IS_ALL(215, setfsuid)
ROOT_IS_ALL(216, setfsgid)

/* Another user's number is one that is mapped to nobody: EINVAL. */
static int32_t set_ids(uint32_t first, uint32_t second, uint32_t third)
{
    return first + 1 <= 1 && second + 1 <= 1 && third + 1 <= 1 ? 0 : -EINVAL;
}
#define SET_IDS(number, name, first, second, third)                                                \
    SYSTEM_CALL(number, name)                                                                      \
    {                                                                                              \
        return set_ids((first), (second), (third));                                                \
    }
#define ID16(argument) ((uint32_t)(int32_t)(int16_t)(argument))
SET_IDS(23, setuid16, ID16(ARG1), 0, 0)
SET_IDS(46, setgid16, ID16(ARG1), 0, 0)
SET_IDS(70, setreuid16, ID16(ARG1), ID16(ARG2), 0)
SET_IDS(71, setregid16, ID16(ARG1), ID16(ARG2), 0)
SET_IDS(164, setresuid16, ID16(ARG1), ID16(ARG2), ID16(ARG3))
SET_IDS(170, setresgid16, ID16(ARG1), ID16(ARG2), ID16(ARG3))
SET_IDS(203, setreuid, ARG1, ARG2, 0)
SET_IDS(204, setregid, ARG1, ARG2, 0)
SET_IDS(208, setresuid, ARG1, ARG2, ARG3)
SET_IDS(210, setresgid, ARG1, ARG2, ARG3)
SET_IDS(213, setuid, ARG1, 0, 0)
SET_IDS(214, setgid, ARG1, 0, 0)

static int32_t tell_ids(const struct process *self)
{
    const uint32_t id = 0;
    const uint32_t addresses[3] = {ARG1, ARG2, ARG3};
    int32_t result = 0;
    for (unsigned i = 0; i < ARRAY_LENGTH(addresses) && result == 0; i++)
        result = write_all(addresses[i], &id, sizeof(id));
    return result;
}

SYSTEM_CALL(209, getresuid)
{
    return tell_ids(self);
}

SYSTEM_CALL(211, getresgid)
{
    return tell_ids(self);
}

/* ---- processors: there is one ---- */

SYSTEM_CALL(318, getcpu)
{
    const uint32_t number = 0;
    int32_t result = ARG1 != 0 ? write_all(ARG1, &number, sizeof(number)) : 0;
    return result == 0 && ARG2 != 0 ? write_all(ARG2, &number, sizeof(number)) : result;
}

SYSTEM_CALL(242, sched_getaffinity)
{
    const uint32_t mask = 1;
    if (ARG2 < sizeof(mask) || ARG2 % sizeof(mask) != 0)
        return -EINVAL;
    if (ARG1 != 0 && process_find(ARG1) == NULL)
        return -ESRCH;
    int32_t result = write_all(ARG3, &mask, sizeof(mask));
    return result != 0 ? result : (int32_t)sizeof(mask);
}

/* ---- what C libraries ask for at their start, and can do without ---- */

#define NOT_THERE(number, name)                                                                    \
    SYSTEM_CALL(number, name)                                                                      \
    {                                                                                              \
        return -ENOSYS;                                                                            \
    }
NOT_THERE(123, modify_ldt)
NOT_THERE(375, membarrier)
NOT_THERE(386, rseq)

/* It is for x86-64 and for shadow stacks. */
SYSTEM_CALL(384, arch_prctl)
{
    return -EINVAL;
}
