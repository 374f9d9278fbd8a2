"""How the jobs of a sweep are composed, shared out and run."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore
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


def share_config_store() -> None:
    """Let Hydra's copies of its repository share the one store of structured configs.

    It copies the repository for every group that the help lists and every job that it composes. The store within
    is a singleton that nothing changes any more, yet made up two thirds of ``scar --help``.
    """
    ConfigStore.__deepcopy__ = lambda store, _memo: store  # type: ignore[attr-defined]
