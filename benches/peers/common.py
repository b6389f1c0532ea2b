"""Shared by the Python peers: specs, deterministic data, timing, output."""
import argparse, json, os, sys, time
import numpy as np

# item: sizes, hidden activation, loss, optimizer, lr, batch, rows, unit
SPEC = {
    "T1": dict(sizes=[2, 3, 1], act="sigmoid", loss="sse", opt="sgd", lr=0.5, batch=3, rows=3),
    "T2": dict(sizes=[13, 64, 64, 1], act="relu", loss="mse", opt="adam", lr=1e-3, batch=32, rows=4096),
    "T3": dict(sizes=[64, 64, 64, 10], act="relu", loss="ce", opt="adam", lr=1e-3, batch=32, rows=4096),
    "T4": dict(sizes=[784, 128, 10], act="relu", loss="ce", opt="sgd", lr=0.01, batch=32, rows=4096),
    "T5": dict(sizes=[784, 512, 512, 10], act="relu", loss="ce", opt="adam", lr=1e-3, batch=128, rows=8192),
    "T6": dict(sizes=[1024, 1024, 1024, 1024, 10], act="relu", loss="ce", opt="adam", lr=1e-3, batch=256, rows=4096),
    "S1": dict(sizes=[4, 8, 1], act="tanh", loss="sse", opt="sgd", lr=0.1, batch=1, rows=4096),
    "S2": dict(sizes=[4, 8, 3], act="tanh", loss="ce", opt="adam", lr=1e-3, batch=16, rows=4096),
    "S3": dict(sizes=[2, 8, 8, 1], act="tanh", loss="bce", opt="adam", lr=1e-3, batch=32, rows=4096),
    "S4": dict(sizes=[13, 16, 16, 1], act="relu", loss="mse", opt="adam", lr=1e-3, batch=32, rows=4096),
}
# inference: which net, batch
INFER = {"I1a": ("T4", 1), "I1b": ("T2", 1), "I2": ("T5", 1024)}
ALL = list(SPEC) + list(INFER)


def splitmix(seed, n):
    """n uniform f32 in [0,1): splitmix64 outputs 1..n of `seed`, top 24 bits."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float32)) * np.float32(1.0 / (1 << 24))


def data(item):
    """X [rows, in] f32 and y: [rows,1] f32 for regression and yes or no, [rows] int labels for CE."""
    s = SPEC[item]
    if item == "T1":
        return (np.array([[.3, .5], [.5, .1], [1., .2]], np.float32),
                np.array([[.75], [.82], [.93]], np.float32))
    x = splitmix(42, s["rows"] * s["sizes"][0]).reshape(s["rows"], -1)
    if s["loss"] == "ce":
        return x, np.argmax(x[:, :s["sizes"][-1]], axis=1).astype(np.int64)
    if s["loss"] == "bce":
        return x, ((x[:, :1] > 0.5) != (x[:, 1:2] > 0.5)).astype(np.float32)
    return x, (x[:, :1] - x[:, 1:2] + 0.5 * x[:, 2:3]).astype(np.float32)


def args():
    p = argparse.ArgumentParser()
    p.add_argument("--variant", default="")
    p.add_argument("--items", default=",".join(ALL))
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seconds", type=float, default=0.8)
    p.add_argument("--warm", type=float, default=0.3)
    p.add_argument("--reps", type=int, default=1)   # repeats inside one process (slow-starting peers)
    p.add_argument("--data", default="mnist")
    return p.parse_args()


def measure(steps, seconds, warm):
    """steps(n) runs n steps and returns when they are done. -> seconds per step."""
    steps(3)
    t0, n = time.perf_counter(), 1
    while True:
        t = time.perf_counter()
        steps(n)
        now = time.perf_counter()
        if now - t0 >= warm:
            break
        if now - t < 0.02:
            n *= 2
    per = max((now - t) / n, 1e-9)
    n = max(1, int(0.1 * seconds / per))
    done, t0 = 0, time.perf_counter()
    while True:
        steps(n)
        done += n
        el = time.perf_counter() - t0
        if el >= seconds:
            return el / done


def emit(peer, item, threads, sec_per_step, loss=None):
    if item in ("T1", "S1", "S2", "S3", "S4"):
        v, u = sec_per_step * 1e9, "ns/step"
    elif item.startswith("T"):
        v, u = SPEC[item]["batch"] / sec_per_step, "samples/s"
    elif item == "I2":
        v, u = INFER[item][1] / sec_per_step, "samples/s"
    else:
        v, u = sec_per_step * 1e6, "us/call"
    d = {"peer": peer, "item": item, "threads": threads, "value": v, "unit": u}
    if loss is not None:
        d["loss"] = float(loss)
    print(json.dumps(d), flush=True)


def emit_a1(peer, threads, acc, epochs):
    print(json.dumps({"peer": peer, "item": "A1", "threads": threads, "value": acc, "unit": "test acc",
                      "epoch_s": [round(e, 3) for e in epochs]}), flush=True)


def mnist(d):
    def img(f):
        b = np.fromfile(os.path.join(d, f), np.uint8)[16:]
        return (b.reshape(-1, 784).astype(np.float32) / 255.0)
    def lab(f):
        return np.fromfile(os.path.join(d, f), np.uint8)[8:].astype(np.int64)
    return (img("train-images-idx3-ubyte"), lab("train-labels-idx1-ubyte"),
            img("t10k-images-idx3-ubyte"), lab("t10k-labels-idx1-ubyte"))
