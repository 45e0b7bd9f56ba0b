/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Private to /proc: its tree (proc.c), how texts are read (proc_text.c), and what stands in them
 * (proc_process.c, proc_memory.c, proc_mounts.c, proc_system.c).
 *
 * There are two tables of entries: what a process has, below /proc/PID, and the rest. In each, entry 0 is
 * the directory that the others are below of. The number of an inode is PID << 16 | 1 + the place of its
 * entry, PID 0 standing for the rest; those below task/ go on from PROC_FIRST_TASK, those of links in fd/
 * from PROC_FIRST_DESCRIPTOR, and those of files in fdinfo/ from PROC_FIRST_INFORMATION.
 */
#ifndef FILE_PROC_H
#define FILE_PROC_H

#include "open_file.h"

/* Where a text that is made anew at each read can go on: the line that begins at byte OFFSET is that of
 * CURSOR, whatever that counts. 0, 0: the first. */
struct proc_place {
    uint32_t offset, cursor;
};

struct proc_inode {
    struct inode inode;
    const struct proc_entry *entry;
    uint32_t pid, serial; /* of the process; 0: of none */
    uint32_t descriptor;  /* of what is in fd/ or fdinfo/ */
    struct proc_place place;
};

/* A piece of a text: what falls into the window is kept. */
struct proc_text {
    char *window; /* `room` bytes, `used` of them filled */
    uint32_t room, used;
    uint32_t first; /* the text's byte that the window begins with */
    uint32_t at;    /* the text's byte that comes next */
    struct proc_place *place;
    uint32_t steps;      /* since the call began: proc_begin_line() */
    uint32_t descriptor; /* that it tells of, in fdinfo/ */
};

struct proc_entry {
    const char *name;
    uint32_t mode;   /* type and rights */
    uint32_t parent; /* the place of its directory in the table */
    /* A file: its text; PROCESS is NULL in the table of the rest. It may stop as soon as the window is
     * full. KERR_AGAIN: the piece ends here, and there is more. KERR_MUST_WAIT, KERR_NO_MEMORY, KERR_IO. */
    enum kerr (*write)(struct proc_text *text, const struct process *process);
    /* A link: as inode_operations. */
    enum kerr (*read_link)(const struct proc_inode *inode, char *target, uint32_t *bytes);
    enum kerr (*follow)(const struct proc_inode *inode, struct inode **target);
};

extern const struct proc_entry proc_of_process[], proc_of_system[];
extern const uint32_t proc_of_process_count, proc_of_system_count;

/* The links of fd/ and the files of fdinfo/ have these, which are in no table; the directories themselves. */
extern const struct proc_entry proc_descriptor_link, proc_descriptor_information;
enum {
    PROC_DESCRIPTORS = 1,
    PROC_INFORMATION,
    PROC_TASKS,
    PROC_FIRST_TASK = 0x80,
    PROC_FIRST_DESCRIPTOR = 0x100,
    PROC_FIRST_INFORMATION = 0x8000
};

/* And so has the only directory of task/, in which all the files of the process are once more. */
extern const struct proc_entry proc_task;

static inline const struct proc_inode *proc_inode_of(const struct inode *inode)
{
    return container_of(inode, struct proc_inode, inode);
}

/* The process that INODE is of; NULL: of none, or it has ended and was asked for. */
struct process *proc_process_of(const struct proc_inode *inode);

/* The open file behind DESCRIPTOR of PROCESS, which may have ended; or NULL. */
struct file *proc_file_at(const struct process *process, uint32_t descriptor);

/* PROCESS has memory that can be looked at. */
static inline const struct memory *proc_memory_of(const struct process *process)
{
    const struct memory *memory = process->memory;
    return memory != NULL && !memory->space.is_ending ? memory : NULL;
}

/* ---- memory (proc_memory.c), mounts (proc_mounts.c) ---- */

enum { PROC_KIB_PER_PAGE = PAGE_BYTES / 1024 };

/* Pages of a memory: reserved; those that have a frame, and those of them that are a file's; and sorts of
 * what is reserved. */
struct proc_memory_use {
    uint32_t reserved, resident, of_files;
    uint32_t stack, program, data;
    uint32_t tables;
};

/* *USE: of PROCESS; all 0 if it has none. */
void proc_count_memory(const struct process *process, struct proc_memory_use *use);

/* As proc_entry.write. */
enum kerr proc_write_maps(struct proc_text *text, const struct process *process);
enum kerr proc_write_smaps(struct proc_text *text, const struct process *process);
enum kerr proc_write_smaps_sum(struct proc_text *text, const struct process *process);
enum kerr proc_write_command_line(struct proc_text *text, const struct process *process);
enum kerr proc_write_environment(struct proc_text *text, const struct process *process);
enum kerr proc_write_mounts(struct proc_text *text, const struct process *process);
enum kerr proc_write_mount_information(struct proc_text *text, const struct process *process);

/* ---- texts (proc_text.c) ---- */

extern const struct file_operations proc_text_operations;

static inline bool proc_is_full(const struct proc_text *text)
{
    return text->used == text->room;
}

/* The text goes on with these. */
void proc_print(struct proc_text *text, const char *format, ...) printf_like(2, 3);
void proc_add(struct proc_text *text, const char *from, uint32_t bytes);

/* As file_path_text(), for a line of TEXT: directories are read, so there are fewer such lines in a piece. */
kerr_t proc_path(struct proc_text *text, struct inode *inode, char *path, uint32_t *bytes);

/* PATH, with blanks and the like as \040: it is one word. */
void proc_add_path(struct proc_text *text, const char *path, uint32_t bytes);

/*
 * Of a text that may be long: what comes next is the line of CURSOR.
 *   returns KERR_OK; KERR_AGAIN: enough for now, which the text's write() returns
 */
kerr_t proc_begin_line(struct proc_text *text, uint32_t cursor);

#endif
