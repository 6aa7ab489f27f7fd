/*
 * screenctl's messages to users, in Korean or English. The source contains the English messages, marked for
 * xgettext, and cli/po/ko.po their translations. The compiled catalogue is linked into the program, so the
 * program needs neither a file at run time nor a locale generated on the system. Codes and reasons on stderr,
 * field names and JSON are never translated; statuses in tables are.
 */
#ifndef SCREENING_CLI_MESSAGE_H
#define SCREENING_CLI_MESSAGE_H

/*
 * Chooses the language from the environment, as gettext does. The locale is the first of LC_ALL, LC_MESSAGES
 * and LANG that is set. No locale, C, POSIX and C.UTF-8 mean English. For other locales LANGUAGE, a list such
 * as "ko:en", overrides the locale's own language. The default is English. Call it once in main; until then
 * all messages are English.
 */
void message_choose(void);

/*
 * Returns the translation into the chosen language, or `english` itself if there is none or the language is
 * English.
 */
const char *message(const char *english) __attribute__((format_arg(1)));

/* _ translates the text here. N_ marks a text that is translated elsewhere. */
#define _(text)  message(text)
#define N_(text) text

#endif
