#include "message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The little-endian .mo file that msgfmt compiles from cli/po/ko.po. */
extern const unsigned char MESSAGES_KO[];

/*
 * Offsets in the header of a .mo file: of the number of strings, and of the offsets of the two tables. Each
 * table has one entry (length, offset) per string.
 */
enum { MO_COUNT = 8, MO_ORIGINALS = 12, MO_TRANSLATIONS = 16, MO_ENTRY_SIZE = 8 };

static bool korean;

/* ---- the language ---- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value == NULL ? "" : value;
}

/* Returns whether `name`, up to the first character that is in `ends`, equals `word`. */
static bool is_word(const char *name, const char *word, const char *ends)
{
    size_t length = strcspn(name, ends);
    return length == strlen(word) && strncmp(name, word, length) == 0;
}

/* Returns whether the first supported language of the list is Korean. */
static bool list_says_korean(const char *list)
{
    while (list[0] != '\0') {
        if (is_word(list, "ko", "_.@:"))
            return true;
        if (is_word(list, "en", "_.@:") || is_word(list, "C", ":"))
            return false;
        list += strcspn(list, ":");
        list += list[0] == ':' ? 1 : 0;
    }
    return false;
}

void message_choose(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    const char *locale = "";
    for (size_t i = 0; locale[0] == '\0' && i < sizeof names / sizeof names[0]; i++)
        locale = environment(names[i]);
    const char *list = environment("LANGUAGE");
    bool none = locale[0] == '\0' || is_word(locale, "C", ".") || is_word(locale, "POSIX", ".");
    korean = !none && list_says_korean(list[0] != '\0' ? list : locale);
}

/* ---- the catalogue ---- */

static uint32_t number_at(size_t at)
{
    const unsigned char *bytes = MESSAGES_KO + at;
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Returns string `i` of the table whose offset is stored in the header at `table`. */
static const char *text_at(size_t table, uint32_t i)
{
    size_t entry = number_at(table) + (size_t)i * MO_ENTRY_SIZE;
    return (const char *)MESSAGES_KO + number_at(entry + sizeof(uint32_t));
}

const char *message(const char *english)
{
    uint32_t low = 0, high = korean ? number_at(MO_COUNT) : 0;
    while (english[0] != '\0' && low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(english, text_at(MO_ORIGINALS, middle));
        if (order == 0)
            return text_at(MO_TRANSLATIONS, middle);
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return english;
}
