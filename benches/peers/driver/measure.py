"""Runs the programs of the peers, pinned to cores, and collects what they print."""
import contextlib
import fcntl
import json
import os
import subprocess
import threading
import time

from .peers import HERE, HOME, TARGET, say

ITEMS = ["T1", "T2", "T3", "T4", "T5", "T6", "S1", "S2", "S3", "S4", "I1a", "I1b", "I2"]
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "CANDLE_NUM_THREADS")
TIMEOUT = 1800


@contextlib.contextmanager
def alone():
    """Keeps two runs from measuring at the same time; between rounds another may have its turn."""
    with open(os.path.join(HOME, "lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    time.sleep(0.5)


def run(peer, threads, items, seconds, warm, *more):
    """One process of a peer; returns its rows and its peak memory in MiB."""
    command = [*peer.command, "--items", ",".join(items), "--threads", str(threads), "--seconds", str(seconds), "--warm", str(warm), *more]
    cores = sorted(os.sched_getaffinity(0))[:threads]
    env = dict(os.environ, **{pool: str(threads) for pool in POOLS}, **peer.env)
    log = os.path.join(TARGET, peer.name + ".err")
    with open(log, "w") as errors:
        pin = lambda: os.sched_setaffinity(0, cores)
        process = subprocess.Popen(command, cwd=HERE, env=env, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=pin)
        timer = threading.Timer(TIMEOUT, process.kill)
        timer.start()
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        timer.cancel()
    rows = [json.loads(line) | {"peer": peer.name} for line in output.splitlines() if line.startswith("{")]
    absent = set(items) - {row["item"] for row in rows}
    if status or absent:
        say(f"{peer.name}, threads {threads}: no result for {', '.join(sorted(absent)) or 'nothing'}, exit status {status}, see {log}")
    return rows, usage.ru_maxrss / 1024


def items(peers, wanted, threads, rounds, seconds, warm, keep):
    """All items of all peers, one after the other in each round; each round begins with another peer."""
    names = list(peers)
    for number in range(rounds):
        start = number % len(names) if names else 0
        with alone():
            for count in threads:
                for name in names[start:] + names[:start]:
                    peer = peers[name]
                    mine = [item for item in wanted if item not in peer.without]
                    if not mine or (peer.once and number):
                        continue
                    began = time.monotonic()
                    rows, _ = run(peer, count, mine, seconds, warm, *(["--reps", str(rounds)] if peer.once else []))
                    keep(rows, round=number)
                    say(f"round {number + 1} of {rounds}, threads {count}, {name}: {time.monotonic() - began:.1f} s")


def digits(peers, threads, mnist, keep):
    for count in threads:
        for name, peer in peers.items():
            if "A1" in peer.without:
                continue
            with alone():
                rows, _ = run(peer, count, ["A1"], 0, 0, "--data", mnist)
            keep(rows)
            for row in rows:
                say(f"A1, threads {count}, {name}: {row['value']:.4f}, epochs {row['epoch_s']} s")


def memory(peers, seconds, warm, keep):
    for name, peer in peers.items():
        if "T5" in peer.without:
            continue
        with alone():
            rows, peak = run(peer, 1, ["T5"], seconds, warm)
        if rows:
            keep([{"peer": name, "item": "memory", "threads": 1, "value": round(peak, 1), "unit": "MiB"}])
