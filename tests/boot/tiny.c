/* SPDX-License-Identifier: MIT */
/*
 * A program without a C library, for a machine of 4 MiB: it says a line and exits with 7.
 */
enum { CALL_EXIT = 1, CALL_WRITE = 4, STDOUT = 1 };

static int call(int number, int first, const void *second, unsigned third)
{
    int result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "0"(number), "b"(first), "c"(second), "d"(third)
                     : "memory");
    return result;
}

void _start(void)
{
    static const char text[] = "tiny: here\n";
    call(CALL_WRITE, STDOUT, text, sizeof(text) - 1);
    call(CALL_EXIT, 7, 0, 0);
}
