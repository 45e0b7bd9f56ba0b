/* SPDX-License-Identifier: MIT */
/*
 * A plugin of QEMU (TCG, version 1 of its interface) for tools/bench-store: it counts the instructions
 * that are executed, those of user mode and those of the kernel apart, and stops at each
 * `movl $0x5b0c4a7e,%eax` of the guest. There it writes "mark USER KERNEL" to one pipe and waits for
 * a byte from another, so that the disks' counters can be asked for while no guest time passes. A CPU
 * that is halted executes nothing: time spent waiting for a disk is not counted.
 *
 *   -plugin markplug.so,to=PIPE,from=PIPE[,base=0xc0000000][,profile=FILE,at=N]
 *
 * Between mark N and the next one PROFILE gets "address count" lines of the kernel's instructions.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The part of qemu-plugin.h that is used: Debian's package of QEMU 7.2 has no headers. */
typedef uint64_t qemu_plugin_id_t;
enum { ADD_U64 = 0, NO_REGISTERS = 0 };
extern int qemu_plugin_version;
int qemu_plugin_version = 1;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*call)(qemu_plugin_id_t, void *));
void qemu_plugin_register_vcpu_insn_exec_inline(void *instruction, int operation, void *counter,
                                                uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(void *instruction, void (*call)(unsigned, void *),
                                            int registers, void *data);
size_t qemu_plugin_tb_n_insns(const void *block);
void *qemu_plugin_tb_get_insn(const void *block, size_t index);
const void *qemu_plugin_insn_data(const void *instruction);
size_t qemu_plugin_insn_size(const void *instruction);
uint64_t qemu_plugin_insn_vaddr(const void *instruction);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

enum { USER, KERNEL, PROFILE_BYTES = 8 << 20 };
static uint64_t counts[2], kernel_base = 0xc0000000u;
static int to = -1, from = -1;
static uint64_t
    profile[PROFILE_BYTES]; /* by address, from the kernel's base on; touched where used */
static const char *profile_path;
static long marks, profile_mark = -1;

static void write_profile(void)
{
    FILE *file = fopen(profile_path, "w");
    if (file == NULL)
        exit(1);
    for (uint64_t i = 0; i < PROFILE_BYTES; i++)
        if (profile[i] != 0)
            fprintf(file, "%" PRIx64 " %" PRIu64 "\n", kernel_base + i, profile[i]);
    fclose(file);
}

static void mark(unsigned cpu, void *data)
{
    char answer;
    (void)cpu;
    (void)data;
    if (profile_path != NULL && marks == profile_mark)
        memset(profile, 0, sizeof(profile));
    if (profile_path != NULL && marks == profile_mark + 1)
        write_profile();
    marks++;
    dprintf(to, "mark %" PRIu64 " %" PRIu64 "\n", counts[USER], counts[KERNEL]);
    if (read(from, &answer, 1) != 1)
        exit(1);
}

static void translated(qemu_plugin_id_t id, void *block)
{
    static const uint8_t magic[] = {0xb8, 0x7e, 0x4a, 0x0c, 0x5b};
    (void)id;
    for (size_t i = 0, n = qemu_plugin_tb_n_insns(block); i < n; i++) {
        void *instruction = qemu_plugin_tb_get_insn(block, i);
        uint64_t address = qemu_plugin_insn_vaddr(instruction), offset = address - kernel_base;
        uint64_t *count = &counts[address >= kernel_base ? KERNEL : USER];
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD_U64, count, 1);
        if (profile_path != NULL && address >= kernel_base && offset < PROFILE_BYTES)
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD_U64, &profile[offset], 1);
        if (qemu_plugin_insn_size(instruction) == sizeof(magic) &&
            memcmp(qemu_plugin_insn_data(instruction), magic, sizeof(magic)) == 0)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, mark, NO_REGISTERS, NULL);
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        if (value == NULL)
            return 1;
        value++;
        if (strncmp(argv[i], "to=", 3) == 0)
            to = open(value, O_WRONLY);
        else if (strncmp(argv[i], "from=", 5) == 0)
            from = open(value, O_RDONLY);
        else if (strncmp(argv[i], "base=", 5) == 0)
            kernel_base = strtoull(value, NULL, 0);
        else if (strncmp(argv[i], "profile=", 8) == 0)
            profile_path = strdup(value);
        else if (strncmp(argv[i], "at=", 3) == 0)
            profile_mark = strtol(value, NULL, 0);
        else
            return 1;
    }
    if (to < 0 || from < 0)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
