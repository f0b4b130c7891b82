"""Rule by rule as ModSecurity 2.9: the same requests go to both, under the same
files, and the rules that logged are compared, request by request.

    GH_PARITY=10000 GH_CRS4=FOLDER t/run-conform -s -k parity

sends 10000 honest requests (lib.benign), and the corpus of attacks that lies in
GH_CRS4's tests/, at the levels that GH_LEVELS names (1 and 4); and 10000 odd ones
(lib.probes), of which every variable and every transformation must be the same.
It needs Debian's libapache2-mod-security2 (./bootstrap deps bench), and takes
minutes; without GH_PARITY there is nothing to run. What differs is printed.
Requests that one of the two refuses as no HTTP are counted apart, and so are those
that only detectSQLi and detectXSS tell apart: the detectors of gatehouse are its
own (doc/waf.md)."""
import os
import pathlib

import pytest

from lib import benign, modsec, parity, probes
from lib.origin import OK

N = int(os.environ.get("GH_PARITY", "0"))
LEVELS = [int(one) for one in os.environ.get("GH_LEVELS", "1 4").split()]
SETS = modsec.rule_sets()
ATTACKS = pathlib.Path(os.environ.get("GH_CRS4", "/nonexistent")) / "tests"
DIFFERENT_MAX = 0.001
ODD_MAX = 0.01

pytestmark = [
    pytest.mark.skipif(N == 0, reason="GH_PARITY is not set"),
    pytest.mark.skipif(not modsec.MODULE.exists(),
                       reason="no libapache2-mod-security2")]


def attacks(crs):
    return [benign.Case(stage.name, stage.request())
            for stage in crs.stages(ATTACKS)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rules", SETS, ids=lambda s: s.name)
def test_the_same_rules_log(gatehouse, origin, rules, level):
    crs = pytest.importorskip("lib.crs")
    o = origin(crs.answered)
    cases = benign.cases(N) + attacks(crs)
    ours = parity.of_gatehouse(gatehouse, o.address, rules, level, cases)
    theirs = parity.of_apache(o.address, rules, level, cases)
    whole = parity.Comparison(rules, cases, ours, theirs)
    print(f"\nCRS {rules.name}, level {level}\n{whole.told()}")
    assert len(whole.kinds["different"]) <= DIFFERENT_MAX * whole.judged()


def test_variables_and_transformations_are_the_same(gatehouse, origin):
    o = origin(lambda conn, request: conn.send(OK))
    with parity.folder_for_all() as folder:
        rules = probes.rule_set(folder)
        cases = probes.cases(N)
        ours = parity.of_gatehouse(gatehouse, o.address, rules, 1, cases)
        theirs = parity.of_apache(o.address, rules, 1, cases)
    odd = probes.Comparison(cases, ours, theirs)
    print(f"\n{odd.told()}")
    assert odd.n_alike >= (1 - ODD_MAX) * odd.n_judged
