# SPDX-License-Identifier: Apache-2.0
"""What the tests hold the package against: the command's own bytes, and the golden model and data."""

import os
import subprocess
from pathlib import Path

import pytest

import masksketch

ROOT = Path(os.environ["MASKSKETCH_ROOT"])
PROGRAM = os.environ["MASKSKETCH_PROGRAM"]
SKETCHES = ROOT / "demo" / "sketches"
GOLDEN = ROOT / "tests" / "golden" / "tiny"


def run(*arguments):
    """The command in a process of its own; its standard output as bytes."""
    environment = {key: value for key, value in os.environ.items() if key != "MASKSKETCH_MODEL"}
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="session")
def model():
    return masksketch.Model(threads=1)


@pytest.fixture(scope="session")
def small_file(tmp_path_factory):
    """The golden model: small networks, recorded from the authors' code."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    run("convert", "--tokenizer", GOLDEN / "tokenizer_imagenet128_checkpoint", "--transformer", GOLDEN / "maskgit_imagenet128_checkpoint", "-o", path, "--quiet")
    return path


@pytest.fixture(scope="session")
def small(small_file):
    return masksketch.Model(small_file, threads=1)


@pytest.fixture(scope="session")
def teapot():
    return SKETCHES / "teapot-pen.png"
