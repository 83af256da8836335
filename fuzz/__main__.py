"""Runs the fuzzer: ``pip install -e '.[fuzz]'``, then ``python -m fuzz NEW fuzz/corpus [options]``.

libFuzzer keeps in the directory NEW what it finds, and reads it again the next time; of its options
``-max_total_time=60`` is the most useful. An input that fails is written beside it as ``crash-…``,
which ``python -m fuzz crash-…`` repeats.
"""

import sys

import atheris

with atheris.instrument_imports(include=["chat"]):
    from fuzz.session import fuzz

atheris.Setup(sys.argv, fuzz)
atheris.Fuzz()
