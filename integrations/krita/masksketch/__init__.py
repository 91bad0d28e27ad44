# SPDX-License-Identifier: Apache-2.0
"""MaskSketch in Krita: a docker that turns the layer one draws on into a photo, by a
`masksketch serve` on this machine or another. Needs nothing but Krita's own Python and Qt."""
from krita import DockWidgetFactory, DockWidgetFactoryBase, Krita

from .docker import Docker

Krita.instance().addDockWidgetFactory(
    DockWidgetFactory("masksketch", DockWidgetFactoryBase.DockRight, Docker))
