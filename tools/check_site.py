"""Check that the built site loads nothing from elsewhere: ``python tools/check_site.py build/site``."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path

LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}


class Loads(HTMLParser):
    """Collects what a page loads from other hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one address."""
        values = dict(attrs)
        address = values.get(LOADED.get(tag, ""), "") or ""
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev"):
            return
        if address.startswith(("http:", "https:", "//")):
            self.elsewhere.append(address)


def main(folder: Path) -> int:
    """Name what is loaded; 0 if it is nothing."""
    pages = sorted(folder.rglob("*.html"))
    found = []
    for page in pages:
        parser = Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        found += [f"{page}: loads {address}" for address in parser.elsewhere]
    print("\n".join(found) or f"{len(pages)} pages, which load nothing from elsewhere")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
