# SPDX-License-Identifier: Apache-2.0
"""The notebook runs from top to bottom and draws its plots."""

import os

import nbformat
from conftest import ROOT
from nbclient import NotebookClient


def test_tour(teapot, monkeypatch, tmp_path):
    monkeypatch.setenv("SKETCH", os.fspath(teapot))
    monkeypatch.setenv("STEPS", "4")
    notebook = nbformat.read(ROOT / "python" / "notebooks" / "tour.ipynb", as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    pictures = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
