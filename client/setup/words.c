/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/words.h"

size_t words_count(char *const *words)
{
        size_t n = 0;

        while (words && words[n])
                n++;
        return n;
}

bool words_have(char *const *words, const char *word)
{
        for (; words && *words; words++)
                if (streq(*words, word))
                        return true;
        return false;
}

void words_take(char ***words, char *word)
{
        size_t n = words_count(*words);

        *words = xreallocarray(*words, n + 2, sizeof(**words));
        (*words)[n] = word;
        (*words)[n + 1] = NULL;
}

void words_add(char ***words, const char *word)
{
        words_take(words, xstrdup(word));
}

char **words_split(const char *text, const char *separators)
{
        char **words = xnew0(char *, 1);
        size_t n = 0;

        for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
                size_t length = strcspn(text, separators);

                words = xreallocarray(words, n + 2, sizeof(*words));
                words[n++] = xasprintf("%.*s", (int) length, text);
                words[n] = NULL;
                text += length;
        }
        return words;
}

char *words_join(char *const *words, const char *separator)
{
        char *all = xstrdup("");

        for (size_t i = 0; words && words[i]; i++) {
                char *longer = xasprintf("%s%s%s", all, i ? separator : "", words[i]);

                free(all);
                all = longer;
        }
        return all;
}
