/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files that set-up writes into, each with its own grammar, all from one text:
 * whatever it is, the words that are added are read again, adding them once more
 * changes nothing, and all that was there stays byte for byte. */

#include <stdint.h>

#include "client/setup/block.h"
#include "client/setup/shell-assign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

/* The longer text is the shorter one with something put in at one place, or with
 * that and quotes around what stands before it. */
static void require_kept(const char *before, const char *after)
{
        size_t head = 0, tail = 0, length = strlen(before), longer = strlen(after);

        while (head < length && before[head] == after[head])
                head++;
        while (tail < length - head && before[length - tail - 1] == after[longer - tail - 1])
                tail++;
        require(longer >= length);
        require(strncmp(before + head, after + head + (after[head] == '"'), length - head - tail) == 0);
}

static void try_assignment(const char *text, const char *name)
{
        char *words[] = { (char *) "iommu=pt", (char *) "quiet", NULL };
        _autofree_ char *after = NULL, *again = NULL;
        _cleanup_(strv_freep) char **there = NULL;

        if (shell_assign_add(text, name, words, &after) < 0) {
                require(!after);
                return;
        }
        require_kept(text, after);
        require(shell_assign_words(after, name, &there) == 0);
        require(words_have(there, "iommu=pt") && words_have(there, "quiet"));
        require(shell_assign_add(after, name, words, &again) == 0 && streq(again, after));
}

static void try_block(const char *text)
{
        _autofree_ char *after = NULL, *again = NULL, *without = NULL, *once = NULL, *back = NULL;

        if (block_set(text, "vfio\n", &after) < 0) {
                require(!after);
                return;
        }
        require(block_set(after, "vfio\n", &again) == 0 && streq(again, after));
        require(block_set(after, NULL, &without) == 0);
        require(block_set(without, "vfio\n", &once) == 0);
        require(block_set(once, NULL, &back) == 0);
        /* but for the end of the last line, which the block needs */
        require(startswith(back, without) && strlen(back) <= strlen(without) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _autofree_ char *text = xcalloc(size + 1, 1);

        if (size > 0)
                memcpy(text, data, size);
        try_assignment(text, "GRUB_CMDLINE_LINUX_DEFAULT");
        try_assignment(text, "KERNEL_CMDLINE[default]");
        try_assignment(text, "A");
        try_block(text);
        return 0;
}
