/* sec_sieve_read: what the files that read a pattern share: the reader, and
 * parts of a pattern as sets of positions (Glushkov). */
#ifndef GH_SEC_SIEVE_READ_H
#define GH_SEC_SIEVE_READ_H

#include "worker/sec/sec_sieve_int.h"

struct sieve_reader {
	struct sec_sieve *s;
	const char *p;
	const char *end;
	int32_t number;
	uint32_t first_position;
	bool folds, is_dot_all, is_multiline;
	bool is_bad; /* cannot be expressed */
	int depth;
	uint32_t n_atoms;
	bool is_at_start; /* nothing of the pattern comes before */
	uint8_t ends; /* of the text, that may have been taken before: bits */
};

/* A part of a pattern. */
struct sieve_part {
	struct sieve_numbers first, last;
	/* Where alternatives end that are cut off from what comes next, while
	 * others are not: who is there needs no more. */
	struct sieve_numbers loose;
	bool is_optional; /* matches the empty text */
	/* What was beside it there is cut off: it cannot be joined. */
	bool is_cut_before, is_cut_behind;
	uint32_t weight; /* bits that a text which it takes has, at least */
	uint32_t loose_weight; /* of a text that comes to a loose end */
	uint32_t breadth; /* bytes that it takes, if it is one class; else 0 */
};

/* sec_sieve_part.c; what is used up is given back. */
void sieve_numbers_add(
    struct sieve_numbers *to, const struct sieve_numbers *from);
void sieve_part_fini(struct sieve_part *p);
void sieve_set_range(struct sieve_set *s, unsigned from, unsigned to);
void sieve_set_invert(struct sieve_set *s);
void sieve_set_fold(struct sieve_set *s);
struct sieve_part sieve_part_of_set(
    struct sieve_reader *r, const struct sieve_set *set);
struct sieve_part sieve_part_of_symbol(struct sieve_reader *r, unsigned symbol);
struct sieve_part sieve_part_empty(void);
/* ^ or $. Its symbol comes once: where it may have been taken, another one is
 * taken as held. */
struct sieve_part sieve_part_of_anchor(struct sieve_reader *r, unsigned symbol);
/* a then b; both are used up. */
struct sieve_part sieve_part_then(
    struct sieve_reader *r, struct sieve_part a, struct sieve_part b);
struct sieve_part sieve_part_or(struct sieve_part a, struct sieve_part b);
/* Cut off what comes next: loose ends are ends like the others then. */
void sieve_part_cut_behind(struct sieve_part *p);
/* Any text: a cut. */
struct sieve_part sieve_part_anything(void);
void sieve_set_add_word(struct sieve_set *s);
/* \d \w \s \h \v and their opposites; false when it is none of them. */
bool sieve_set_of_letter(char letter, struct sieve_set *out);
/* The byte that an escape with this letter stands for; -1: it is no byte. */
int sieve_escape_byte(struct sieve_reader *r, char c);
/* \0 and up to two octal digits, in or outside a class. */
int sieve_read_octal(struct sieve_reader *r);
struct sieve_part sieve_read_class(struct sieve_reader *r);

#endif
