/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Uses: layers 0-5, process. Used by: file/, program/ (execve, init, mmap), prompt/.
 *
 * Open files. A process has a table of descriptors (struct files), shared by fork until one side
 * changes it; each descriptor names an open file (struct file), counted, with an offset; what it
 * does depends on its kind: a regular file, a directory, a device, a pipe's end. What is behind
 * names stands in file/inode.h.
 */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include <file/inode.h>
#include <mm/object.h>
#include <process/process.h>

struct file;
struct inode;

/* The open file behind DESCRIPTOR, or NULL; not counted. */
struct file *file_of(const struct process *process, uint32_t descriptor);

/*
 * A program's file by PATH, seen by the current process.
 *   *inode   one reference for the caller; it has an object
 *   returns 0, -ENOENT, -ENOTDIR, -ENAMETOOLONG, -ELOOP, -EACCES (not a regular file, or nobody may execute
 *   it), -ETXTBSY (it is open for writing); or what the call must return
 */
int32_t file_find_program(const char *path, struct inode **inode);

/* PROCESS runs INODE from here on, or no file (NULL): it has a reference, and can't be written. */
void file_set_program(struct process *process, struct inode *inode);

/* The file that PROCESS runs, or NULL; no reference. */
struct inode *file_program_of(const struct process *process);

/* The name of regions that show a file. Which one, its object says: file_path_of_object(). */
extern const char file_region_name[];

/*
 * For msync: what OBJECT holds is on the disk, if it is of a file that has a place there. A call of several
 * notes STEP, not 0, when it has to wait (PROGRESS_STEPS), and comes back with that object first.
 * Returns 0, or what the call returns.
 */
int32_t file_flush_mapped(struct process *self, const struct object *object, uint32_t step);

/* What an operation of INODE answered, as the call must return it: never 0. */
int32_t file_failed(enum kerr error);

/* In the kernel's own context: ERROR was KERR_MUST_WAIT, it has been waited for, and the operation is to
 * be asked again. False in a system call, which is repeated. */
bool file_polls(enum kerr error);

/*
 * The path of the file whose pages OBJECT holds, for people: "/bin/sh", or "(deleted)", or "" if it is no
 * file's. In TEXT, BYTES bytes. May wait for a disk, in the kernel's own context.
 */
const char *file_path_of_object(const struct object *object, char *text, uint32_t bytes);

/* The path of INODE as a link of /proc says it, or "(deleted)": TEXT has PATH_BYTES_MAX bytes. As
 * inode_path(). */
kerr_t file_path_text(struct inode *inode, char *text, uint32_t *bytes);

/*
 * What mmap needs of DESCRIPTOR.
 *   *object       one reference for the caller; NULL: /dev/zero, anonymous memory
 *   *is_writable  it is open for writing
 *   returns 0, -EBADF, -ENODEV (can't be mapped), -EACCES (not open for what MAP says)
 */
enum file_map { FILE_MAP_PRIVATE, FILE_MAP_SHARED_READ, FILE_MAP_SHARED_WRITE };
int32_t file_for_mapping(const struct process *self, uint32_t descriptor, enum file_map map,
                         struct object **object, bool *is_writable);

/*
 * The option root=DEVICE: the ext2 file system there is mounted over the root, and devices and processes in
 * its /dev and /proc if it has them. Polls.   returns KERR_OK; else what was said for a person
 */
kerr_t file_mount_root(void);

/* The terminal got a key while processes run. Returns false: it has no room, offer it again. */
bool terminal_take_key(int key);

/* Process group GROUP, of the session of the same number, gets the signals of the terminal's
 * keys. */
void terminal_set_group(uint32_t group);

/* The record that the next open file was to get goes back to the heap. */
void file_forget_spare(void);

#endif
