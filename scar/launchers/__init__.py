"""How the jobs of a sweep are composed, shared out and run."""

from __future__ import annotations

from hydra.core.plugins import Plugins

NAMESPACE = "hydra_plugins.scar"


def register() -> None:
    """Make the launcher and the sweeper known to Hydra under the names that ``conf/hydra`` uses.

    Hydra finds plugins by walking the folders of the namespace package ``hydra_plugins``, where an editable
    installation leaves nothing, and accepts no class whose name does not begin with that of the package.
    """
    from scar.launchers.local import LocalLauncher
    from scar.launchers.optuna_sweeper import OptunaSweeper

    for plugin in (LocalLauncher, OptunaSweeper):
        Plugins.instance().register(plugin)
        Plugins.instance().class_name_to_class[f"{NAMESPACE}.{plugin.__name__}"] = plugin
