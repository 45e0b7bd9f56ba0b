/* SPDX-License-Identifier: MIT */
/*
 * User test. Random code, each text in a child of its own: whatever it does, it ends by a signal,
 * an exit, or the parent's patience; and the parent goes on. Not on Linux: what came out might be a
 * system call.
 *
 * A text is a prologue, which loads segments, flags and registers, and a body of one of four kinds:
 * bytes; an instruction chosen to hurt, then bytes; instructions behind prefixes; or a return by a
 * stack of words that are nearly right. It ends with a mapped page. Bodies are of every length.
 *
 * usage: hostile_code [SEED [TEXTS]]
 *
 * run: on=droste
 * run: seconds=120
 */
#include "check.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum {
    PAGE = 4096,
    TEXT_BYTES = 2 * PAGE,
    PROLOGUE_BYTES_MAX = 128,
    BODY_BYTES_MAX = 64, /* of the short ones */
    STACK_WORDS = 16,
    PATIENCE_MS = 30,
};

/* Length, then the bytes. */
static const unsigned char nasty[][16] = {
    {7, 0x9C, 0x80, 0x4C, 0x24, 0x01, 0x01, 0x9D}, /* TF by popf */
    {7, 0x9C, 0x80, 0x4C, 0x24, 0x01, 0x04, 0x9D}, /* DF */
    {7, 0x9C, 0x80, 0x4C, 0x24, 0x01, 0x40, 0x9D}, /* NT */
    {7, 0x9C, 0x80, 0x4C, 0x24, 0x02, 0x04, 0x9D}, /* AC */
    {7, 0x9C, 0x80, 0x4C, 0x24, 0x01, 0x30, 0x9D}, /* IOPL */
    {3, 0x9C, 0x9D, 0xCF},                         /* iret from nothing */
    {1, 0xFA},                                     /* cli */
    {1, 0xFB},                                     /* sti */
    {1, 0xF4},                                     /* hlt */
    {2, 0xCD, 0x08},                               /* int 8, 13, 14, 2, 0x20, 3 */
    {2, 0xCD, 0x0D},
    {2, 0xCD, 0x0E},
    {2, 0xCD, 0x02},
    {2, 0xCD, 0x20},
    {1, 0xCC},
    {1, 0xF1},                                     /* icebp */
    {1, 0xCE},                                     /* into */
    {3, 0x0F, 0x20, 0xC0},                         /* mov eax, cr0 */
    {3, 0x0F, 0x22, 0xD8},                         /* mov cr3, eax */
    {3, 0x0F, 0x23, 0xF8},                         /* mov dr7, eax */
    {3, 0x0F, 0x01, 0x38},                         /* invlpg [eax] */
    {3, 0x0F, 0x01, 0x18},                         /* lidt [eax] */
    {3, 0x0F, 0x00, 0xD8},                         /* ltr ax */
    {2, 0x0F, 0x06},                               /* clts */
    {2, 0x0F, 0x09},                               /* wbinvd */
    {2, 0x0F, 0x30},                               /* wrmsr */
    {2, 0x0F, 0x32},                               /* rdmsr */
    {2, 0x0F, 0x34},                               /* sysenter */
    {2, 0x0F, 0x35},                               /* sysexit */
    {2, 0x0F, 0x05},                               /* syscall */
    {2, 0x0F, 0x0B},                               /* ud2 */
    {2, 0xE4, 0x60},                               /* in al, 0x60 */
    {4, 0x66, 0xBA, 0xF4, 0x00},                   /* mov dx, 0xF4 */
    {5, 0x66, 0xBA, 0xF4, 0x00, 0xEF},             /* ... out dx, eax: would end QEMU */
    {6, 0xB8, 0x10, 0x00, 0x00, 0x00, 0x8E},       /* a kernel selector to a segment */
    {7, 0xB8, 0x10, 0x00, 0x00, 0x00, 0x8E, 0xD8}, /* ... ds */
    {7, 0xB8, 0x10, 0x00, 0x00, 0x00, 0x8E, 0xD0}, /* ... ss */
    {7, 0xB8, 0xFF, 0xFF, 0x00, 0x00, 0x8E, 0xE8}, /* ... a wild one to gs */
    {7, 0xEA, 0x00, 0x00, 0x10, 0xC0, 0x08, 0x00}, /* far jump to the kernel's code */
    {7, 0x9A, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00}, /* far call to what may be a TSS */
    {7, 0x9A, 0x00, 0x00, 0x00, 0x00, 0x28, 0x00},
    {7, 0x9A, 0x00, 0x00, 0x00, 0x00, 0x30, 0x00},
    {3, 0x31, 0xE4, 0x50},                         /* esp = 0, push */
    {6, 0xBC, 0x00, 0xF0, 0xFF, 0xFF, 0xCC},       /* esp into the directory, int3 */
    {7, 0xBC, 0x04, 0x00, 0x00, 0xC0, 0xCD, 0x80}, /* esp into the kernel, int 0x80 */
    {4, 0xC8, 0xFF, 0xFF, 0x1F},                   /* enter 0xFFFF, 31 */
    {3, 0x62, 0x04, 0x24},                         /* bound */
    {2, 0xDB, 0xE3},                               /* fninit */
    {3, 0x9B, 0xDD, 0x30},                         /* fnsave [eax] */
    {4, 0x0F, 0xAE, 0x0C, 0x24},                   /* fxrstor [esp] */
    {4, 0x0F, 0xAE, 0x14, 0x24},                   /* ldmxcsr [esp] */
    {2, 0xF3, 0xAA},                               /* rep stosb */
    {2, 0xEB, 0xFE},                               /* for ever */
    {2, 0x0F, 0xA2},                               /* cpuid */
    {3, 0x0F, 0x01, 0xCB},                         /* stac */
    {6, 0xF0, 0x0F, 0xC7, 0xC8, 0x90, 0x90},       /* the F00F bug */
};
enum { NASTY = sizeof nasty / sizeof nasty[0] };

static uint32_t random_state;

static uint32_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static uint32_t one_of(const uint32_t *values, unsigned count)
{
    return values[random_number() % count];
}
#define ONE_OF(values) one_of((values), sizeof(values) / sizeof((values)[0]))

/* ---- parts of a text; each returns where the next byte goes ---- */

static uint32_t stack_words[1024], *const stack_middle = stack_words + 512; /* ESP, often */
static uint32_t text_address;

static unsigned char *put_word(unsigned char *to, uint32_t word)
{
    memcpy(to, &word, sizeof word);
    return to + sizeof word;
}

/* What may stand in a segment register, or just not. */
static uint32_t random_selector(void)
{
    static const uint32_t known[] = {0,    3,    0x08, 0x10, 0x18, 0x1B, 0x1B, 0x1B, 0x20,
                                     0x23, 0x23, 0x23, 0x28, 0x33, 0x3B, 0x43, 0x48, 0x0F};
    return random_number() % 8 == 0 ? random_number() : ONE_OF(known);
}

static uint32_t random_address(void)
{
    const uint32_t known[] = {0,
                              text_address,
                              (uint32_t)(uintptr_t)stack_middle,
                              (uint32_t)(uintptr_t)stack_words,
                              0xBFFFFFFC,
                              0xC0000000,
                              0xC0100000 + (random_number() & 0xFFFFC),
                              0xC8000000 + (random_number() & 0xFFC),
                              0xFFFFF000,
                              0xFFFFFFFF};
    return random_number() % 4 == 0 ? random_number() : ONE_OF(known);
}

static uint32_t random_flags(void)
{
    enum { ALWAYS = 1u << 1, TRAP = 1u << 8, VM = 1u << 17, ALL = 0x3F7FD7 };
    uint32_t flags = (random_number() & ALL) | ALWAYS;
    if (random_number() % 4 != 0)
        flags &= ~(uint32_t)TRAP; /* or hardly anything would get farther than a step */
    return random_number() % 2 == 0 ? flags & ~(uint32_t)VM : flags;
}

/* mov eax, SELECTOR; mov SEGMENT, eax -- a few of them, SS seldom: most end there. */
static unsigned char *load_segments(unsigned char *to)
{
    static const uint32_t segments[] = {0xD8, 0xC0, 0xE0, 0xE8}; /* ds es fs gs */
    static const uint32_t good[] = {0, 0x1B, 0x23, 0x23, 0x3B, 0x43};
    for (unsigned i = random_number() % 4; i != 0; i--) {
        *to++ = 0xB8;
        to = put_word(to, random_number() % 8 == 0 ? random_selector() : ONE_OF(good));
        *to++ = 0x8E;
        *to++ = (unsigned char)(random_number() % 16 == 0 ? 0xD0 : ONE_OF(segments));
    }
    return to;
}

/* push FLAGS; popf; mov each register, VALUE */
static unsigned char *load_registers(unsigned char *to)
{
    enum { MOV = 0xB8, ESP = 4, REGISTERS = 8 };
    if (random_number() % 2 == 0) {
        *to++ = 0x68;
        to = put_word(to, random_flags());
        *to++ = 0x9D;
    }
    for (unsigned i = 0; i < REGISTERS; i++) {
        *to++ = (unsigned char)(MOV + i);
        if (i == ESP && random_number() % 4 != 0)
            to = put_word(to, (uint32_t)(uintptr_t)stack_middle);
        else
            to = put_word(to, random_number() % 2 == 0 ? random_number() : random_address());
    }
    return to;
}

static void fill(unsigned char *to, const unsigned char *end)
{
    while (to < end)
        *to++ = (unsigned char)(random_number() >> 11);
}

static void fill_behind_nasty(unsigned char *to, const unsigned char *end)
{
    const unsigned char *first = nasty[random_number() % NASTY];
    for (unsigned i = 1; i <= first[0] && to < end; i++)
        *to++ = first[i];
    fill(to, end);
}

static const uint32_t prefixes[] = {0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E,
                                    0x36, 0x3E, 0x26, 0x64, 0x65};
enum { PREFIXES = sizeof prefixes / sizeof prefixes[0], LOCK = 0xF0, CS_PREFIX = 0x2E };

static bool is_prefix(unsigned char byte)
{
    for (unsigned i = 0; i < PREFIXES; i++)
        if (prefixes[i] == byte)
            return true;
    return false;
}

/* QEMU (7.2, TCG) ends itself at LOCK BT, BTS, BTR or BTC of a register: no LOCK before any of
 * them. */
static void spare_qemu(unsigned char *first, const unsigned char *end)
{
    static const unsigned char bit_tests[] = {0xA3, 0xAB, 0xB3, 0xBA, 0xBB};
    for (unsigned char *byte = first; byte + 1 < end; byte++)
        if (byte[0] == 0x0F && memchr(bit_tests, byte[1], sizeof bit_tests) != NULL)
            for (unsigned char *before = byte; before > first && is_prefix(before[-1]); before--)
                if (before[-1] == LOCK)
                    before[-1] = CS_PREFIX;
}

/* Up to five prefixes, an opcode of one or two bytes, and what may be its operands. */
static void fill_with_instructions(unsigned char *to, const unsigned char *end)
{
    while (to < end) {
        for (unsigned i = random_number() % 6; i != 0 && to < end; i--)
            *to++ = (unsigned char)ONE_OF(prefixes);
        if (random_number() % 2 == 0 && to < end)
            *to++ = 0x0F;
        unsigned char *operands_end = to + 1 + random_number() % 7;
        fill(to, operands_end < end ? operands_end : end);
        to = operands_end;
    }
}

/* A stack for IRET in all its ways: EIP CS EFLAGS ESP SS, then ES DS FS GS. */
static void make_stack(uint32_t *words)
{
    for (unsigned i = 0; i < STACK_WORDS; i++)
        words[i] = random_selector();
    words[0] = random_address();
    words[2] = random_flags();
    words[3] = random_address();
}

/* iret, lret, lret N, popf and iret, with and without the short operand; then what faults. */
static void fill_with_return(unsigned char *to, const unsigned char *end)
{
    static const unsigned char returns[][4] = {
        {1, 0xCF}, {1, 0xCB}, {3, 0xCA, 0x04, 0x00}, {2, 0x9D, 0xCF}};
    enum { INT3 = 0xCC, SHORT_OPERAND = 0x66 };
    const unsigned char *chosen = returns[random_number() % 4];
    make_stack(stack_middle);
    if (random_number() % 4 == 0)
        *to++ = SHORT_OPERAND;
    for (unsigned i = 1; i <= chosen[0] && to < end; i++)
        *to++ = chosen[i];
    while (to < end)
        *to++ = INT3;
}

/* ---- a child ---- */

/* The program's own segments: data, whatever the limit. One of them it may hold in SS. */
static void make_segments(void)
{
    struct desc {
        uint32_t entry_number, base, limit, flags;
    } desc;
    for (uint32_t entry = 7; entry <= 8; entry++) {
        bool all = random_number() % 2 == 0;
        desc = (struct desc){
            .entry_number = entry,
            .base = all ? 0 : random_number(),
            .limit = all ? 0xFFFFF : random_number() & 0xFFFFF,
            .flags = 1 | (random_number() & 0x5A), /* 32-bit; down, read-only, in pages, useable */
        };
        syscall(SYS_set_thread_area, &desc);
    }
}

static void child(uint32_t seed)
{
    static void (*const kinds[])(unsigned char *, const unsigned char *) = {
        fill, fill_behind_nasty, fill_with_instructions, fill_with_return};
    random_state = seed * 2654435761u | 1;
    unsigned char *text = mmap(NULL, TEXT_BYTES + PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (text == MAP_FAILED || munmap(text + TEXT_BYTES, PAGE) != 0)
        _exit(1);
    unsigned length = seed / 4 % (BODY_BYTES_MAX + 1);
    unsigned body_bytes = length != 0 ? length : PAGE;
    unsigned char *body = text + TEXT_BYTES - body_bytes, prologue[PROLOGUE_BYTES_MAX];
    text_address = (uint32_t)(uintptr_t)body;
    size_t prologue_bytes = (size_t)(load_registers(load_segments(prologue)) - prologue);
    memcpy(body - prologue_bytes, prologue, prologue_bytes);
    kinds[seed % 4](body, text + TEXT_BYTES);
    spare_qemu(body, text + TEXT_BYTES);
    make_segments();
    for (int i = 0; i < 3; i++)
        close(i); /* its words are not for the console */
    __asm__ volatile("jmp *%0" : : "r"(body - prologue_bytes) : "memory");
}

/* Returns the wait status; a child that does not end is killed. */
static int await(pid_t pid)
{
    const struct timespec millisecond = {0, 1000000};
    int status;
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        for (int yields = 0; yields < 20; yields++) {
            if (waitpid(pid, &status, WNOHANG) == pid)
                return status;
            sched_yield();
        }
        nanosleep(&millisecond, NULL);
    }
    kill(pid, SIGKILL);
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 20261120;
    unsigned texts = argc > 2 ? strtoul(argv[2], NULL, 0) : 500;
    unsigned by_signal[65] = {0}, exits = 0, lost = 0, i;

    check_note("seed %u, %u texts", seed, texts);
    for (i = 0; i < texts; i++) {
        pid_t pid = fork();
        if (pid == 0)
            child(seed + i);
        int status = pid < 0 ? -1 : await(pid);
        if (status == -1)
            lost++;
        else if (WIFSIGNALED(status))
            by_signal[WTERMSIG(status)]++;
        else
            exits++;
        while (waitpid(-1, &status, WNOHANG) > 0) /* what a text forked */
            continue;
    }
    for (int signal = 1; signal <= 64; signal++)
        if (by_signal[signal] != 0)
            check_note("%u ended by %s", by_signal[signal], strsignal(signal));
    check_note("%u exits", exits);
    CHECK_THAT("the parent has seen every child end", lost == 0);
    CHECK_THAT("texts were refused what they tried", by_signal[SIGSEGV] > texts / 4);
    return check_end();
}
