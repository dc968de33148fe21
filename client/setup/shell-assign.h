/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Words in the value of an assignment in a file that a shell reads, such as
 *
 *   GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"      # as shipped
 *   KERNEL_CMDLINE[default]+='nvme_load=YES'
 *
 * Everything but the words that are added stays byte for byte. */

#include "client/setup/words.h"

/* The words of the last assignment to name, which is the one that counts; an
 * empty list for an empty value. -ENOENT: none; -EBADMSG: quotes do not end, or
 * there is something that we cannot judge: an assignment under a condition, or
 * more than a comment behind its value. */
int shell_assign_words(const char *text, const char *name, char ***ret);
/* The text with these words at the end of that value, those left out that it has.
 * Without an assignment one is added at the end. Words with quotes, blanks or
 * what a shell would expand are -EINVAL. Owned by the caller. */
int shell_assign_add(const char *text, const char *name, char *const *words, char **ret);
