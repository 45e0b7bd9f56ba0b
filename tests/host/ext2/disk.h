/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: images as files, Debian's e2fsprogs as judges, and what these read out of an image.
 * Nothing of the kernel's is seen here: its names of types of files are the host's as well.
 */
#ifndef TESTS_HOST_EXT2_DISK_H
#define TESTS_HOST_EXT2_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* Where files of this run are: a directory that goes at the end. */
const char *disk_directory(void);

/* Run a command; its output is kept and shown if it does not return one of the statuses in WANTED, a mask.
 * Returns the status. */
int disk_run(unsigned wanted, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A new image of KIB KiB, by mke2fs with OPTIONS; the bytes of it. */
uint8_t *disk_make(uint32_t kib, const char *options);
/* Of this run; or anywhere. */
uint8_t *disk_load(const char *name, uint64_t *bytes);
uint8_t *disk_load_path(const char *path, uint64_t *bytes);
void disk_store(const char *name, const uint8_t *image, uint64_t bytes);

/* IMAGE is as e2fsck wants it. */
void disk_check(const uint8_t *image, uint64_t bytes);

/* IMAGE is repaired, without a question (or with one, if it MAY_ASK). What it was before. */
enum disk_state { DISK_WHOLE, DISK_REPAIRED, DISK_ASKED };
enum disk_state disk_repair(uint8_t *image, uint64_t bytes, bool may_ask);

/* All of IMAGE by debugfs, below the directory NAME of this run. */
void disk_extract(const uint8_t *image, uint64_t bytes, const char *name);

/* What was extracted: */
enum extracted { EXTRACTED_NOTHING, EXTRACTED_FILE, EXTRACTED_DIRECTORY, EXTRACTED_LINK };
enum extracted disk_type(const char *path);
uint32_t disk_entries(const char *path);
bool disk_same_file(const char *path, const uint8_t *bytes, uint64_t length);
bool disk_same_link(const char *path, const char *target);

#endif
