"""Show the buttons that lead to the repository, and to Binder, only where there is an address.

The one setting is `repository.url` in `_config.yml`. Where it is empty the theme would stop the build or
draw buttons that lead nowhere, so they are switched off here.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

HOSTS = ("github", "gitlab", "bitbucket")
BUTTONS = ("use_repository_button", "use_edit_page_button", "use_issues_button")


def switch_buttons(_app: Sphinx, config: Config) -> None:
    """Turn repository and launch buttons on or off, all together."""
    options = config.html_theme_options
    known = bool((options.get("repository_url") or "").strip())
    for button in BUTTONS:
        options[button] = known
    if known and not any(host in options["repository_url"].lower() for host in HOSTS):
        options.setdefault("repository_provider", "")
        if not options["repository_provider"]:
            raise ConfigError(
                f"repository.url in _config.yml is {options['repository_url']!r}, a host that the theme does not "
                f"know ({', '.join(HOSTS)}). Say which of these it works like, under sphinx: config: "
                "html_theme_options: repository_provider."
            )
    if not known:
        options["repository_url"] = ""
        options["launch_buttons"] = {}


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx entry point."""
    # Before the theme reads its options (default priority 500).
    app.connect("config-inited", switch_buttons, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
