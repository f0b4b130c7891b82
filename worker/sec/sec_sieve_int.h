/* sec_sieve_int: the automaton's parts, for the file that reads patterns and
 * the one that runs them. Positions (Glushkov): each byte or class of a
 * pattern is one; behind it come the positions of some lists. */
#ifndef GH_SEC_SIEVE_INT_H
#define GH_SEC_SIEVE_INT_H

#include "worker/sec/sec_sieve.h"

/* Beside the bytes: the place before the first, and that behind the last. */
#define SIEVE_BEGIN 256
#define SIEVE_END 257
#define SIEVE_SYMBOLS 258
#define SIEVE_SET_WORDS ((SIEVE_SYMBOLS + 63) / 64)

/* Symbols that a position takes. */
struct sieve_set {
	uint64_t w[SIEVE_SET_WORDS];
};

struct sieve_numbers {
	uint32_t *at;
	uint32_t n;
	uint32_t cap;
};

struct sieve_position {
	uint32_t set; /* index in sec_sieve.sets */
	int32_t pattern;
	bool is_last; /* a match may end with it */
	/* indexes in sec_sieve.lists: what may come next */
	struct sieve_numbers next;
};

struct sec_sieve {
	struct sieve_position *positions;
	uint32_t n_positions, cap_positions;
	struct sieve_set *sets; /* different ones */
	uint32_t n_sets, cap_sets;
	struct sieve_numbers *lists; /* of positions */
	uint32_t n_lists, cap_lists;
	struct sieve_numbers first; /* positions that a pattern begins with */
	uint32_t n_patterns;

	/* made by sec_sieve_done() */
	uint16_t class_of[SIEVE_SYMBOLS]; /* symbols that no set tells apart */
	uint16_t n_classes;
	uint8_t *takes; /* [set * n_classes + class] */
	struct sieve_numbers
	    *starts; /* by class: of `first`, those that take it */
};

void sieve_push(struct sieve_numbers *l, uint32_t n);
void sieve_set_add(struct sieve_set *s, unsigned symbol);
/* sec_sieve_read.c: write the pattern's positions behind those that are there,
 * as pattern number `number`. false: left out, with nothing changed. */
bool sieve_read(struct sec_sieve *s, span pattern, int32_t number);
/* sec_sieve_part.c: another position, of pattern `number`; its index. */
uint32_t sieve_position_add(
    struct sec_sieve *s, const struct sieve_set *set, int32_t number);
/* The same list of what comes next, for all of `last`. */
void sieve_link(struct sec_sieve *s, const struct sieve_numbers *last,
    const struct sieve_numbers *first);
/* sec_sieve_pm.c: as sieve_read(). */
bool sieve_read_phrases(
    struct sec_sieve *s, const struct sec_pm *pm, int32_t number);

#endif
