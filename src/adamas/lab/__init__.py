"""The lab: trains real models with any optimizer, compares them honestly, and reports.

`pip install 'adamas[lab]'`, then `adamas demo`. The core of adamas never imports this package.
"""
