/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The layers above, asked one after another (process/client.h).
 */
#include <process/client.h>

#include <device/block.h>
#include <process/schedule.h>
#include <process/signal.h>

/* Disks know no processes, and can't register themselves: a tick sees what no interrupt says. */
PROCESS_CLIENT(06, .poll = block_poll);

void process_clients_poll(void)
{
    for (const struct process_client *client = process_clients_first; client < process_clients_end;
         client++)
        if (client->poll != NULL)
            client->poll();
}

void process_clients_ended(const struct process *zombie)
{
    for (const struct process_client *client = process_clients_first; client < process_clients_end;
         client++)
        if (client->ended != NULL)
            client->ended(zombie);
}

void process_clients_rare_work(void)
{
    for (const struct process_client *client = process_clients_first; client < process_clients_end;
         client++)
        if (client->rare_work != NULL)
            client->rare_work();
}

/* Nobody runs any more, and nobody holds a file: what is mounted can be taken away. */
static void end_all_processes(void)
{
    struct process *process = NULL;
    process_set_reaper(0);
    process_put_aside();
    while ((process = process_next(process)) != NULL)
        if (process->state != PROCESS_ZOMBIE)
            process_exit(process, SIGKILL);
    process_finish_exits();
    while ((process = process_next(NULL)) != NULL)
        process_reap(process);
}

void process_clients_stop(void)
{
    end_all_processes();
    for (const struct process_client *client = process_clients_first; client < process_clients_end;
         client++)
        if (client->stop != NULL)
            client->stop();
}
