/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Every system call with each page that it touches absent: one after another, and all at
 * once. It must give the same result, memory and state as with all of them there. The same with pages
 * that never come, or can't be had: then nothing may be lost.
 *
 * Which pages a call touches is found out, not said: those that are asked for when all are there at
 * once. What is not run so: execve as far as it succeeds (only its own reading of arguments is), since
 * that takes a program's file, and is done by the programs of tests/user/.
 */
#include "call_runner.h"

#include <file/path.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <process/part.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <process/signal_table.h>
#include <process/system_call.h>

enum { SIGNAL = SIGUSR1, SIGNAL_BIT = 1 << (SIGUSR1 - 1), MASK_BYTES = 8, HANDLER = 0x08049000 };

/* ---- what is in memory, and what has happened, before the call ---- */

static void path_null(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "/dev/null");
}

static void path_in_place(struct process *self)
{
    arena_text(ARG1, "/dev/null");
}

static void path_link(struct process *self)
{
    arena_text(ARG1, "/tmp/l");
}

static void path_directory(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "/dev");
}

static void path_file(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "/tmp/a");
}

static void path_new(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "/tmp/n");
}

static void path_of_link(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "/tmp/l");
}

static void path_empty_directory(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "/tmp/d");
}

static void path_file_and_new(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "/tmp/a");
    arena_text(PLACE(1), "/tmp/n");
}

static void path_file_and_times(struct process *self)
{
    path_file(self);
    ARENA_WORDS(PLACE(1), 100, 5, 200, 6, 300, 7, 0, 0);
}

static void path_mount(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "source");
    arena_text(PLACE(1), "/tmp/d");
    arena_text(PLACE(2), "tmpfs");
    arena_text(PLACE(3), "size=1M");
}

static void path_mounted(struct process *self)
{
    struct mount *mount;
    struct inode *directory;
    path_empty_directory(self);
    EXPECT(path_find(mount_root->root, "/tmp/d", LINKS_FOLLOW, &directory) == 0);
    EXPECT(mount_add("tmpfs", "inner", "", 0, directory, &mount) == KERR_OK);
    inode_put(directory);
}

/* A lock of bytes 10 to 29, for writing. */
static void a_lock(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), 1, 10, 20, 0);
}

static void a_lock_64(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), 1, 10, 0, 20, 0, 0);
}

/* Two pieces, the second across the border of a page, the third in another place. */
static void two_pieces(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), PLACE(1), 3000, PLACE(2), 2000);
}

static void peer_pieces(struct process *self)
{
    ARG1 = self->pid;
    ARENA_WORDS(PLACE(0), PLACE(2), 3000);
    ARENA_WORDS(PLACE(1), PLACE(3), 3000);
}

static void words_for_mmap(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), 0, 3 * PAGE_BYTES, 3, 0x22, UINT32_MAX, 0);
}

static void two_descriptors(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), PIPE_READ_FD, POLLIN, PIPE_WRITE_FD, POLLOUT);
    ARENA_WORDS(PLACE(1), 100, 0, 0, 0);
    ARENA_WORDS(PLACE(2), SIGNAL_BIT, 0);
}

static void sets(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), 1u << PIPE_READ_FD);
    ARENA_WORDS(PLACE(1), 1u << PIPE_WRITE_FD);
    ARENA_WORDS(PLACE(2), 100, 7, 0, 0);
    ARENA_WORDS(PLACE(3), PLACE(4), MASK_BYTES);
    ARENA_WORDS(PLACE(4), SIGNAL_BIT, 0);
}

static void old_select(struct process *self)
{
    sets(self);
    ARENA_WORDS(PLACE(3), PIPE_WRITE_FD + 1, PLACE(0), PLACE(1), 0, PLACE(2));
}

static void a_handler(struct process *self)
{
    ARENA_WORDS(ARG2, HANDLER, SIGNAL_BIT, 0, SIGNAL_BIT, 0);
}

/* The signal has a handler, and a stack in the arena to run on. */
static void handle_signal(struct process *self)
{
    const struct signal_action action = {.handler = HANDLER, .flags = ACTION_SIGINFO};
    EXPECT(signal_set_action(self, SIGNAL, &action) == KERR_OK);
}

static void long_sleep(struct process *self)
{
    handle_signal(self);
    ARENA_WORDS(PLACE(0), 100, 0, 0, 0);
}

/* From somebody else, since it sleeps. */
static void send_signal(struct process *self)
{
    process_current = NULL;
    signal_send(self, SIGNAL, 0);
    process_dequeue(self); /* the next to run, at once */
    process_current = self;
}

static void pending_signal(struct process *self)
{
    self->signals_blocked = SIGNAL_BIT;
    signal_send(self, SIGNAL, 0);
    ARENA_WORDS(ARG1, SIGNAL_BIT, 0);
}

static void blocked_signal_to_self(struct process *self)
{
    self->signals_blocked = SIGNAL_BIT;
    ARG1 = self->pid;
    ARENA_WORDS(PLACE(0), SIGNAL, 0, UINT32_MAX, 1, 2, 3);
}

static void blocked_signal_to_thread(struct process *self)
{
    blocked_signal_to_self(self);
    ARG2 = self->pid;
}

static void an_empty_mask(struct process *self)
{
    handle_signal(self);
    self->signals_blocked = SIGNAL_BIT;
}

static void an_alarm(struct process *self)
{
    ARENA_WORDS(ARG2, 1000, 0, 1000, 0);
}

static void a_mask(struct process *self)
{
    self->signals_blocked = (uint64_t)SIGNAL_BIT << 32 | SIGNAL_BIT;
    ARENA_WORDS(ARG2, 1 << 3, 1 << 5);
}

static void a_limit(struct process *self)
{
    ARENA_WORDS(ARG3, 0, 0, 0x10000, 0);
}

static void a_stack(struct process *self)
{
    ARENA_WORDS(ARG1, HANDLER, 0, 8192);
}

static void a_child_that_ended(struct process *self)
{
    struct process *child;
    bool made = process_create(self, &child) == KERR_OK;
    EXPECT(made);
    if (!made)
        return;
    child->exit_signal = SIGCHLD;
    process_start(child);
    process_exit(child, 7 << 8);
    process_finish_exits();
}

static void a_segment(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), UINT32_MAX, 0x1000, 0xFFFFF, 0x51);
}

static void a_segment_of_a_number(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), 6, 0x1000, 0xFFFFF, 0x51);
    ARENA_WORDS(PLACE(1), 6, 0x1000, 0xFFFFF, 0x51);
}

static void a_word(struct process *self)
{
    (void)self;
    ARENA_WORDS(WORD_PLACE(0), 5);
    ARENA_WORDS(WORD_PLACE(1), 7);
    ARENA_WORDS(PLACE(2), 100, 0, 0, 0);
}

static void an_offset(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), 1);
}

/* Both in one file, and so far apart that 100 bytes from each do not meet. */
static void two_offsets(struct process *self)
{
    (void)self;
    ARENA_WORDS(PLACE(0), 10, 0);
    ARENA_WORDS(PLACE(1), 3000, 0);
}

static void a_locked_mapping(struct process *self)
{
    EXPECT(vma_set_flags(&self->memory->space, VADDR(ARENA), MAPPED_PAGES, VMA_LOCKED, 0) ==
           KERR_OK);
}

/* The other one is not there, but its reference is. */
static void shared_memory_and_a_word(struct process *self)
{
    self->clear_tid = PLACE(0);
    self->memory->references++;
}

static void arguments_of_execve(struct process *self)
{
    (void)self;
    arena_text(PLACE(0), "/nobody");
    const uint32_t string = STRING_PAGES * PAGE_BYTES;
    ARENA_WORDS(PLACE(1), TEXT, TEXT + string, TEXT + 2 * string, 0);
    ARENA_WORDS(PLACE(2), TEXT + 3 * string, 0);
}

/* What a handler's frame holds, so that there is one to come back from. */
static void a_frame_to_return_from(struct process *self, uint32_t call, uint32_t flags)
{
    static uint8_t frame[2048];
    const struct signal_action action = {.handler = HANDLER, .flags = flags};
    EXPECT(signal_set_action(self, SIGNAL, &action) == KERR_OK);
    signal_send(self, SIGNAL, 0);
    signal_deliver(self);
    EXPECT_EQUAL(self->frame.eip, HANDLER);
    self->frame.eax = call;
    self->frame.user_esp += flags & ACTION_SIGINFO ? 4 : 8; /* as the handler's return does */
    uint32_t start = WORD_PLACE(PLACES - 1) - sizeof(frame) / 2;
    EXPECT(user_read(frame, start, sizeof(frame)) == KERR_OK);
    arena_put(start, frame, sizeof(frame));
    arena_begin_anew(self);
}

static void an_old_frame(struct process *self)
{
    a_frame_to_return_from(self, 119, 0);
}

static void a_new_frame(struct process *self)
{
    a_frame_to_return_from(self, 173, ACTION_SIGINFO);
}

/* ---- the calls ---- */

enum {
    CLONE_SOME =
        SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SETTLS,
    ALL_OF_IT = MAPPED_PAGES * PAGE_BYTES,
};
#define HERE ((uint32_t)AT_FDCWD)

/* What begins there has a word in the one page, the rest in the other. */
#define ACROSS (ARENA + PAGE_BYTES - 4)

#define CALL(call_number, ...) .number = (call_number), .arguments = {__VA_ARGS__}

static const struct call_case calls[] = {
    {CALL(1, 3), .set_up = shared_memory_and_a_word, .flags = HAS_ENDED},
    {CALL(252, 3), .set_up = shared_memory_and_a_word, .flags = HAS_ENDED},
    {CALL(3, ZERO_FD, PLACE(0), 5000)},
    {CALL(3, PIPE_READ_FD, PLACE(0), 5500)},
    {CALL(4, PIPE_WRITE_FD, PLACE(0), 5500)},
    {CALL(4, PIPE_WRITE_FD, PLACE(0), 4000)},
    {CALL(3, FILE_FD, PLACE(0), 5500)},
    {CALL(4, FILE_FD, PLACE(0), 5500)},
    {CALL(5, PLACE(0), O_RDWR), .set_up = path_null},
    {CALL(7, UINT32_MAX, PLACE(0), 0), .set_up = a_child_that_ended, .flags = RESULT_VARIES},
    {CALL(8, PLACE(0), 0), .set_up = path_null},
    {CALL(5, PLACE(0), O_RDWR | O_CREAT | O_EXCL, 0600), .set_up = path_new},
    {CALL(5, PLACE(0), O_RDWR | O_TRUNC), .set_up = path_file},
    {CALL(9, PLACE(0), PLACE(1)), .set_up = path_file_and_new},
    {CALL(10, PLACE(0)), .set_up = path_file},
    {CALL(11, PLACE(0), PLACE(1), PLACE(2)), .set_up = arguments_of_execve},
    {CALL(12, PLACE(0)), .set_up = path_directory},
    {CALL(13, PLACE(0)), .flags = RESULT_VARIES | MEMORY_VARIES},
    {CALL(14, PLACE(0), S_IFIFO | 0600), .set_up = path_new},
    {CALL(15, PLACE(0), 0600), .set_up = path_file},
    {CALL(16, PLACE(0), 7, 8), .set_up = path_of_link},
    {CALL(21, PLACE(0), PLACE(1), PLACE(2), 0, PLACE(3)), .set_up = path_mount},
    {CALL(22, PLACE(0)), .set_up = path_mounted},
    {CALL(30, PLACE(0), PLACE(1)), .set_up = path_file_and_times},
    {CALL(33, PLACE(0), 4), .set_up = path_null},
    {CALL(38, PLACE(0), PLACE(1)), .set_up = path_file_and_new},
    {CALL(39, PLACE(0), 0755), .set_up = path_new},
    {CALL(40, PLACE(0)), .set_up = path_empty_directory},
    {CALL(42, PLACE(0))},
    {CALL(43, PLACE(0)), .flags = RESULT_VARIES},
    {CALL(54, 0, 0x5401, PLACE(0))},                                 /* TCGETS */
    {CALL(54, 0, 0x5413, PLACE(0))},                                 /* TIOCGWINSZ */
    {CALL(54, PIPE_READ_FD, 0x541B, PLACE(0))},                      /* FIONREAD */
    {CALL(54, PIPE_READ_FD, 0x5421, PLACE(0)), .set_up = an_offset}, /* FIONBIO */
    {CALL(52, PLACE(0), 0), .set_up = path_mounted},
    {CALL(55, FILE_FD, 6, PLACE(0)), .set_up = a_lock}, /* SETLK */
    {CALL(55, FILE_FD, 5, PLACE(0)), .set_up = a_lock}, /* GETLK */
    {CALL(67, SIGNAL, PLACE(0), PLACE(1)), .set_up = a_handler},
    {CALL(87, PLACE(0), 0), .set_up = path_file}, /* no device */
    {CALL(115, PLACE(0)), .set_up = path_file},
    {CALL(73, PLACE(0)), .set_up = pending_signal},
    {CALL(75, LIMIT_CORE, PLACE(0))},
    {CALL(76, LIMIT_STACK, PLACE(0))},
    {CALL(77, 0, PLACE(0)), .flags = MEMORY_VARIES},
    {CALL(78, PLACE(0), PLACE(1)), .flags = MEMORY_VARIES},
    {CALL(82, PLACE(3)), .set_up = old_select},
    {CALL(83, PLACE(0), PLACE(1)), .set_up = path_file_and_new},
    {CALL(85, PLACE(0), PLACE(1), 100), .set_up = path_of_link},
    {CALL(90, PLACE(0)), .set_up = words_for_mmap},
    {CALL(92, PLACE(0), 100), .set_up = path_file},
    {CALL(99, PLACE(0), PLACE(1)), .set_up = path_null},
    {CALL(100, ZERO_FD, PLACE(0))},
    {CALL(104, 0, PLACE(0), PLACE(1)), .set_up = an_alarm},
    {CALL(105, 0, PLACE(0))},
    {CALL(106, PLACE(0), PLACE(1)), .set_up = path_null},
    {CALL(107, PLACE(0), PLACE(1)), .set_up = path_null},
    {CALL(108, ZERO_FD, PLACE(0))},
    {CALL(114, UINT32_MAX, PLACE(0), 0, PLACE(1)), .set_up = a_child_that_ended,
     .flags = RESULT_VARIES},
    {CALL(116, PLACE(0)), .flags = MEMORY_VARIES},
    {CALL(119, 0), .set_up = an_old_frame},
    {CALL(120, CLONE_SOME, 0, PLACE(0), PLACE(1), PLACE(2)), .set_up = a_segment_of_a_number,
     .flags = RESULT_VARIES | MEMORY_VARIES},
    {CALL(122, PLACE(0))},
    {CALL(126, 0, PLACE(0), PLACE(1)), .set_up = an_offset},
    {CALL(140, DIRECTORY_FD, 0, 5, PLACE(0), 1)},
    {CALL(141, DIRECTORY_FD, PLACE(0), 4000)},
    {CALL(142, PIPE_WRITE_FD + 1, PLACE(0), PLACE(1), 0, PLACE(2)), .set_up = sets},
    {CALL(145, PIPE_READ_FD, PLACE(0), 2), .set_up = two_pieces},
    {CALL(146, PIPE_WRITE_FD, PLACE(0), 2), .set_up = two_pieces},
    {CALL(150, ARENA, ALL_OF_IT)},
    {CALL(152, 1)},
    {CALL(162, PLACE(0), PLACE(1))},
    {CALL(162, PLACE(0), PLACE(1)), .set_up = long_sleep, .flags = MEMORY_VARIES,
     .slept = send_signal},
    {CALL(163, ARENA, ALL_OF_IT, ALL_OF_IT + 8 * PAGE_BYTES), .set_up = a_locked_mapping},
    {CALL(168, PLACE(0), 2, 0), .set_up = two_descriptors},
    {CALL(172, 15, PLACE(0)), .set_up = path_null},
    {CALL(172, 16, PLACE(0))},
    {CALL(173, 0), .set_up = a_new_frame},
    {CALL(174, SIGNAL, PLACE(0), PLACE(1), MASK_BYTES), .set_up = a_handler},
    {CALL(175, 0, PLACE(0), PLACE(1), MASK_BYTES), .set_up = an_offset},
    {CALL(176, PLACE(0), MASK_BYTES), .set_up = pending_signal},
    {CALL(177, PLACE(0), PLACE(1), PLACE(2), MASK_BYTES), .set_up = pending_signal},
    {CALL(178, 0, SIGNAL, PLACE(0)), .set_up = blocked_signal_to_self},
    {CALL(179, PLACE(0), MASK_BYTES), .set_up = an_empty_mask, .flags = MEMORY_VARIES,
     .slept = send_signal},
    {CALL(180, ZERO_FD, PLACE(0), 5000)},
    {CALL(181, FILE_FD, PLACE(0), 5500, 3000)},
    {CALL(182, PLACE(0), 7, 8), .set_up = path_file},
    {CALL(183, PLACE(0), 100)},
    {CALL(186, PLACE(0), PLACE(1)), .set_up = a_stack},
    {CALL(187, PIPE_WRITE_FD, FILE_FD, PLACE(0), 100), .set_up = an_offset},
    {CALL(191, LIMIT_STACK, PLACE(0))},
    {CALL(193, PLACE(0), 100, 0), .set_up = path_file},
    {CALL(195, PLACE(0), PLACE(1)), .set_up = path_null},
    {CALL(196, PLACE(0), PLACE(1)), .set_up = path_null},
    {CALL(197, ZERO_FD, PLACE(0))},
    {CALL(198, PLACE(0), 7, 8), .set_up = path_of_link},
    {CALL(209, PLACE(0), PLACE(1), PLACE(2))},
    {CALL(211, PLACE(0), PLACE(1), PLACE(2))},
    {CALL(212, PLACE(0), 7, 8), .set_up = path_file},
    {CALL(218, ARENA, ALL_OF_IT, PLACE(0)), .flags = MEMORY_VARIES},
    {CALL(219, ARENA, ALL_OF_IT, 22)}, /* POPULATE_READ */
    {CALL(219, ARENA, ALL_OF_IT, 23)}, /* POPULATE_WRITE */
    {CALL(220, DIRECTORY_FD, PLACE(0), 4000)},
    {CALL(221, FILE_FD, 13, PLACE(0)), .set_up = a_lock_64},
    {CALL(221, FILE_FD, 12, PLACE(0)), .set_up = a_lock_64},
    {CALL(239, PIPE_WRITE_FD, FILE_FD, PLACE(0), 100), .set_up = an_offset},
    {CALL(240, WORD_PLACE(0), 0, 6, PLACE(2)), .set_up = a_word},
    {CALL(240, WORD_PLACE(0), 4, 1, 1, WORD_PLACE(1), 5), .set_up = a_word}, /* CMP_REQUEUE */
    {CALL(240, WORD_PLACE(0), 5, 1, 1, WORD_PLACE(1), 0x10001000),
     .set_up = a_word}, /* WAKE_OP: += 1 */
    {CALL(242, 0, 4, PLACE(0))},
    {CALL(243, PLACE(0)), .set_up = a_segment},
    {CALL(244, PLACE(0)), .set_up = a_segment_of_a_number},
    {CALL(265, 1, PLACE(0)), .flags = MEMORY_VARIES},
    {CALL(266, 1, PLACE(0))},
    {CALL(267, 1, 0, PLACE(0), PLACE(1))},
    {CALL(267, 1, 0, PLACE(0), PLACE(1)), .set_up = long_sleep, .flags = MEMORY_VARIES,
     .slept = send_signal},
    {CALL(268, PLACE(0), 84, PLACE(1)), .set_up = path_null},
    {CALL(269, ZERO_FD, 84, PLACE(0))},
    {CALL(271, PLACE(0), PLACE(1)), .set_up = path_file_and_times},
    {CALL(284, 0, 0, PLACE(0), 4, PLACE(1)), .set_up = a_child_that_ended, .flags = MEMORY_VARIES},
    {CALL(295, HERE, PLACE(0), O_RDWR), .set_up = path_null},
    {CALL(295, HERE, PLACE(0), O_RDWR | O_CREAT, 0600), .set_up = path_new},
    {CALL(296, HERE, PLACE(0), 0755), .set_up = path_new},
    {CALL(297, HERE, PLACE(0), S_IFIFO | 0600), .set_up = path_new},
    {CALL(298, HERE, PLACE(0), 7, 8, 0), .set_up = path_file},
    {CALL(299, HERE, PLACE(0), PLACE(1)), .set_up = path_file_and_times},
    {CALL(300, HERE, PLACE(0), PLACE(1)), .set_up = path_null},
    {CALL(301, HERE, PLACE(0), 0), .set_up = path_file},
    {CALL(302, HERE, PLACE(0), HERE, PLACE(1)), .set_up = path_file_and_new},
    {CALL(303, HERE, PLACE(0), HERE, PLACE(1), 0), .set_up = path_file_and_new},
    {CALL(304, PLACE(0), HERE, PLACE(1)), .set_up = path_file_and_new},
    {CALL(305, HERE, PLACE(0), PLACE(1), 100), .set_up = path_of_link},
    {CALL(306, HERE, PLACE(0), 0600), .set_up = path_file},
    {CALL(307, HERE, PLACE(0), 4), .set_up = path_null},
    {CALL(308, PIPE_WRITE_FD + 1, PLACE(0), PLACE(1), 0, PLACE(2), PLACE(3)), .set_up = sets},
    {CALL(309, PLACE(0), 2, PLACE(1), PLACE(2), MASK_BYTES), .set_up = two_descriptors},
    {CALL(318, PLACE(0), PLACE(1))},
    {CALL(320, HERE, PLACE(0), PLACE(1), 0), .set_up = path_file_and_times},
    {CALL(331, PLACE(0), O_CLOEXEC)},
    {CALL(333, FILE_FD, PLACE(0), 2, 100), .set_up = two_pieces},
    {CALL(334, FILE_FD, PLACE(0), 2, 100), .set_up = two_pieces},
    {CALL(335, 0, 0, SIGNAL, PLACE(0)), .set_up = blocked_signal_to_thread},
    {CALL(340, 0, LIMIT_CORE, PLACE(0), PLACE(1))},
    {CALL(347, 0, PLACE(0), 1, PLACE(1), 1), .set_up = peer_pieces},
    {CALL(348, 0, PLACE(0), 1, PLACE(1), 1), .set_up = peer_pieces},
    {CALL(353, HERE, PLACE(0), HERE, PLACE(1), 1), .set_up = path_file_and_new},
    {CALL(355, PLACE(0), 5000), .flags = MEMORY_VARIES},
    {CALL(356, PLACE(0), 1), .set_up = path_file},
    {CALL(376, ARENA, ALL_OF_IT, 0)},
    {CALL(377, FILE_FD, PLACE(0), FILE_FD, PLACE(1), 100), .set_up = two_offsets},
    {CALL(378, FILE_FD, PLACE(0), 2, 100), .set_up = two_pieces},
    {CALL(379, FILE_FD, PLACE(0), 2, 100), .set_up = two_pieces},
    {CALL(383, HERE, PLACE(0), 0, 0x7FF, PLACE(1)), .set_up = path_null},
    {CALL(403, 1, PLACE(0)), .flags = MEMORY_VARIES},
    {CALL(406, 1, PLACE(0))},
    {CALL(407, 1, 0, PLACE(0), PLACE(1))},
    {CALL(407, 1, 0, PLACE(0), PLACE(1)), .set_up = long_sleep, .flags = MEMORY_VARIES,
     .slept = send_signal},
    {CALL(412, HERE, PLACE(0), PLACE(1), 0), .set_up = path_file_and_times},
    {CALL(413, PIPE_WRITE_FD + 1, PLACE(0), PLACE(1), 0, PLACE(2), PLACE(3)), .set_up = sets},
    {CALL(414, PLACE(0), 2, PLACE(1), PLACE(2), MASK_BYTES), .set_up = two_descriptors},
    {CALL(421, PLACE(0), PLACE(1), PLACE(2), MASK_BYTES), .set_up = pending_signal},
    {CALL(422, WORD_PLACE(0), 0, 6, PLACE(2)), .set_up = a_word},
    {CALL(439, HERE, PLACE(0), 4), .set_up = path_null},
    {CALL(452, HERE, PLACE(0), 0600, 0), .set_up = path_file},

    /* What is told lies where what was asked for is. */
    {CALL(67, SIGNAL, ACROSS, ACROSS), .set_up = a_handler},
    {CALL(85, ACROSS, ACROSS, 100), .set_up = path_link},
    {CALL(104, 0, ACROSS, ACROSS), .set_up = an_alarm},
    {CALL(120, CLONE_SOME, 0, PLACE(0), PLACE(0), PLACE(2)), .set_up = a_segment_of_a_number,
     .flags = RESULT_VARIES | MEMORY_VARIES},
    {CALL(174, SIGNAL, ACROSS, ACROSS, MASK_BYTES), .set_up = a_handler},
    {CALL(175, 2, ACROSS, ACROSS, MASK_BYTES), .set_up = a_mask}, /* SIG_SETMASK */
    {CALL(177, ACROSS, ACROSS, 0, MASK_BYTES), .set_up = pending_signal},
    {CALL(186, ACROSS, ACROSS), .set_up = a_stack},
    {CALL(195, ACROSS, ACROSS), .set_up = path_in_place},
    {CALL(340, 0, LIMIT_CORE, ACROSS, ACROSS), .set_up = a_limit},
};

/* These get no address, or look at nothing there: set_robust_list, which is only accepted; getgroups, as
 * there are none; mmap2, munmap and their kind, which are about regions. */
static const uint16_t touch_nothing[] = {
    2,   6,   19,  20,  23,  24,  27,  29,  36,  37,  41,  45,  46,  47,  48,  49,  50,
    57,  60,  63,  64,  65,  66,  70,  71,  72,  80,  88,  91,  93,  94,  95,  118, 123,
    125, 132, 133, 136, 138, 139, 143, 144, 147, 148, 151, 153, 158, 164, 170, 190, 192,
    194, 199, 200, 201, 202, 203, 204, 205, 207, 208, 210, 213, 214, 215, 216, 224, 225,
    238, 250, 258, 270, 272, 311, 314, 324, 330, 344, 375, 384, 386, 436,
};

/* ---- how the pages arrive ---- */

static uint32_t chosen_page;

static void absent_page(void)
{
    call_pager.pages[chosen_page].polls = 2;
}

static void absent_pages(void)
{
    for (unsigned i = 0; i < TEST_PAGES; i++)
        call_pager.pages[i].polls = 2;
}

static void page_never_comes(void)
{
    call_pager.pages[chosen_page].polls = ARRIVES_NEVER;
}

static void page_fails(void)
{
    call_pager.pages[chosen_page].polls = 2;
    call_pager.pages[chosen_page].fails = true;
}

/* ---- comparing ---- */

static struct outcome reference, outcome;

/* Something is not as it should be with CALL: say which it is, once for each. */
static void complain(const struct call_case *call, const char *what)
{
    printk("# %s (%x, %x, %x): page %u: %s: result %d, with all pages %d\n",
           call_name(call->number), call->arguments[0], call->arguments[1], call->arguments[2],
           chosen_page, what, outcome.result, reference.result);
    test_fail(__FILE__, __LINE__, what);
}

static void expect_same(const struct call_case *call)
{
    if (outcome.is_stuck)
        complain(call, "it ends");
    else if (outcome.result != reference.result && !(call->flags & RESULT_VARIES))
        complain(call, "same result");
    else if ((call->flags & RESULT_VARIES) && (outcome.result < 0) != (reference.result < 0))
        complain(call, "same kind of result");
    else if (outcome.state != reference.state)
        complain(call, "same state");
    else if (outcome.descriptors != reference.descriptors)
        complain(call, "same number of descriptors");
    else if (outcome.repetitions == reference.repetitions)
        complain(call, "it was repeated");
    for (unsigned i = 0; i < ARENA_PAGES && !(call->flags & (MEMORY_VARIES | HAS_ENDED)); i++)
        if (outcome.memory[i] != reference.memory[i]) {
            complain(call, "same memory");
            return;
        }
}

/* For each page that CALL touches, first all there at once, which REFERENCE shows. */
static void for_each_page(void (*deed)(const struct call_case *, enum arena_kind))
{
    for (unsigned i = 0; i < ARRAY_LENGTH(calls); i++)
        for (unsigned kind = ARENA_SHARED; kind <= ARENA_PRIVATE; kind++) {
            bool touches = false;
            call_run(&calls[i], (enum arena_kind)kind, NULL, &reference);
            for (chosen_page = 0; chosen_page < TEST_PAGES; chosen_page++) {
                if (!reference.touched[chosen_page])
                    continue;
                touches = true;
                deed(&calls[i], (enum arena_kind)kind);
            }
            if (!touches)
                complain(&calls[i], "it touches a page");
        }
}

static void run_with_absent_page(const struct call_case *call, enum arena_kind kind)
{
    call_run(call, kind, absent_page, &outcome);
    expect_same(call);
}

static void run_with_lost_page(const struct call_case *call, enum arena_kind kind)
{
    call_run(call, kind, page_never_comes, &outcome);
    if (!outcome.is_stuck)
        complain(call, "it waits");
}

/* The program is told, or gets less, or the page was for what may be left out; for want of a stack to
 * run its handler on it ends. */
static void run_with_failing_page(const struct call_case *call, enum arena_kind kind)
{
    call_run(call, kind, page_fails, &outcome);
    bool told = outcome.result == -EIO || outcome.result == -EFAULT || outcome.result == -ENOMEM;
    bool ended = call->slept != NULL && outcome.result == SIGSEGV;
    if (outcome.is_stuck)
        complain(call, "it ends");
    else if (!told && !ended && !(call->flags & RESULT_VARIES) &&
             (outcome.result < 0 || outcome.result > reference.result))
        complain(call, "an error, or less");
    if (told && outcome.descriptors > FILE_FD + 1)
        complain(call, "no descriptor is left");
}

/* What the machine is does not matter to most of these, and they take long: most machines leave them out. */
OPTION(brief, "brief", OPTION_FLAG);
#define LONG_TEST()                                                                                \
    do {                                                                                           \
        if (brief_option.is_given)                                                                 \
            SKIP("brief");                                                                         \
    } while (0)

TEST("calls_absent", "each call: is in the table, or touches nothing")
{
    for (const struct system_call *call = system_calls_first; call < system_calls_end; call++) {
        bool found = false, touches_nothing = false;
        for (unsigned i = 0; i < ARRAY_LENGTH(calls); i++)
            found |= calls[i].number == call->number;
        for (unsigned i = 0; i < ARRAY_LENGTH(touch_nothing); i++)
            touches_nothing |= touch_nothing[i] == call->number;
        if (found == touches_nothing) {
            printk("# %u: %s\n", call->number, call->name);
            test_fail(__FILE__, __LINE__, "a call is in one of the two lists");
        }
    }
}

TEST("calls_absent", "each call, each of its pages absent in turn: the same result and memory")
{
    LONG_TEST();
    for_each_page(run_with_absent_page);
}

TEST("calls_absent", "each call, all of its pages absent at once: the same result and memory")
{
    LONG_TEST();
    for (unsigned i = 0; i < ARRAY_LENGTH(calls); i++)
        for (unsigned kind = ARENA_SHARED; kind <= ARENA_PRIVATE; kind++) {
            chosen_page = TEST_PAGES;
            call_run(&calls[i], (enum arena_kind)kind, NULL, &reference);
            call_run(&calls[i], (enum arena_kind)kind, absent_pages, &outcome);
            expect_same(&calls[i]);
        }
}

TEST("calls_absent", "each call, a page of it never comes: it can be ended, and nothing is lost")
{
    LONG_TEST();
    for_each_page(run_with_lost_page);
}

TEST("calls_absent", "each call, a page of it can't be had: an error or less, and nothing is lost")
{
    LONG_TEST();
    for_each_page(run_with_failing_page);
}

/* ---- frames that are lacking ---- */

static uint32_t frames_left;

static void few_frames(void)
{
    call_leave_frames(frames_left);
}

/* The program is told that there is too little memory, and has lost nothing. */
static bool is_refused(const struct call_case *call)
{
    bool told = outcome.result == -ENOMEM || outcome.result == -EAGAIN || outcome.result == -ENFILE;
    if (told && outcome.descriptors > FILE_FD + 1)
        complain(call, "no descriptor is left");
    return told && outcome.result != reference.result;
}

/* What it reads again it must not have written over. */
TEST("calls_absent",
     "each call, each frame that it takes is lacking at first: the same result and memory")
{
    LONG_TEST();
    chosen_page = TEST_PAGES;
    for (unsigned i = 0; i < ARRAY_LENGTH(calls); i++)
        for (unsigned kind = ARENA_SHARED; kind <= ARENA_PRIVATE; kind++) {
            bool is_refused_once = true;
            call_run(&calls[i], (enum arena_kind)kind, NULL, &reference);
            outcome.lacked = true;
            for (frames_left = 0; outcome.lacked || is_refused_once; frames_left++) {
                call_run(&calls[i], (enum arena_kind)kind, few_frames, &outcome);
                is_refused_once = is_refused(&calls[i]);
                if (outcome.lacked && !is_refused_once)
                    expect_same(&calls[i]);
            }
        }
}
