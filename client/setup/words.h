/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lists of words: arrays of strings that end with NULL, as root_list() gives
 * them. NULL is the empty list. Free with strv_free(). */

#include "client/setup/root.h"

size_t words_count(char *const *words);
bool words_have(char *const *words, const char *word);
/* Appends a word, which the list owns from now on. */
void words_take(char ***words, char *word);
/* Appends a copy. */
void words_add(char ***words, const char *word);
/* The pieces of text between any of the separators, without empty ones; owned by the caller. */
char **words_split(const char *text, const char *separators);
/* All of them with the separator between; owned by the caller. */
char *words_join(char *const *words, const char *separator);
