/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/usage.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

/* Not VmRSS of status, which the kernel keeps only roughly. */
static uint64_t resident_kb(pid_t pid)
{
        char path[64], line[128];
        uint64_t kb = 0;
        FILE *f;

        (void) snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int) pid);
        f = fopen(path, "re");
        if (!f)
                return 0;
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "Rss: %" SCNu64, &kb) == 1)
                        break;
        (void) fclose(f);
        return kb;
}

static void add_status(const char *folder, struct usage *u)
{
        char path[320], line[128];
        uint64_t value;
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/status", folder);
        f = fopen(path, "re");
        if (!f)
                return;
        while (fgets(line, sizeof(line), f)) {
                if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &value) == 1)
                        u->waits += value;
                else if (sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &value) == 1)
                        u->preempted += value;
        }
        (void) fclose(f);
}

static void add_schedstat(const char *folder, struct usage *u)
{
        uint64_t value;
        char path[320];
        FILE *f;

        (void) snprintf(path, sizeof(path), "%s/schedstat", folder);
        f = fopen(path, "re");
        if (!f)
                return;
        if (fscanf(f, "%" SCNu64, &value) == 1)
                u->cpu_ns += value;
        (void) fclose(f);
}

struct usage usage_read(pid_t pid)
{
        struct usage u = { .rss_kb = resident_kb(pid) };
        const struct dirent *entry;
        char tasks[64], folder[288];
        DIR *dir;

        (void) snprintf(tasks, sizeof(tasks), "/proc/%d/task", (int) pid);
        dir = opendir(tasks);
        while (dir && (entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                (void) snprintf(folder, sizeof(folder), "%s/%.200s", tasks, entry->d_name);
                add_status(folder, &u);
                add_schedstat(folder, &u);
        }
        if (dir)
                (void) closedir(dir);
        return u;
}
