"""bench/measure: starts proxies, loads them, and tells what it cost: what all
scripts of bench/ share. Knows no proxy; what a case is, cases.py says."""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from peers import PEM, TOP, Failure

BENCH = TOP / "bench"
TOOLS = {"origin": ["origin.c", "wire.c"],
         "load": ["load.c", "client.c", "secure.c", "wire.c"]}
LIBS = {"origin": [], "load": ["-lssl", "-lcrypto"]}
START_S = 10
WARM_MS = 300

COLUMNS = [("cpu_us", "cpu us", 2), ("rps", "req/s", 0),
           ("p50_us", "p50 us", 0), ("p99_us", "p99 us", 0),
           ("syscalls", "sys/req", 2), ("wait_percent", "wait %", 1),
           ("errors", "errors", 0)]


class Process:
    """A program pinned on one CPU; ended with all its children."""

    def __init__(self, argv, cpu, where, stdin=subprocess.DEVNULL):
        self.where = where
        with open(where / "stdout", "wb") as out, \
                open(where / "stderr", "wb") as err:
            self.popen = subprocess.Popen(
                [str(a) for a in argv], stdin=stdin, stdout=out, stderr=err,
                preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))

    def pids(self):
        """This process and all that descend from it, but for nginx's cache
        loader, which looks once for what an earlier run left, and ends."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                fields = stat.rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
        found = [self.popen.pid]
        for pid in found:
            found += [p for p, parent in parents.items() if parent == pid]
        return [pid for pid in found if not is_loader(pid)]

    def usage(self):
        """{(pid, tid): (CPU seconds, seconds ready but not running)}"""
        times = {}
        try:
            for pid in self.pids():
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    times[pid, task.name] = task_usage(task)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise Failure("a process of the proxy ended while measured:\n"
                          + self.complaint()) from error
        return times

    def private(self):
        """Bytes of private memory of all processes."""
        total = 0
        for pid in self.pids():
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(int(kb) for kb in re.findall(
                r"^Private_(?:Clean|Dirty):\s+(\d+) kB", text, re.M))
        return total * 1024

    def complaint(self):
        texts = [(self.where / n).read_text(errors="replace")
                 for n in ("stderr", "stdout", "start.log", "error.log")
                 if (self.where / n).exists()]
        return "\n".join("".join(texts).splitlines()[-12:])

    def end(self):
        if self.popen.poll() is not None:
            return
        pids = self.pids()
        self.popen.terminate()
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.popen.wait()


def is_loader(pid):
    try:
        title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return title.startswith(b"nginx: cache loader")


def task_usage(task):
    """CPU and waiting seconds; coarse, by ticks, without schedstat."""
    if (task / "schedstat").exists():
        ran, waited, _ = (task / "schedstat").read_text().split()
        return int(ran) / 1e9, int(waited) / 1e9
    fields = (task / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK"), 0.0


def spent(before, after):
    """CPU and waiting seconds between two usage() of one proxy."""
    lost = set(before) - set(after)
    if lost:
        raise Failure(f"a process of the proxy ended while measured: {lost}")
    none = (0.0, 0.0)
    return tuple(sum(after[k][i] - before.get(k, none)[i] for k in after)
                 for i in (0, 1))


class Bench:
    """Starts and loads the proxies of `cases`; its files lie below `folder`."""

    def __init__(self, options, cases, folder=None):
        self.cases = cases
        self.options = options
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-bench.",
                                                 dir=folder))
        self.dir.chmod(0o755)  # a proxy may drop its privileges
        self.running = []
        self.serial = 0
        self.origin = self.origin_port = None
        self.counter = syscall_counter(options.count_with)

    def folder(self, name):
        self.serial += 1
        where = self.dir / f"{self.serial}-{name}"
        where.mkdir()
        return where

    def start(self, argv, cpu, where):
        process = Process(argv, cpu, where)
        self.running.append(process)
        return process

    def end(self, process):
        process.end()
        self.running.remove(process)

    def close(self):
        for process in reversed(self.running):
            process.end()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start_origin(self):
        where = self.folder("origin")
        argv = [BENCH / "origin", "0"]
        self.origin = self.start(argv, self.options.load_cpu, where)
        until = time.monotonic() + START_S
        while not (text := (where / "stdout").read_text()).endswith("\n"):
            if self.origin.popen.poll() is not None or \
                    time.monotonic() > until:
                raise Failure("bench/origin: " + self.origin.complaint())
            time.sleep(0.01)
        self.origin_port = int(text)

    def make_certificate(self):
        """ECDSA on P-256, as most sites have it."""
        pem = self.dir / PEM
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=bench.example", "-addext", "subjectAltName=DNS:bench.example",
             "-keyout", f"{pem}.key", "-out", f"{pem}.crt"],
            check=True, capture_output=True)
        pem.write_bytes((self.dir / f"{PEM}.crt").read_bytes() +
                        (self.dir / f"{PEM}.key").read_bytes())

    def start_proxy(self, proxy, case):
        name, binary, files = proxy
        where, port = self.folder(name), free_port()
        text, args = files(where, port, self.origin_port, self.cases[case])
        conf = where / "conf"
        conf.write_text(text)
        argv = [binary, *args, conf]
        process = self.start(argv, self.options.proxy_cpu, where)
        process.port = port
        until = time.monotonic() + START_S
        while not can_connect(port):
            if process.popen.poll() is not None or time.monotonic() > until:
                raise Failure(f"{name} does not start:\n{process.complaint()}")
            time.sleep(0.02)
        warm = self.load(process, case, ["-t", str(WARM_MS)])
        if warm["errors"] or not warm["requests"]:
            raise Failure(f"{name} does not serve case {case}: {warm}\n"
                          f"{process.complaint()}")
        return process

    def load_argv(self, process, case, bound):
        args = list(self.cases[case].load)
        if "-c" not in args and "-c" not in bound:
            args += ["-c", str(self.options.connections)]
        return [str(BENCH / "load"), *args, *bound, "-k",
                str(self.options.load_cpu), f"127.0.0.1:{process.port}"]

    def load(self, process, case, bound, prefix=()):
        if self.cases[case].by == "h2load":
            return self.h2load(process, case, bound, prefix)
        argv = [*prefix, *self.load_argv(process, case, bound)]
        out = subprocess.run(argv, stdout=subprocess.PIPE, text=True,
                             check=False).stdout
        try:
            return json.loads(out.splitlines()[0])
        except (IndexError, ValueError) as error:
            raise Failure(f"no result from {' '.join(argv)}") from error

    def h2load(self, process, case, bound, prefix):
        """What bench/load would print, of h2load's figures. It counts whole
        seconds; percentiles it has none."""
        *args, path = self.cases[case].load
        what, number = bound
        if what == "-t":
            what, number = "-D", str(max(1, int(number) // 1000))
        argv = [*prefix, "h2load", *args, what, number,
                f"https://127.0.0.1:{process.port}{path}"]
        out = subprocess.run(argv, stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.STDOUT, check=False).stdout
        rate = re.search(r"^finished in ([\d.]+)(m?s), ([\d.]+) req/s", out,
                         re.M)
        of = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, "
                       r"(\d+) errored", out)
        good = re.search(r"status codes: (\d+) 2xx", out)
        if not rate or not of or not good:
            raise Failure(f"no result from {' '.join(map(str, argv))}:\n{out}")
        seconds = float(rate[1]) / (1000 if rate[2] == "ms" else 1)
        served = int(good[1])
        # an answer that has begun at the end of the time is not done
        others = max(0, int(of[1]) - served)
        return {"requests": served, "seconds": seconds, "rps": float(rate[3]),
                "errors": int(of[3]) + int(of[4]) + others,
                "p50_us": None, "p99_us": None}

    def measure(self, process, case):
        before = process.usage()
        got = self.load(process, case,
                        ["-t", str(int(self.options.seconds * 1000))])
        cpu, waited = spent(before, process.usage())
        if got["requests"] == 0:
            raise Failure(f"case {case}: no request was answered: {got}")
        n_first = 2 * self.options.connections
        if "-R" in self.cases[case].load and \
                got["resumed"] + n_first < got["requests"]:
            raise Failure(f"case {case}: {process.where}: not resumed: {got}")
        return {"cpu_us": cpu * 1e6 / got["requests"],
                "rps": got["rps"], "p50_us": got["p50_us"],
                "p99_us": got["p99_us"], "errors": got["errors"],
                "wait_percent": 100 * waited / got["seconds"]}

    def count_syscalls(self, process, case):
        if self.counter is None:
            return None
        bound = ["-n", str(self.cases[case].counted)]
        report = process.where / "syscalls"
        pids = process.pids()
        if self.counter == "perf":
            prefix = ["perf", "stat", "-x,", "-o", str(report), "-e",
                      "raw_syscalls:sys_enter", "-p", ",".join(map(str, pids)),
                      "--"]
            got = self.load(process, case, bound, prefix)
            found = re.findall(r"^(\d+),", report.read_text(), re.M)
        else:
            got = self.strace(process, case, bound, pids, report)
            found = re.findall(r"^100\.00\s+\S+\s+\d+\s+(\d+)\s.*total$",
                               report.read_text(), re.M)
        if not found or not got["requests"]:
            return None
        return int(found[0]) / got["requests"]

    def strace(self, process, case, bound, pids, report):
        args = [a for pid in pids for a in ("-p", str(pid))]
        tracer = subprocess.Popen(
            ["strace", "-c", "-f", "-o", str(report), *args],
            stderr=subprocess.PIPE, text=True)
        try:
            for _ in pids:
                tracer.stderr.readline()  # "Process N attached"
            return self.load(process, case, bound)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()

    def run_rounds(self, case, started):
        rounds = {name: [] for name in started}
        for i in range(self.options.rounds):
            for name in rotated(list(started), i):
                rounds[name].append(self.measure(started[name], case))
        return rounds

    def measure_afresh(self, proxy, case):
        """Of a process of its own, the better of two measurements: where the
        memory of a process happens to lie can cost more than what is asked."""
        process = self.start_proxy(proxy, case)
        runs = [self.measure(process, case) for _ in range(2)]
        self.end(process)
        return min(runs, key=lambda run: run["cpu_us"])

    def run_afresh(self, case, proxies):
        """As run_case(), with new processes in every round and no calls counted."""
        rounds = {p[0]: [] for p in proxies}
        for i in range(self.options.rounds):
            for proxy in rotated(proxies, i):
                rounds[proxy[0]].append(self.measure_afresh(proxy, case))
        return rounds

    def run_case(self, case, proxies):
        started = {p[0]: self.start_proxy(p, case) for p in proxies}
        rounds = self.run_rounds(case, started)
        calls = {name: self.count_syscalls(process, case)
                 for name, process in started.items()}
        for process in started.values():
            self.end(process)
        return rounds, calls


def rotated(things, by):
    by %= len(things)
    return things[by:] + things[:by]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def syscall_counter(wish):
    """perf if it may count tracepoints of a process, else strace, else None."""
    if wish != "perf" and wish is not None:
        return None if wish == "none" else wish
    if shutil.which("perf"):
        probe = subprocess.run(
            ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"],
            capture_output=True, text=True, check=False)
        if re.search(r"^\d+,", probe.stderr, re.M):
            return "perf"
    return "strace" if shutil.which("strace") else None


def build_tools():
    """bench/origin and bench/load: by make in a configured tree, else by cc."""
    if (TOP / "Makefile").exists():
        made = subprocess.run(["make", "-s", "-C", TOP, "bench/origin",
                               "bench/load"], check=False)
        if made.returncode:
            raise Failure("make bench/origin bench/load failed")
        return
    newest = max(p.stat().st_mtime for p in BENCH.glob("*.[ch]"))
    for name, parts in TOOLS.items():
        tool = BENCH / name
        if tool.exists() and tool.stat().st_mtime > newest:
            continue
        subprocess.run(["cc", "-O2", "-std=c11", "-D_GNU_SOURCE", f"-I{TOP}",
                        "-o", tool, *(BENCH / p for p in parts), *LIBS[name]],
                       check=True)


def machine_facts(options):
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.M)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"cpu": model.group(1) if model else platform.machine(),
            "cpus": os.cpu_count(), "proxy_cpu": options.proxy_cpu,
            "load_cpu": options.load_cpu, "kernel": platform.release(),
            "memory_gib": round(pages / 2**30, 1),
            "load_average": [round(v, 2) for v in os.getloadavg()]}


def summary(rounds, calls):
    """Per proxy: the median of each figure, errors and losses summed."""
    out = {}
    for name, runs in rounds.items():
        out[name] = {key: statistics.median(r[key] for r in runs)
                     for key in runs[0] if runs[0][key] is not None}
        for key in ("errors", "lost"):
            if key in runs[0]:
                out[name][key] = sum(r[key] for r in runs)
        if calls:
            out[name]["syscalls"] = calls[name]
    return out


def ratio_to(rounds, medians, key, peers):
    """gatehouse beside that of the peers whose median is least, or None."""
    if "gatehouse" not in medians or not peers:
        return None
    best = min(peers, key=lambda name: medians[name][key])
    if medians[best][key] <= 0:
        return None
    each = [g[key] / p[key] for g, p in zip(rounds["gatehouse"], rounds[best])
            if p[key] > 0]
    return {"peer": best, "ratio": medians["gatehouse"][key] /
            medians[best][key], "least": min(each), "most": max(each)}


def print_table(columns, medians):
    print("  " + f"{'proxy':<16}" + "".join(f"{h:>13}" for _, h, _ in columns))
    for name, row in medians.items():
        cells = ("-" if row.get(key) is None else f"{row[key]:.{digits}f}"
                 for key, _, digits in columns)
        print("  " + f"{name:<16}" + "".join(f"{c:>13}" for c in cells))


def ratio_text(ratio):
    return (f"ratio gatehouse / {ratio['peer']}: {ratio['ratio']:.3f} "
            f"({ratio['least']:.3f} to {ratio['most']:.3f})")


def read_options(doc, programs, cases):
    """What all scripts that measure can be told."""
    cpus = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    for name, default, *_ in programs:
        add(f"--{name}", default=default, metavar="PATH",
            help=f"the binary ({default}), or none")
    add("--cases", nargs="+", choices=cases, default=list(cases),
        metavar="CASE", help=" ".join(cases))
    add("--rounds", type=int, default=5)
    add("--seconds", type=float, default=3.0, help="length of one measurement")
    add("--connections", type=int, default=64, help="keep-alive clients")
    add("--proxy-cpu", type=int, default=cpus[-1])
    add("--load-cpu", type=int, default=cpus[0])
    add("--count-with", choices=["perf", "strace", "none"],
        help="what counts system calls (perf if it can, else strace)")
    add("--json", metavar="OUT", help="all figures of all rounds, to this file")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds < 0.1 or options.connections < 1:
        parser.error("rounds, seconds or connections: too few")
    if options.proxy_cpu == options.load_cpu:
        parser.error("two CPUs are needed: one for the proxy, one for the rest")
    return options


def run_and_tell(bench, versions, run_all):
    """run_all(bench, results) between the facts and the file of all figures;
    Failure when a request was not answered rightly."""
    options, results = bench.options, {}
    build_tools()
    os.sched_setaffinity(0, {options.load_cpu})  # stay off the proxy's CPU
    facts = machine_facts(options)
    print("machine: " + ", ".join(f"{k} {v}" for k, v in facts.items()))
    for name, version in versions.items():
        print(f"{name}: {version}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{options.rounds} rounds of {options.seconds:g} s, interleaved; "
          f"system calls counted by {bench.counter or 'nobody'}", flush=True)
    try:
        run_all(bench, results)
    finally:
        bench.close()
    facts["load_average_after"] = [round(v, 2) for v in os.getloadavg()]
    if options.json:
        whole = {"machine": facts, "versions": versions,
                 "options": vars(options), "cases": results}
        text = json.dumps(whole, indent=1) + "\n"
        pathlib.Path(options.json).write_text(text)
    bad = [f"{case}/{name}" for case, result in results.items()
           for name, row in result["median"].items()
           if row["errors"] or row.get("lost")]
    if bad:
        raise Failure("requests failed: " + " ".join(bad))


def call_main(main):
    try:
        main()
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
