"""Templates of the pages that the lab writes: whatever is put into them is escaped, and a missing name is an error."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def templates_in(package: str) -> Environment:
    """Return the templates that lie beside the modules of a package.

    Example:
        >>> templates_in("adamas.lab.report").from_string("{{ text }}").render(text="<b>")
        '&lt;b&gt;'
    """
    return Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
