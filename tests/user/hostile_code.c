/* SPDX-License-Identifier: MIT */
/*
 * User test. Random bytes as code, each text in a child of its own: whatever it does, it ends by a
 * signal, an exit, or the parent's patience; and the parent goes on. Every other text begins with an
 * instruction chosen to hurt. Not on Linux: what came out might be a system call.
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
#include <time.h>

enum { TEXT_BYTES = 4096, PATIENCE_MS = 30 };

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

/* Everything in the registers is random, too, but ESP: that is a text's own affair. */
static void run_text(unsigned char *text)
{
    uint32_t a = random_number(), b = random_number(), c = random_number(), d = random_number();
    __asm__ volatile("jmp *%0" : : "S"(text), "a"(a), "b"(b), "c"(c), "d"(d), "D"(text) : "memory");
}

static void child(uint32_t seed)
{
    random_state = seed * 2654435761u | 1;
    unsigned char *text = mmap(NULL, TEXT_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (text == MAP_FAILED)
        _exit(1);
    for (int i = 0; i < TEXT_BYTES; i++)
        text[i] = (unsigned char)(random_number() >> 11);
    if ((seed & 1) != 0) {
        const unsigned char *first = nasty[random_number() % NASTY];
        memcpy(text, first + 1, first[0]);
    }
    for (int i = 0; i < 3; i++)
        close(i); /* its words are not for the console */
    run_text(text);
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
