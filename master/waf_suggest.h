/* master/waf_suggest: lines of an audit log as `exclude` lines of a [waf]: for
 * each rule, what it looked at and where, with how often and a sample. */
#ifndef GH_WAF_SUGGEST_H
#define GH_WAF_SUGGEST_H

#include <stdbool.h>
#include <stdio.h>

/* Bytes of a line of the log; the daemon writes 32 KiB at most. */
#define WAF_SUGGEST_LINE_MAX 65536u
/* Different exclusions; hits of further ones are only counted. */
#define WAF_SUGGEST_MAX 4096u

/* Read the log to its end, and write what may be excluded, most hits first.
 * Requests that were refused are left out unless is_all. Nothing in the log is
 * believed: what is no such line is counted and told at the end. false: it
 * could not be read. */
bool waf_suggest_run(FILE *log, bool is_all, FILE *out);

#endif
