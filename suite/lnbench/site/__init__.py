"""A static site of committed reports: every claim with its verdict, its evidence, and how to check it.

`render` is pure: the data of reports in, the bytes of each file out. `write_site` puts them into a folder, whole or not
at all. Nothing of the site is loaded from elsewhere, and all links are relative.
"""

from lnbench.site.folder import write_site
from lnbench.site.render import Contents, render

__all__ = ["Contents", "render", "write_site"]
