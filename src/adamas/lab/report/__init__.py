"""The report: finished runs as one HTML file that needs no network, ever.

`adamas.lab.report.builder.build` makes it.
"""
