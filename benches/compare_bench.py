"""What compare-aa and compare-power share: two real application servers, runs of `hearth compare`, exact bounds."""
import argparse
import json
import math
import os
import pathlib
import platform
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEARTH = os.environ.get("HEARTH", str(ROOT / "target/x86_64-unknown-linux-gnu/release/hearth"))
DELAY_MS = 20


def arguments(what, runs):
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("runs", nargs="?", type=int, default=runs)
    parser.add_argument("--full", action="store_true", help="several minutes a run instead of half a minute")
    parser.add_argument("--metric", default="latency.p50")
    parser.add_argument("--margin", default="2%")
    parser.add_argument("--rate", default="200")
    parser.add_argument("--out", type=pathlib.Path, help="where the result goes; printed only, without it")
    return parser.parse_args()


class Servers:
    """Two WAS processes on this machine, as the cluster runs them, without a database."""

    def __enter__(self):
        self.processes, self.ports = [], []
        for _ in range(2):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            environment = {**os.environ, "PORT": str(port), "POD_NAME": "was", "VERSION": "1"}
            self.processes.append(subprocess.Popen([HEARTH, "was"], env=environment, stderr=subprocess.DEVNULL))
            self.ports.append(port)
        for port in self.ports:
            for attempt in range(100):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").read()
                    break
                except OSError:
                    time.sleep(0.05)
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
            process.wait()

    def url(self, server, delay_ms):
        return f"http://127.0.0.1:{self.ports[server]}/api/whoami?delay_ms={delay_ms}"


def compare(before, after, seed, asked):
    command = [HEARTH, "compare", "--arm", f"before={before}", "--arm", f"after={after}", "--metric", asked.metric,
               "--margin", asked.margin, "--rate", asked.rate, "--seed", str(seed), "--allow-different-bodies", "-o", "json", "-q"]
    ran = subprocess.run(command + ([] if asked.full else ["--quick"]), capture_output=True, text=True)
    try:
        return json.loads(ran.stdout)
    except ValueError:
        raise SystemExit(f"exit {ran.returncode}: {ran.stderr}")


def row(seed, result):
    estimate = result.get("estimate") or {}
    return {"seed": seed, "verdict": result["verdict"], "estimate": estimate.get("value"), "low": estimate.get("low"),
            "high": estimate.get("high"), "void": result["void"]["windows"], "windows": result["void"]["of"],
            "autocorrelation": (result["metrics"] or [{}])[0].get("autocorrelation"),
            "sameArm": (result.get("sameArm") or {}).get("estimate"), "reasons": result["reasons"]}


def upper(k, n, chance=0.05):
    """The largest share at which seeing at most k of n still has this chance (Clopper and Pearson, 1934)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        p = (low + high) / 2
        seen = sum(math.comb(n, i) * p**i * (1 - p)**(n - i) for i in range(k + 1))
        low, high = (p, high) if seen > chance else (low, p)
    return high


def lower(k, n):
    """The smallest share at which seeing at least k of n still has a chance of 5 %."""
    return 1 - upper(n - k, n)


def finish(asked, result):
    result = {"taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpus": os.cpu_count(),
              "kernel": platform.release(), "metric": asked.metric, "margin": asked.margin, "rate": asked.rate,
              "quick": not asked.full, **result}
    if asked.out:
        rows = result.pop("runs")
        head = ",\n ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items())
        lines = ",\n  ".join(json.dumps(row) for row in rows)
        asked.out.write_text("{" + head + ',\n "runs": [\n  ' + lines + "\n ]}\n")
        print(f"written to {asked.out}")
