"""The peers: what each needs, how it is built, how it is called."""
import dataclasses
import datetime
import functools
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
HOME = os.path.abspath(os.environ.get("PEERS_HOME") or os.path.join(CACHE, "chainrule-peers"))
TARGET = os.path.join(HOME, "target")
BUILDS = os.path.join(HOME, "build.jsonl")

NATIVE = "-C target-cpu=native"
# Rust peers that allocate each tensor anew pay for page faults wherever glibc returns memory to the system at once. With these
# settings it keeps the memory, about as another allocator would.
KEEP_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=2147483648:glibc.malloc.top_pad=67108864"
}


class Missing(Exception):
    """Why a peer cannot be measured here."""


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    command: tuple
    prepare: object  # called with whether to build again; raises Missing
    without: frozenset = frozenset()  # items that it has not
    once: bool = False  # slow to start: one process per number of threads, which repeats the items itself
    env: dict = dataclasses.field(default_factory=dict, hash=False)


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def call(command, log, **options):
    """Runs a command of the set-up; its output goes to a log file."""
    os.makedirs(TARGET, exist_ok=True)
    with open(log, "a") as out:
        try:
            return subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, **options).returncode == 0
        except FileNotFoundError:
            raise Missing(f"there is no {command[0]}") from None


def once(prepare):
    """Several peers share an environment or a build: each is made, or fails, once."""
    done = {}

    @functools.wraps(prepare)
    def wrapper(*arguments):
        if arguments not in done:
            try:
                done[arguments] = prepare(*arguments)
            except Missing as reason:
                done[arguments] = reason
        if isinstance(done[arguments], Missing):
            raise done[arguments]

    return wrapper


# ---- Python

VENVS = {
    "venv": ("torch==2.15.0", "numpy==2.4.6"),
    "venv-jax": ("jax==0.10.2", "optax==0.2.8", "numpy==2.4.6"),
    "venv-sklearn": ("scikit-learn==1.9.1", "numpy==2.4.6"),
}


@once
def venv(name, _again):
    folder, log = os.path.join(HOME, name), os.path.join(TARGET, name + ".log")
    if os.path.exists(os.path.join(folder, "bin", "python")):
        return
    say(f"installs {' '.join(VENVS[name])} into {folder}")
    made = False
    try:
        install = [os.path.join(folder, "bin", "pip"), "install", "-q", *VENVS[name]]
        made = call([sys.executable, "-m", "venv", folder], log) and call(install, log)
    finally:
        if not made:  # interrupted, too: half an environment must not pass for one
            shutil.rmtree(folder, ignore_errors=True)
    if not made:
        raise Missing(f"{' '.join(VENVS[name])} cannot be installed, see {log}")


def python(name, folder, program, variant="", **options):
    command = [os.path.join(HOME, folder, "bin", "python"), program] + (["--variant", variant] if variant else [])
    return Peer(name, tuple(command), functools.partial(venv, folder), **options)


# ---- Rust

@once
def cargo(name, folder, program, features, items, flags, changes, again):
    """Builds the T4 program alone from nothing, which is what is timed, and then the program of the items, with
    the features that only `items` needs. A library that cannot train T4 has no such program."""
    target, log, folder = os.path.join(TARGET, name), os.path.join(TARGET, name + ".log"), os.path.join(HERE, folder)
    features = features.split()
    build = ["cargo", "build", "--release", *features, "--target-dir", target, "--bin"]
    env = dict(os.environ, RUSTFLAGS=flags)
    there = os.path.exists(os.path.join(target, "release", program)) and not again
    if there and not changes:
        return
    if not there:
        shutil.rmtree(target, ignore_errors=True)
        if os.path.exists(log):
            os.remove(log)
        if not call(["cargo", "fetch"], log, cwd=folder):
            raise Missing(f"its packages cannot be fetched, see {log}")
        say(f"builds {name}")
    if not there and os.path.exists(os.path.join(folder, "src", "t4.rs")):
        start = time.monotonic()
        if not call(build + ["t4"], log, cwd=folder, env=env):
            raise Missing(f"it does not build, see {log}")
        seconds = time.monotonic() - start
        row = {"peer": name, "date": f"{datetime.date.today()}", "packages": packages(folder, features), "build_s": round(seconds, 1)}
        binary, stripped = os.path.join(target, "release", "t4"), os.path.join(target, "t4.stripped")
        row["t4_bytes"] = os.path.getsize(binary)
        if call(["strip", "-o", stripped, binary], log):
            row["t4_stripped"] = os.path.getsize(stripped)
        with open(BUILDS, "a") as f:
            f.write(json.dumps(row | {"flags": flags, "features": " ".join(features)}) + "\n")
    if not call(build + [program, *items.split()], log, cwd=folder, env=env):
        raise Missing(f"it does not build, see {log}")


def packages(folder, features):
    """How many packages a program of the folder is compiled from on this machine, its own not counted."""
    tree = ["cargo", "tree", *features, "-e", "normal,build", "--prefix", "none", "--no-dedupe", "--format", "{p}"]
    lines = subprocess.run(tree, cwd=folder, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    names = [" ".join(line.split()[:2]) for line in lines if line]
    return len(set(names) - set(names[:1]))


def rust(name, folder, features="", flags="", program="bench", build=None, items="", changes=False, **options):
    build = build or name
    prepare = functools.partial(cargo, build, folder, program, features, items, flags, changes)
    return Peer(name, (os.path.join(TARGET, build, "release", program),), prepare, **options)


# ---- C and C++

@once
def compiler(name, command, header, packages, again):
    program, log = os.path.join(TARGET, name, "bench"), os.path.join(TARGET, name + ".log")
    if os.path.exists(program) and not again:
        return
    if not os.path.exists(header):
        raise Missing(f"{header} is not there (Debian: apt-get install {packages})")
    os.makedirs(os.path.dirname(program), exist_ok=True)
    if os.path.isdir("/usr/include/stb"):  # tiny-dnn looks for it under another name
        third_party = os.path.join(TARGET, name, "include", "third_party")
        os.makedirs(third_party, exist_ok=True)
        if not os.path.lexists(os.path.join(third_party, "stb")):
            os.symlink("/usr/include/stb", os.path.join(third_party, "stb"))
    if not call([*command, "-I", os.path.join(TARGET, name, "include"), "-o", program], log, cwd=os.path.join(HERE, name)):
        raise Missing(f"it does not build, see {log}")


def c(name, source, header, packages, **options):
    prepare = functools.partial(compiler, name, source, header, packages)
    return Peer(name, (os.path.join(TARGET, name, "bench"),), prepare, **options)


INFERENCE = frozenset({"I1a", "I1b", "I2"})
SMALL = frozenset({"S1", "S2", "S3", "S4"})
PEERS = {
    peer.name: peer
    for peer in [
        # It is what changes between two runs.
        rust("chainrule", ".", program="items", items="--features parallel", changes=True),
        python("torch-eager", "venv", "torch/bench.py", "eager", without=SMALL),
        python("torch-compile", "venv", "torch/bench.py", "compile", once=True, without=SMALL),
        python("torch-ftz", "venv", "torch/bench.py", "ftz", without=SMALL),
        python("jax-jit", "venv-jax", "jax/bench.py", "jit", once=True),
        python("jax-scan", "venv-jax", "jax/bench.py", "scan", once=True, without=INFERENCE),
        python("sklearn", "venv-sklearn", "sklearn/bench.py", without=SMALL),
        rust("candle", "candle", "--features x86-v4", NATIVE, without=SMALL),
        rust("candle-m", "candle", "--features x86-v4", NATIVE, build="candle", env=KEEP_MEMORY, without=SMALL),
        rust("candle-default", "candle", without=SMALL),
        rust("burn-flex", "burn", "--features x86-v4", NATIVE, without=SMALL),
        rust("burn-flex-m", "burn", "--features x86-v4", NATIVE, build="burn-flex", env=KEEP_MEMORY, without=SMALL),
        rust("burn-flex-default", "burn", without=SMALL),
        rust("burn-ndarray", "burn", "--no-default-features --features ndarray", NATIVE, without=SMALL),
        rust("dfdx", "dfdx", "", NATIVE),
        rust("dfdx-m", "dfdx", "", NATIVE, build="dfdx", env=KEEP_MEMORY),
        rust("rust-mlp", "rust-mlp", "", NATIVE),
        rust("fnn", "fnn", "", NATIVE, without=frozenset({"T2", "T3", "T4", "T5", "T6", "S2", "S3", "S4", "A1"}) | INFERENCE),
        c(
            "fann",
            ("gcc", "-O3", "-march=native", "bench.c", "-lfloatfann", "-lm"),
            "/usr/include/floatfann.h",
            "libfann-dev",
            without=frozenset({"T2", "T3", "T5", "T6", "S2", "S3", "S4", "I2", "A1"}),
        ),
        c(
            "tinydnn",
            ("g++", "-std=c++14", "-O3", "-march=native", "-DCNN_USE_AVX", "bench.cc", "-lpthread"),
            "/usr/include/tiny_dnn/tiny_dnn.h",
            "tiny-dnn libcereal-dev libstb-dev libgemmlowp-dev",
            without=frozenset({"T5", "T6", "I2", "A1"}) | SMALL,
        ),
    ]
}
# torch-ftz answers one question of its own (what denormal numbers cost) and runs only when named.
DEFAULT = [name for name in PEERS if name != "torch-ftz"]


def prepare(names, again):
    """Sets up and builds what is missing; returns the peers that are there."""
    there = {}
    for name in names:
        try:
            PEERS[name].prepare(again)
            there[name] = PEERS[name]
        except Missing as reason:
            say(f"{name} is SKIPPED: {reason}")
    return there


def python_size(name):
    """Import time (median of 5, without the interpreter's own) and installed size of the packages of a Python peer."""
    imports = {
        "venv": ("torch", "import torch"),
        "venv-jax": ("jax, optax", "import jax, optax; jax.numpy.zeros(1)"),
        "venv-sklearn": ("sklearn", "from sklearn.neural_network import MLPClassifier"),
    }
    label, statement = imports[name]
    interpreter = os.path.join(HOME, name, "bin", "python")

    def median(code):
        times = []
        for _ in range(6):  # the first one warms the cache
            start = time.monotonic()
            subprocess.run([interpreter, "-c", code], check=True, env=dict(os.environ, JAX_PLATFORMS="cpu"))
            times.append(time.monotonic() - start)
        return sorted(times[1:])[2]

    where = subprocess.run([interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], stdout=subprocess.PIPE, text=True)
    size = 0
    for folder, _, files in os.walk(where.stdout.strip()):
        parts = os.path.relpath(folder, where.stdout.strip()).split(os.sep)
        if not parts[0].startswith(("pip", "setuptools")):
            size += sum(os.lstat(os.path.join(folder, file)).st_blocks * 512 for file in files)
    return {"packages": label, "import_s": round(median(statement) - median("pass"), 3), "mib": round(size / 2**20)}
