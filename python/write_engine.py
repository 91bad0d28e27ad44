# SPDX-License-Identifier: Apache-2.0
"""Writes the extension module's C source: cffi's declarations are the public headers themselves, so
that nothing is declared twice. Usage: write_engine.py OUT.c INCLUDE_FOLDER"""

import re
import sys
from pathlib import Path

import cffi

HEADERS = ("masksketch_recipe.h", "masksketch.h", "masksketch_tools.h")

# What the library calls; masksketch/_errors.py and its neighbours define them.
CALLBACKS = """
extern "Python" int masksketch_on_step(void *, const msk_step_info *);
extern "Python" int masksketch_on_trace(void *, const char *, int, const msk_array *);
extern "Python" int masksketch_on_train(void *, const msk_train_progress *);
extern "Python" int masksketch_on_teach(void *, const msk_teach_progress *);
extern "Python" void masksketch_on_left_out(void *, const char *, const char *);
extern "Python" int masksketch_on_photo(void *, int, int);
extern "Python" int masksketch_render(void *, int, size_t, uint8_t *, uint8_t *, uint8_t *);
"""


def declarations(folder: Path) -> str:
    """The headers without what only a preprocessor understands; limits that are plain numbers stay."""
    text = "\n".join((folder / name).read_text() for name in HEADERS)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    limits = dict(re.findall(r"^#define (MSK_\w+) \(?(-?\d+)\)?\s*$", text, flags=re.M))
    text = re.sub(r"^#ifdef __cplusplus.*?^#endif", "", text, flags=re.S | re.M)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.M).replace("MSK_API ", "")
    text = re.sub(r"\[(MSK_\w+)\]", lambda found: f"[{limits.get(found[1], found[1])}]", text)
    return "".join(f"#define {name} {value}\n" for name, value in limits.items()) + text


def main() -> None:
    out, folder = sys.argv[1], Path(sys.argv[2])
    builder = cffi.FFI()
    builder.cdef(declarations(folder) + CALLBACKS)
    builder.set_source("masksketch._engine", '#include "masksketch_tools.h"')
    builder.emit_c_code(out)


if __name__ == "__main__":
    main()
