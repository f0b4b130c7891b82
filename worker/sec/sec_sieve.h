/* sec_sieve: many patterns in one pass over a text. It tells which of them may
 * match: never too few, sometimes too many; who wants to be sure asks the
 * pattern itself. The automaton is deterministic and made while texts come, in
 * bounded memory and time: a text cannot make it large, only useless for that text.
 *
 * Patterns are PCRE's. What an automaton cannot express is taken as wider than
 * it is (assertions hold, a reference matches anything) or left out. */
#ifndef GH_SEC_SIEVE_H
#define GH_SEC_SIEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* Bytes and classes that one pattern may hold when its repetitions are written
 * out; a larger one is left out. */
#define SEC_SIEVE_PATTERN_MAX 30000u
/* Groups inside groups. */
#define SEC_SIEVE_DEPTH_MAX 64

struct sec_pm;
struct sec_sieve;
struct sec_sieve_memo;

struct sec_sieve *sec_sieve_new(void);
/* NULL is allowed. */
void sec_sieve_free(struct sec_sieve *s);
/* The pattern's number, from 0 without gaps; -1 when it is left out: it cannot
 * be expressed, or matches everywhere. */
int32_t sec_sieve_add(struct sec_sieve *s, span pattern);
/* The same of phrases, any of which is to be found. */
int32_t sec_sieve_add_phrases(struct sec_sieve *s, const struct sec_pm *pm);
/* All patterns are there: from now on it is read-only. */
void sec_sieve_done(struct sec_sieve *s);
uint32_t sec_sieve_count(const struct sec_sieve *s);
/* Bytes and classes of all patterns. */
uint32_t sec_sieve_size(const struct sec_sieve *s);

/* What one process found out of the automaton so far, in at most `bytes`. */
struct sec_sieve_memo *sec_sieve_memo_new(
    const struct sec_sieve *s, size_t bytes);
/* NULL is allowed. */
void sec_sieve_memo_free(struct sec_sieve_memo *m);
/* How often the memory was full and begun anew. */
uint64_t sec_sieve_memo_fills(const struct sec_sieve_memo *m);

/* Set the bits of patterns that may match somewhere in the text; `bits` has a
 * bit for each and is not cleared. When too much of the automaton is not known
 * yet for this text all bits are set. */
void sec_sieve_run(struct sec_sieve_memo *m, span text, uint64_t *bits);

#endif
