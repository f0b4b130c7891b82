"""What honest people and programs send (lib.benign) goes through the rules of
the Core Rule Set, at level 1 as they come. The share that is refused is printed,
and of each refusal the rules and what they saw (pytest -s). GH_BENIGN says how
many requests; 10000 are the whole corpus. GH_CRS4 names a folder of CRS 4, which
is asked, too; GH_LEVEL is a level above 1, at which rules only tell."""
import os
import re

import pytest

from lib import benign, modsec, parity
from lib.origin import OK

N = int(os.environ.get("GH_BENIGN", "400"))
LEVEL = int(os.environ.get("GH_LEVEL", "1"))
SETS = modsec.rule_sets()
# Rules of the set take some words of shells, of SQL and of languages that are
# not written in Latin letters for what they are not, here as in any engine; of
# the detectors, which are our own, hardly any honest text may be one.
DETECTED_MAX = 0.002


def told(case, rules):
    said = [f"{rule} {message.split(' found within')[0]!r}"
            for rule, messages in sorted(rules.items())
            if not parity.is_sum(rule) for message in messages or [""]]
    return "\n".join([f"  {case.name}",
                      *(f"    {line[:200]}" for line in said)])


@pytest.mark.skipif(not SETS, reason="no modsecurity-crs")
@pytest.mark.parametrize("rules", SETS, ids=lambda s: s.name)
def test_honest_requests_go_through(gatehouse, origin, rules):
    o = origin(lambda conn, request: conn.send(OK))
    cases = benign.cases(N)
    mode = "block" if LEVEL == 1 else "detect"
    sent = parity.of_gatehouse(gatehouse, o.address, rules, LEVEL, cases, mode)
    refused = [(case, rules_of) for case, rules_of, status in
               zip(cases, sent.rules, sent.statuses) if status != 200]
    print(f"\nCRS {rules.name}, level {LEVEL}: {len(refused)} of {N} refused "
          f"({100 * len(refused) / N:.2f} %)")
    print("\n".join(told(*one) for one in refused))
    assert all(rules_of for _, rules_of in refused), "refused by no rule"
    detectors = rules.rules_with(parity.DETECTORS)
    detected = [case.name for case, rules_of in zip(cases, sent.rules)
                if detectors & set(rules_of)]
    print(f"detectors: {len(detected)} of {N}: {detected}")
    assert len(detected) <= max(1, DETECTED_MAX * N)


def test_the_same_seed_makes_the_same_requests():
    first, again, other = (
        [case.request for case in benign.cases(50, seed)] for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert all(re.match(rb"[A-Z]+ /\S* HTTP/1\.1\r\n", one) for one in first)
