"""Writes the C source of the extension module race._native, made from race.h: python build_cffi.py OUTPUT.c"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cffi import FFI


def declarations(header: str) -> str:
    """The header without what cffi's parser does not read: the preprocessor's lines and the C++ linkage."""
    plain = re.sub(r"^#ifdef __cplusplus$.*?^#endif$", "", header, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^#.*$", "", plain, flags=re.MULTILINE)


def main(output: str) -> None:
    ffi = FFI()
    ffi.cdef(declarations((Path(__file__).parent / "race.h").read_text(encoding="utf-8")))
    ffi.set_source("race._native", '#include "race.h"', py_limited_api=True)
    ffi.emit_c_code(output)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python build_cffi.py OUTPUT.c")
    main(sys.argv[1])
