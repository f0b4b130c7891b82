/* store/decisions: what was decided about the requests of late, each with the
 * line of the configuration that decided: two rings that all workers write,
 * those that were let on and those that were refused or failed, so that the
 * many do not push out the few. Who meets a place that another process writes
 * does without. Knows nothing of HTTP. Protocol and repair: doc/shm.md 6.20. */
#ifndef GH_DECISIONS_H
#define GH_DECISIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* Requests of each kind that are kept. */
#define DECISIONS_KEPT 512u
/* Lines of one; what comes behind them is left out. */
#define DECISION_LINES 16u
/* Bytes of all texts of one. */
#define DECISION_TEXT 320u
/* Files of configurations that are known by name. */
#define DECISION_FILES 128u
#define DECISION_FILE_CAP 240u
/* No file, or one whose name is not known. */
#define DECISION_NO_FILE 0xffffu

enum decision_kind { DECISION_LET_ON, DECISION_REFUSED, DECISION_KINDS };

enum decision_word {
#define DECISION_WORD(id, word) DECISION_##id,
#include "common/store/decision_word.def"
#undef DECISION_WORD
	DECISION_WORDS
};

/* What was asked, in this order in front of the texts of the lines. */
enum decision_part {
	DECISION_ID, /* of the request */
	DECISION_METHOD,
	DECISION_HOST,
	DECISION_TARGET, /* without its query */
	DECISION_PARTS
};

struct decision_line {
	uint8_t word;
	uint8_t len; /* of its text */
	uint16_t file; /* decisions_file() */
	uint32_t line; /* in it, from 1; 0: nowhere */
};

struct decision {
	int64_t wall_us; /* when it was over, since 1970 */
	uint64_t took_us;
	struct ip client;
	uint32_t generation;
	uint16_t status; /* 0: there was no answer */
	uint16_t text_len;
	uint8_t has_client;
	uint8_t is_cut; /* lines or texts were left out */
	uint8_t n_lines;
	uint8_t n_parts;
	uint8_t part_len[DECISION_PARTS];
	struct decision_line lines[DECISION_LINES];
	char text[DECISION_TEXT];
};

struct decisions;

/* In the segment; may_make in the master only. NULL with errno. */
struct decisions *decisions_map(struct segment *s, bool may_make);
/* It needs memory of its own, once any generation keeps them. false: there is
 * none. Master only. */
bool decisions_ready(struct decisions *t, struct segment *s);

/* The number of a file, which gets one if it has none and there is room; else
 * DECISION_NO_FILE. It keeps it as long as the segment lives. */
uint16_t decisions_file(struct decisions *t, struct slot_name me, span path);
/* Its name; empty when there is none. Valid as long as the segment. */
span decisions_file_name(const struct decisions *t, uint16_t file);

/* The parts first, each once and in their order, then the lines. What does not
 * fit is cut. `d` was zeroed up to `lines` (decision_init()). */
void decision_init(struct decision *d);
void decision_add_part(struct decision *d, span text);
void decision_add_line(struct decision *d, enum decision_word word,
    uint16_t file, uint32_t line, span text);

/* Keep it. false: the place is being written by another process. */
bool decisions_note(struct decisions *t, struct slot_name me,
    enum decision_kind kind, const struct decision *d);
/* Of those that were not kept for that. */
uint64_t decisions_dropped(const struct decisions *t);

/* Those that are kept, the newest first. */
struct decisions_look {
	const struct decisions *t;
	uint64_t next[DECISION_KINDS]; /* serial numbers that come next */
	uint64_t end[DECISION_KINDS]; /* behind the last ones */
	bool is_held[DECISION_KINDS];
	struct decision held[DECISION_KINDS];
};

/* Of both kinds, or those that were refused alone. */
void decisions_look_init(
    struct decisions_look *l, const struct decisions *t, bool only_refused);
/* *out is whole: its lengths are within its texts. false: no more. */
bool decisions_look_next(struct decisions_look *l, struct decision *out);
span decision_part_text(const struct decision *d, enum decision_part part);
/* The text of line i. */
span decision_line_text(const struct decision *d, uint32_t i);
const char *decision_word_text(uint8_t word);

/* Mend what a dead process left. Steward only; may be repeated. */
void decisions_repair(struct decisions *t, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool decisions_check(const struct decisions *t);

#endif
