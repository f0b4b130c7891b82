/* exch/verdict: what a stage decides about an exchange. */
#ifndef GH_VERDICT_H
#define GH_VERDICT_H

enum verdict {
	VERDICT_NEXT, /* go on with the next stage */
	VERDICT_WAIT, /* something will exch_kick() it; the stage runs again */
	VERDICT_REPLY, /* an answer stands in x->resp */
	VERDICT_TUNNEL, /* bytes are relayed raw from now on */
	VERDICT_FAULT /* exch_fault() was called */
};

#endif
