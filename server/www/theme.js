// SPDX-License-Identifier: Apache-2.0
// Before anything is painted: the theme that was chosen last time.
try { const t = JSON.parse(localStorage.getItem("theme")); if (t === "light" || t === "dark") document.documentElement.dataset.theme = t; } catch { }
