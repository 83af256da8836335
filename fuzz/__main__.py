"""Runs the fuzzer: ``pip install -e '.[fuzz]'``, then ``python -m fuzz NEW fuzz/corpus [options]``.

libFuzzer keeps in the directory NEW what it finds, and reads it again the next time; of its options
``-max_total_time=60`` is the most useful. An input that fails is written beside it as ``crash-…``,
which ``python -m fuzz crash-…`` repeats.
"""

import sys

try:
    import atheris
except ImportError:
    sys.exit("The fuzzer is not installed: pip install -e '.[fuzz]' (Linux on x86-64).")

with atheris.instrument_imports(include=["chat"]):
    from fuzz.session import fuzz

atheris.Setup(sys.argv, fuzz)
atheris.Fuzz()
