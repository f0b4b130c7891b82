/* master/title: what ps shows. */
#ifndef GH_TITLE_H
#define GH_TITLE_H

/* Remember where the arguments lie and move the environment away. Once, first
 * thing in main(). */
void title_init(int argc, char **argv);
/* Set this process's title; cut to what the arguments took. */
void title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
