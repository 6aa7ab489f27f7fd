/*
 * What screenctl says to people, in Korean or English. Written in English in the source, marked for xgettext;
 * cli/po/ko.po translates, and its compiled catalogue is part of the program, so that it needs no file at run
 * time and no locale that the system would have to have generated. Codes and reasons on stderr, names of
 * fields and JSON are never translated; statuses in tables are (words.h).
 */
#ifndef SCREENING_CLI_MESSAGE_H
#define SCREENING_CLI_MESSAGE_H

/*
 * Chooses the language as gettext does, by the environment: the locale is LC_ALL, else LC_MESSAGES, else
 * LANG; in no locale, C, POSIX and C.UTF-8 it is English; else LANGUAGE, a list such as "ko:en", goes before
 * the locale's own language. English if neither is Korean. Call once in main; until then all is English.
 */
void message_choose(void);

/* The text in the chosen language; the text itself where that is English or has no translation. */
const char *message(const char *english) __attribute__((format_arg(1)));

/* Translates here; marks a text that is translated elsewhere. */
#define _(text)  message(text)
#define N_(text) text

#endif
